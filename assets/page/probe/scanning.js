// Opens the scan, whose module comes when it is first asked for.

/** @typedef {ReturnType<typeof import("./scan.js").createScan>} Scan */

// `probe`: as createScan has it, and refuse(sentence).
/** @param {HTMLElement} panel @param {Parameters<typeof import("./scan.js").createScan>[1] & { refuse(sentence: string): void }} probe */
export function createScanning(panel, probe) {
  let scan = /** @type {Scan | null} */ (null), coming = /** @type {Promise<void> | null} */ (null);

  async function load() {
    coming ??= import("./scan.js").then(({ createScan }) => { scan = createScan(panel, probe); });
    try { await coming; }
    catch { coming = null; probe.refuse("The scan could not be loaded. Please try again."); }
    return scan;
  }

  return {
    async show() { (await load())?.show(true); },
    async toggle() { (await load())?.toggle(); },
    forget() { scan?.forget(); },
    again() { scan?.again(); },
  };
}
