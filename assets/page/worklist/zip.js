// ZIP files, read by the browser: the server gets one film of it at a time, as if that had been opened alone. A ZIP file comes from
// anybody, so nothing in it is believed: what it unpacks to is bounded while it is unpacked, and a path in it is only a name.

import { Refusal } from "../shared/server.js";

const END = 0x06054b50, ENTRY = 0x02014b50, LOCAL = 0x04034b50;
const END_SIZE = 22, ENTRY_SIZE = 46, LOCAL_SIZE = 30, LONGEST_COMMENT = 0xffff;
// ZIP64: where a number has no room in its field, that is full of ones, and the number stands elsewhere.
const LONG_END = 0x06064b50, LONG_END_SIZE = 56, LOCATOR = 0x07064b50, LOCATOR_SIZE = 20, LONG_SIZES = 1;
const FULL = 0xffffffff, FULL_COUNT = 0xffff;
const STORED = 0, DEFLATED = 8;
const LARGEST_DIRECTORY = 8 << 20;  // bytes; some 80,000 files
const DAMAGED = "The ZIP file is damaged: please pack it again.";
const TOO_MANY = "The ZIP file lists too many files for one page: open some of the folders in it instead.";

/** @typedef {{ path: string, size: number, packed: number, at: number, method: number, crc: number, locked: boolean }} ZipEntry  a file in it; sizes in bytes */

/** @type {(blob: Blob, from: number, to: number) => Promise<DataView<ArrayBuffer>>} */
const view = async (blob, from, to) => new DataView(await blob.slice(from, to).arrayBuffer());

// A number of eight bytes; beyond 2⁵³ it is only very large, which no file of this list is.
/** @type {(data: DataView, at: number) => number} */
const long = (data, at) => Number(data.getBigUint64(at, true));

// Whether a file begins as a ZIP file does.
/** @param {Blob} file */
export async function isZip(file) {
  const start = await view(file, 0, 4).catch(() => null);
  return start?.byteLength === 4 && [LOCAL, END].includes(start.getUint32(0, true));
}

// The files that a ZIP file says it holds, without folders; Refusal with a sentence where it cannot be read.
/** @param {Blob} zip @returns {Promise<ZipEntry[]>} */
export async function listZip(zip) {
  const tail = await view(zip, Math.max(0, zip.size - END_SIZE - LONGEST_COMMENT), zip.size);
  let end = tail.byteLength - END_SIZE;
  while (end >= 0 && !(tail.getUint32(end, true) === END && end + END_SIZE + tail.getUint16(end + 20, true) === tail.byteLength)) end--;
  if (end < 0) throw new Refusal(DAMAGED);
  const { count, size, at, end: ends } = await readEnd(zip, tail, end);
  if (size > LARGEST_DIRECTORY) throw new Refusal(TOO_MANY);
  const start = ends - size, before = start - at;       // what stands before the ZIP file itself
  if (before < 0) throw new Refusal(DAMAGED);
  const directory = await view(zip, start, start + size), entries = readDirectory(directory, count, before);
  if (entries.reduce((sum, { packed }) => sum + packed, 0) > zip.size) throw new Refusal(DAMAGED);      // they share bytes: a bomb
  return entries.filter(({ path }) => !path.endsWith("/"));
}

// How many files the directory lists, its size, where it begins in the ZIP file as that was made, and where it ends in this one.
/** @param {Blob} zip @param {DataView<ArrayBuffer>} tail @param {number} at of the end record in the tail */
async function readEnd(zip, tail, at) {
  const offset = zip.size - tail.byteLength + at, found = { count: tail.getUint16(at + 10, true), size: tail.getUint32(at + 12, true), at: tail.getUint32(at + 16, true), end: offset };
  if (found.count !== FULL_COUNT && found.size !== FULL && found.at !== FULL) return found;
  const end = offset - LOCATOR_SIZE - LONG_END_SIZE, data = await view(zip, Math.max(0, end), offset);
  const located = end >= 0 && data.getUint32(LONG_END_SIZE, true) === LOCATOR;
  if (!located && found.size !== FULL && found.at !== FULL) return found;               // that many files, and no more
  if (!located || data.getUint32(0, true) !== LONG_END) throw new Refusal(DAMAGED);
  return { count: long(data, 32), size: long(data, 40), at: long(data, 48), end };
}

