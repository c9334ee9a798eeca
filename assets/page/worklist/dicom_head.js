// What orders the files of a DICOM series, from the first bytes of each: nothing else of a file is read here.

const DIRECTORY = "1.2.840.10008.1.3.10";           // the class of a DICOMDIR
const IMPLICIT = "1.2.840.10008.1.2", BIG_ENDIAN = "1.2.840.10008.1.2.2", DEFLATED = "1.2.840.10008.1.2.1.99";
const SERIES = 0x0020000e, NUMBER = 0x00200013, CLASS = 0x00020002, SYNTAX = 0x00020010;
const ITEM = 0xfffee000, ITEM_END = 0xfffee00d, SEQUENCE_END = 0xfffee0dd, OPEN = 0xffffffff;
const LONG = new Set(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]);
const DEEPEST = 8;                  // sequences in sequences

export const HEAD = 1 << 16;        // bytes that are enough of nearly every file

/** @typedef {{ series: string, number: number | null, directory: boolean }} DicomHead  `number`: of the instance; `directory`: the file is a DICOMDIR */

// Of a DICOM file what its first bytes say, null of another one. What is missing or cannot be read is left out: then names give the order.
/** @param {Uint8Array} bytes @returns {DicomHead | null} */
export function readHead(bytes) {
  const marked = text(bytes, 128, 4) === "DICM", group = bytes[0] | (bytes[1] << 8);
  if (!marked && !(bytes.length > 8 && (group === 2 || group === 8))) return null;
  const found = new Map(), start = marked ? 132 : 0;
  try {
    let at = readElements(new Reader(bytes, start, true, true), 0x0002ffff, found);
    const syntax = found.get(SYNTAX) ?? (at + 6 <= bytes.length && /^[A-Z]{2}$/.test(text(bytes, at + 4, 2)) ? "" : IMPLICIT);
    if (syntax !== DEFLATED) at = readElements(new Reader(bytes, at, syntax !== IMPLICIT, syntax !== BIG_ENDIAN), NUMBER, found);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;      // the bytes end, or are not what they seem
  }
  const number = Number.parseInt(found.get(NUMBER) ?? "", 10);
  return { series: found.get(SERIES) ?? "", number: Number.isNaN(number) ? null : number, directory: found.get(CLASS) === DIRECTORY };
}

/** @param {Uint8Array} bytes @param {number} from @param {number} length */
const text = (bytes, from, length) => String.fromCharCode(...bytes.subarray(from, from + length));

class Reader {
  /** @param {Uint8Array} bytes @param {number} at @param {boolean} explicit @param {boolean} little */
  constructor(bytes, at, explicit, little) {
    this.bytes = bytes;
    this.data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.explicit = explicit;
    this.little = little;
  }

  // The tag and the length of the next element; stands at its value then. RangeError where the bytes end.
  element() {
    const { data, at, little } = this, tag = data.getUint16(at, little) * 0x10000 + data.getUint16(at + 2, little);
    if (!this.explicit || tag >= ITEM) { this.at += 8; return { tag, length: data.getUint32(at + 4, little) }; }
    const long = LONG.has(text(this.bytes, at + 4, 2));
    this.at += long ? 12 : 8;
    return { tag, length: long ? data.getUint32(at + 8, little) : data.getUint16(at + 6, little) };
  }

  // Past the items of a sequence whose length is open.
  skipOpen(deep = 0) {
    if (deep > DEEPEST) throw new RangeError();
    for (;;) {
      const { tag, length } = this.element();
      if (tag === SEQUENCE_END || tag === ITEM_END) return;
      if (length === OPEN) this.skipOpen(deep + 1);
      else this.at += length;
    }
  }
}

// The texts that are wanted, up to the tag `last`; where the elements after it begin.
/** @param {Reader} reader @param {number} last @param {Map<number, string>} found */
function readElements(reader, last, found) {
  while (reader.at < reader.bytes.length) {
    const from = reader.at, { tag, length } = reader.element();
    if (tag > last) return from;
    if (length === OPEN) { reader.skipOpen(); continue; }
    if ([SERIES, NUMBER, CLASS, SYNTAX].includes(tag)) found.set(tag, text(reader.bytes, reader.at, Math.min(length, 64)).replace(/[\0 ]+$/, "").trim());
    reader.at += length;
  }
  return reader.at;
}
