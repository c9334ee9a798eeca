// Two coordinators change one study: what only one of them changed is put together, key by key.

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// The keys in which two studies differ, in the order of the first.
/** @param {object} one @param {object} other @returns {string[]} */
export function differing(one, other) {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].filter((key) => !same(one[key], other[key]));
}

// The keys that both changed, and not to the same: somebody has to choose. One's own save whose reply was lost is none.
/** @param {object} before @param {object} mine @param {object} theirs @returns {string[]} */
export function conflicting(before, mine, theirs) {
  const others = differing(before, theirs);
  return differing(before, mine).filter((key) => others.includes(key) && !same(mine[key], theirs[key]));
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