// The numbers of an entry that had no room in its fields, in their order: size, packed size, place.
/** @param {DataView<ArrayBuffer>} directory @param {number} at @param {number} end @param {number[]} numbers */
function readLong(directory, at, end, numbers) {
  while (at + 4 <= end) {
    const kind = directory.getUint16(at, true), next = at + 4 + directory.getUint16(at + 2, true);
    if (kind === LONG_SIZES) {
      at += 4;
      return numbers.map((value) => {
        if (value !== FULL || at + 8 > Math.min(next, end)) return value;
        at += 8;
        return long(directory, at - 8);
      });
    }
    at = next;
  }
  return numbers;
}

/** @param {DataView<ArrayBuffer>} directory @param {number} count @param {number} before @returns {ZipEntry[]} */
function readDirectory(directory, count, before) {
  const entries = [];
  for (let i = 0, at = 0; i < count; i++) {
    if (at + ENTRY_SIZE > directory.byteLength || directory.getUint32(at, true) !== ENTRY) throw new Refusal(DAMAGED);
    const [name, extra, comment] = [28, 30, 32].map((field) => directory.getUint16(at + field, true)), next = at + ENTRY_SIZE + name + extra + comment;
    if (next > directory.byteLength) throw new Refusal(DAMAGED);
    const [size, packed, place] = readLong(directory, at + ENTRY_SIZE + name, at + ENTRY_SIZE + name + extra, [24, 20, 42].map((field) => directory.getUint32(at + field, true)));
    entries.push({
      path: readName(new Uint8Array(directory.buffer, at + ENTRY_SIZE, name)), locked: (directory.getUint16(at + 8, true) & 1) === 1, method: directory.getUint16(at + 10, true),
      crc: directory.getUint32(at + 16, true), packed, size, at: place + before,
    });
    at = next;
  }
  return entries;
}

/** @param {Uint8Array} bytes */
function readName(bytes) {
  try { return new TextDecoder("utf-8", { fatal: true }).decode(bytes); }
  catch { return new TextDecoder("windows-1252").decode(bytes); }
}

// Why a file in a ZIP file cannot be unpacked, as far as its entry tells; "" where it can. `limit`: bytes that a file may have.
/** @type {(entry: ZipEntry, limit: number) => string} */
export function troubleOf({ locked, method, size }, limit) {
  if (locked) return "It is locked with a password: unpack the ZIP file and open the folder.";
  if (method !== STORED && method !== DEFLATED) return "It is packed in an unusual way: pack the ZIP file with Deflate.";
  return size > limit ? `It is larger than ${limit >> 20} MB, the most that an image may have.` : "";
}

// A file of a ZIP file, unpacked; of a `head` no more than so many bytes, which are not checked. Refusal where it is not what its entry says.
/** @param {Blob} zip @param {ZipEntry} entry @param {number} [head] @returns {Promise<Uint8Array<ArrayBuffer>>} */
export async function unpack(zip, entry, head = Infinity) {
  const local = await view(zip, entry.at, entry.at + LOCAL_SIZE);
  if (local.byteLength < LOCAL_SIZE || local.getUint32(0, true) !== LOCAL) throw new Refusal(DAMAGED);
  const from = entry.at + LOCAL_SIZE + local.getUint16(26, true) + local.getUint16(28, true), packed = zip.slice(from, from + entry.packed);
  const stream = entry.method === STORED ? packed.stream() : packed.stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const bytes = await readMost(stream, Math.min(entry.size, head), entry.size <= head);
  if (entry.size <= head && (bytes.length !== entry.size || crcOf(bytes) !== entry.crc)) throw new Refusal(DAMAGED);
  return bytes;
}

// The first `size` bytes of a stream. `whole`: there must be no more.
/** @param {ReadableStream<Uint8Array>} stream @param {number} size @param {boolean} whole */
async function readMost(stream, size, whole) {
  const bytes = new Uint8Array(size), reader = stream.getReader();
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(() => { throw new Refusal(DAMAGED); });
    if (done) break;
    const room = size - length;
    bytes.set(value.subarray(0, room), length);
    length += Math.min(room, value.length);
    if (value.length <= room && (whole || length < size)) continue;
    reader.cancel().catch(() => {});
    if (whole) throw new Refusal(DAMAGED);
    break;
  }
  return bytes.subarray(0, length);
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** @param {Uint8Array} bytes */
function crcOf(bytes) {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = CRC_TABLE[(crc ^ bytes[i]) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
