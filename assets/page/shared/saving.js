// What the tabs that save answers need alike: when to save, names for rows, and what the reader is told.

export const UNHURRIED = 800;       // ms after the last key or stroke until what was typed or drawn is saved

// A random UUID; crypto.randomUUID is not there on plain http.
export function makeId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// The server's time (UTC) as this place's hours and minutes.
/** @type {(time: string) => string} */
export const clockTime = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });

/** @type {(sentence: string) => string} */
export const notSaved = (sentence) => (sentence.startsWith("Not saved") ? sentence : `Not saved: ${sentence}`);
