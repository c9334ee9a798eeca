// Two coordinators change one study: what only one of them changed is put together, key by key.

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// The keys in which two studies differ, in the order of the first.
/** @param {object} one @param {object} other @returns {string[]} */
export function differing(one, other) {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].filter((key) => !same(one[key], other[key]));
}

// `theirs` with all that is `mine` and not as `before`: where both changed a key, mine stands.
/** @param {object} before @param {object} mine @param {object} theirs */
export function merge(before, mine, theirs) {
  const merged = structuredClone(theirs);
  for (const key of differing(before, mine)) {
    if (key in mine) merged[key] = structuredClone(mine[key]);
    else delete merged[key];
  }
  return merged;
}
