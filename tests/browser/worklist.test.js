// Lists of films: ZIP files and DICOM series, orders, checklists, tables, and the sentence for a report.
import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, deflateRawSync } from "node:zlib";

import "./dom.js";
import { asText, linesOf, nameIn, readChecklists, withChecklist } from "../../assets/page/worklist/checklists.js";
import { readHead } from "../../assets/page/worklist/dicom_head.js";
import { byName, flaggedFirst, inOrder } from "../../assets/page/worklist/order.js";
import { reportSentence } from "../../assets/page/worklist/report.js";
import { toCsv } from "../../assets/page/worklist/table.js";
import { isZip, listZip, troubleOf, unpack } from "../../assets/page/worklist/zip.js";
import { absent, answer, ASSUMED, nothing, PERFORMANCE } from "./answers.js";

// --- ZIP files ---------------------------------------------------------------------------------------------------------

// Whole numbers of eight bytes, one after the other.
const longs = (...values) => Buffer.concat(values.map((value) => { const bytes = Buffer.alloc(8); bytes.writeBigUInt64LE(BigInt(value)); return bytes; }));

// A ZIP file of [path, content] pairs; `lie(entry)` may change what the directory says of one. `long`: with the numbers of ZIP64.
function zipOf(files, { lie = (entry) => entry, stored = false, long = false } = {}) {
  const parts = [], directory = [];
  let at = 0;
  for (const [path, content] of files) {
    const name = Buffer.from(path), bytes = Buffer.from(content), packed = stored ? bytes : deflateRawSync(bytes);
    const entry = lie({ flags: 0x800, method: stored ? 0 : 8, crc: crc32(bytes), packed: packed.length, size: bytes.length, at });
    const local = Buffer.alloc(30), central = Buffer.alloc(46);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    central.writeUInt32LE(0x02014b50, 0);
    for (const [field, value] of /** @type {[number, number][]} */ ([[8, entry.flags], [10, entry.method], [28, name.length]])) central.writeUInt16LE(value, field);
    for (const [field, value] of /** @type {[number, number][]} */ ([[16, entry.crc], [20, long ? 0xffffffff : entry.packed], [24, long ? 0xffffffff : entry.size], [42, long ? 0xffffffff : entry.at]])) central.writeUInt32LE(value, field);
    parts.push(local, name, packed);
    const extra = long ? Buffer.concat([Buffer.from([0x55, 0x54, 1, 0, 9, 1, 0, 24, 0]), longs(entry.size, entry.packed, entry.at)]) : Buffer.alloc(0);
    central.writeUInt16LE(extra.length, 30);
    directory.push(central, name, extra);
    at += local.length + name.length + packed.length;
  }
  const listed = Buffer.concat(directory), end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(at, 16);
  if (!long) return new Blob([...parts, listed, end]);
  end.fill(0xff, 10, 20);
  const ends = Buffer.concat([Buffer.from([0x50, 0x4b, 6, 6]), longs(44), Buffer.alloc(12), longs(files.length, files.length, listed.length, at)]);
  return new Blob([...parts, listed, ends, Buffer.from([0x50, 0x4b, 6, 7, 0, 0, 0, 0]), longs(at + listed.length), Buffer.from([1, 0, 0, 0]), end]);
}

const FILM = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * i) % 251));

test("the files of a ZIP file, packed or stored, behind other bytes and before a comment", async () => {
  for (const stored of [false, true]) {
    const zip = zipOf([["a/", ""], ["a/film é.png", FILM], ["b.dcm", "x"]], { stored }), entries = await listZip(zip);
    assert.deepEqual(entries.map(({ path }) => path), ["a/film é.png", "b.dcm"]);
    assert.deepEqual(Buffer.from(await unpack(zip, entries[0])), FILM);
    assert.deepEqual(Buffer.from(await unpack(zip, entries[0], 100)), FILM.subarray(0, 100));
    const later = new Blob(["#!/bin/sh\n", zip]), [first] = await listZip(later);
    assert.deepEqual(Buffer.from(await unpack(later, first)), FILM);
    assert.deepEqual([await isZip(zip), await isZip(later), await isZip(new Blob([FILM])), await isZip(new Blob([]))], [true, false, false, false]);
  }
});

test("a bomb is stopped at the size that its entry gives, and one whose files share bytes is refused", async () => {
  const bomb = zipOf([["film.png", Buffer.alloc(64 << 20)]], { lie: (entry) => ({ ...entry, size: 1000 }) }), [entry] = await listZip(bomb);
  await assert.rejects(unpack(bomb, entry), /damaged/);
  const open = zipOf([["film.png", Buffer.alloc(64 << 20)]]), [large] = await listZip(open);
  assert.match(troubleOf(large, 1 << 20), /larger than 1 MB/);
  assert.equal(troubleOf(large, 64 << 20), "");
  const many = Array.from({ length: 200 }, (_, i) => [`${i}.png`, i ? "" : FILM]);
  await assert.rejects(listZip(zipOf(many, { lie: (each) => ({ ...each, at: 0, packed: 5000, size: 5000 }) })), /damaged/);
});

test("what is locked, packed otherwise, changed, cut off or no ZIP file is one sentence", async () => {
  const [locked] = await listZip(zipOf([["a.png", FILM]], { lie: (entry) => ({ ...entry, flags: 1 }) }));
  const [odd] = await listZip(zipOf([["a.png", FILM]], { lie: (entry) => ({ ...entry, method: 12 }) }));
  assert.match(troubleOf(locked, 1e9), /password/);
  assert.match(troubleOf(odd, 1e9), /Deflate/);
  const changed = zipOf([["a.png", FILM]], { lie: (entry) => ({ ...entry, crc: (entry.crc ^ 1) >>> 0 }) }), [entry] = await listZip(changed);
  await assert.rejects(unpack(changed, entry), /damaged/);
  const away = zipOf([["a.png", FILM]], { lie: (each) => ({ ...each, at: 3 }) });
  await assert.rejects(unpack(away, (await listZip(away))[0]), /damaged/);
  const zip = zipOf([["a.png", FILM]]);
  for (const cut of [zip.slice(0, zip.size - 30), zip.slice(50), new Blob(["PK\x05\x06"]), new Blob([])]) await assert.rejects(listZip(cut), /damaged/);
});

test("a ZIP file with the numbers of ZIP64 is read; what it says of sizes is bounded as ever", async () => {
  const zip = zipOf([["a/", ""], ["a/film.png", FILM]], { long: true });
  for (const each of [zip, new Blob(["#!/bin/sh\n", zip])]) {
    const [film, ...more] = await listZip(each);
    assert.deepEqual([film.path, more], ["a/film.png", []]);
    assert.deepEqual(Buffer.from(await unpack(each, film)), FILM);
  }
  const [large] = await listZip(zipOf([["film.png", FILM]], { long: true, lie: (entry) => ({ ...entry, size: 5e9 }) }));
  assert.match(troubleOf(large, 128 << 20), /larger than 128 MB/);
  await assert.rejects(listZip(zipOf([["film.png", FILM]], { long: true, lie: (entry) => ({ ...entry, packed: 5e9 }) })), /damaged/);
  await assert.rejects(async () => unpack(zip, (await listZip(zipOf([["film.png", FILM]], { long: true, lie: (entry) => ({ ...entry, at: 2 ** 60 }) })))[0]), /damaged/);
  const bytes = new Uint8Array(await zip.arrayBuffer());
  const told = (at, ...values) => { const lied = bytes.slice(); lied.set(values, bytes.length + at); return listZip(new Blob([lied])); };
  await assert.rejects(told(-42 - 20 - 36 + 40, 0, 0, 0, 1), /too many files/);     // a directory of 16 MB
  await assert.rejects(told(-42 - 56, 0), /damaged/);                             // no end record where it should be
  await assert.rejects(told(-42, 0), /damaged/);                                  // no locator
});

// --- DICOM ----------------------------------------------------------------------------------------------------------------

// An element: explicit or implicit, little- or big-endian; `size` beats the length of the value.
function element(tag, vr, value, { explicit = true, little = true, size = null } = {}) {
  const bytes = Buffer.from(value), long = ["SQ", "UN", "OB"].includes(vr), length = size ?? bytes.length, head = Buffer.alloc(explicit && long ? 12 : 8);
  const put = (name, number, at) => head[`${name}${little ? "LE" : "BE"}`](number, at);
  put("writeUInt16", tag >>> 16, 0);
  put("writeUInt16", tag & 0xffff, 2);
  if (explicit) head.write(vr, 4, "latin1");
  if (!explicit) put("writeUInt32", length, 4);
  else if (long) put("writeUInt32", length, 8);
  else put("writeUInt16", length, 6);
  return Buffer.concat([head, bytes]);
}

const SERIES = "1.2.3.4\0", OPEN = 0xffffffff;

function dicom(syntax, how, { preamble = true, between = Buffer.alloc(0) } = {}) {
  const meta = preamble ? [Buffer.alloc(128), Buffer.from("DICM"), element(0x00020002, "UI", "1.2.840.10008.5.1.4.1.1.7\0"), element(0x00020010, "UI", syntax)] : [];
  return Buffer.concat([
    ...meta, element(0x00080060, "CS", "CR", how), between, element(0x0020000e, "UI", SERIES, how), element(0x00200013, "IS", "12 ", how), element(0x00280010, "US", "\x01\0", how),
  ]);
}

test("the series and the number of an instance, in every encoding, with and without a preamble, past open sequences", () => {
  const item = (how, inner) => Buffer.concat([element(0xfffee000, "", inner, { ...how, explicit: false, size: OPEN }), element(0xfffee00d, "", "", { ...how, explicit: false })]);
  for (const [syntax, how] of /** @type {[string, { explicit: boolean, little: boolean }][]} */ ([
    ["1.2.840.10008.1.2.1\0", { explicit: true, little: true }], ["1.2.840.10008.1.2\0", { explicit: false, little: true }],
    ["1.2.840.10008.1.2.2\0", { explicit: true, little: false }], ["1.2.840.10008.1.2.4.50\0", { explicit: true, little: true }],
  ])) {
    const within = element(0x00081140, "SQ", item(how, element(0x0020000e, "UI", "9.9\0", how)), { ...how, size: OPEN }), ends = element(0xfffee0dd, "", "", { ...how, explicit: false });
    const expected = { series: "1.2.3.4", number: 12, directory: false };
    assert.deepEqual(readHead(dicom(syntax, how, { between: Buffer.concat([within, ends]) })), expected, syntax);
    if (how.little && syntax !== "1.2.840.10008.1.2.4.50\0") assert.deepEqual(readHead(dicom(syntax, how, { preamble: false })), expected, syntax);
  }
});

test("a DICOMDIR is known; bytes that end, lie or are no DICOM cost nothing", () => {
  const directory = Buffer.concat([Buffer.alloc(128), Buffer.from("DICM"), element(0x00020002, "UI", "1.2.840.10008.1.3.10"), element(0x00020010, "UI", "1.2.840.10008.1.2.1\0")]);
  assert.equal(readHead(directory).directory, true);
  const whole = dicom("1.2.840.10008.1.2.1\0", {});
  for (let length = 0; length < whole.length; length++) readHead(whole.subarray(0, length));
  const deep = Buffer.concat([whole.subarray(0, 200), ...Array.from({ length: 50 }, () => element(0xfffee000, "", "", { explicit: false, size: OPEN }))]);
  assert.equal(readHead(deep)?.number ?? null, null);
  assert.equal(readHead(FILM), null);
  assert.equal(readHead(Buffer.from("\x89PNG\r\n\x1a\n0000000000")), null);
});

// --- order ------------------------------------------------------------------------------------------------------------------

const paths = (files) => inOrder(files).map(({ path }) => path);
const film = (path, series = "", number = null) => ({ path, head: series ? { series, number, directory: false } : null });

test("names with numbers, folders, and the instances of a series by their numbers", () => {
  assert.deepEqual(["film 10", "Film 2", "film 1"].sort(byName), ["film 1", "Film 2", "film 10"]);
  assert.deepEqual(paths(["b/1", "a/10", "a/2", "3"].map((path) => film(path))), ["3", "a/2", "a/10", "b/1"]);
  assert.deepEqual(paths([film("a", "s", 3), film("b", "s", 1), film("c", "s", 2)]), ["b", "c", "a"]);
  assert.deepEqual(paths([film("a", "s", 2), film("b", "t", 1), film("c", "s", 1), film("d")]), ["c", "a", "b", "d"]);
  assert.deepEqual(paths([film("b", "s", null), film("a", "s", null), film("c", "s", 7)]), ["c", "a", "b"]);
  assert.deepEqual(paths([film("x/b", "s", 1), film("a/c", "s", 2)]), ["a/c", "x/b"]);
});

test("flagged films come first, those with most findings before those of which the model is surest", () => {
  const films = { one: [absent()], two: [answer()], three: [answer({ probability: 0.97, asked: { probability: 0.97 } })], four: [], five: [answer(), answer()], six: [nothing("normal", { holds: false, flagged: ["x"] })] };
  assert.deepEqual(flaggedFirst(Object.keys(films), (name) => films[name]), ["five", "three", "two", "six", "one", "four"]);
});

// --- checklists ---------------------------------------------------------------------------------------------------------------

test("a checklist is what was written, each line once; what is stored may be anything", () => {
  assert.deepEqual(linesOf(" pneumothorax \r\n\n…\n# Ward\npneumothorax\nno effusion", 9), ["pneumothorax", "no effusion"]);
  assert.equal(linesOf(Array.from({ length: 99 }, (_, i) => `finding ${i}`).join("\n"), 60).length, 60);
  const ward = { name: "Ward", findings: ["edema", "no effusion"] };
  assert.deepEqual([nameIn(asText(ward)), linesOf(asText(ward), 9)], ["Ward", ward.findings]);
  assert.deepEqual(withChecklist([ward], { name: " Ward ", findings: ["x"] }), [{ name: "Ward", findings: ["x"] }]);
  assert.deepEqual(readChecklists(JSON.stringify([ward])), [ward]);
  for (const wrong of [null, "", "{", "7", "{}", '[{"name": 1}]', '[{"name": "x", "findings": [1]}]', "[null]"]) assert.deepEqual(readChecklists(wrong), []);
});

// --- the table ----------------------------------------------------------------------------------------------------------------

test("the table has a row for each film and description, with cautions, model and fingerprint; no cell is a formula", () => {
  const by = { model: "afloc-mini 0.8", fingerprint: "abc" };
  const flagged = answer({ text: "edema", cautions: ["Careful, now.", "And \"again\"."], side: { named: "left", seen: "right", agrees: false }, holds: false, asked: { name: "edema" } });
  const rows = toCsv([
    { name: "=cmd()|x", problem: "", answers: new Map([["edema", flagged]]) }, { name: "b.png", problem: "This is not an image.", answers: new Map() },
  ], ["edema"], by).split("\r\n");
  assert.equal(rows.length, 4);
  assert.equal(rows[1], "'=cmd()|x,edema,edema,flagged,0.93,0.22,false,left,right,flagged 0.93,\"Careful, now. And \"\"again\"\".\",afloc-mini 0.8,abc,");
  assert.equal(rows[2], "b.png,edema,,,,,,,,,,,,This is not an image.");
});

// --- the sentence for a report -----------------------------------------------------------------------------------------------

const MODEL = { model: "afloc-mini 0.8" };
const END = "Research use only, not for diagnosis.";

test("a sentence for the report says the side that is seen, the verdict, whose it is, and every caution", () => {
  const sided = (seen, agrees) => answer({ side: { named: "left", seen, agrees }, holds: agrees });
  assert.equal(reportSentence(sided("left", true), MODEL), `Pleural effusion, seen on the patient’s left: flagged by afloc-mini 0.8, probability 0.93. ${END}`);
  assert.equal(reportSentence(sided("right", false), MODEL), `Pleural effusion, seen on the patient’s right (asked: left): flagged by afloc-mini 0.8, probability 0.93. ${END}`);
  assert.equal(reportSentence(sided(null, null), MODEL), `Pleural effusion (side not decided; asked: left): flagged by afloc-mini 0.8, probability 0.93. ${END}`);
  assert.equal(
    reportSentence(answer({ cautions: ["Its place is often missed."] }), { ...MODEL, orientation: ASSUMED, frame: 2 }),
    `Frame 3. Pleural effusion: flagged by afloc-mini 0.8, probability 0.93. Strongest on the patient’s right, in the lower third (R assumed on the left). Caution: Its place is often missed. ${END}`,
  );
  assert.equal(reportSentence(answer({ grid: [[0.1, 0.2]] }), MODEL), `Pleural effusion: flagged by afloc-mini 0.8, probability 0.93. ${END}`);      // its map is low
});

test("it is as honest where nothing is flagged, denied, doubted, or judged", () => {
  assert.equal(reportSentence(absent({ performance: PERFORMANCE }), MODEL), `Pneumothorax: not flagged by afloc-mini 0.8, probability 0.01. Misses about half of them: 54 of 100 who have it. ${END}`);
  assert.match(reportSentence(absent({ performance: { ...PERFORMANCE, reliable: false } }), MODEL), /^Pneumothorax: not judged reliably by afloc-mini 0\.8, probability 0\.01\. Misses/);
  assert.equal(reportSentence(absent({ holds: true }, { status: "denied", holds: true }), MODEL), `Pneumothorax: not flagged by afloc-mini 0.8, probability 0.01. Asked for its absence, which holds. ${END}`);
  assert.match(reportSentence(answer({ holds: false, asked: { status: "denied", holds: false } }), MODEL), /^Pleural effusion: flagged by .* Asked for its absence, which does not hold\. Research/);
  assert.equal(
    reportSentence(answer({ cautions: ["The film lies on its side."], asked: { probability: null, present: null, holds: null } }), MODEL),
    `Pleural effusion: not judged by afloc-mini 0.8, score 0.50. Caution: The film lies on its side. ${END}`,
  );
  assert.equal(reportSentence(nothing("normal", { holds: true, probability: null }), MODEL), `Nothing flagged by the scan (afloc-mini 0.8). ${END}`);
  assert.match(reportSentence(nothing("structure", { probability: null }, { name: "heart" }), MODEL), /^Heart: no verdict by afloc-mini 0\.8\. This is anatomy/);
  assert.match(reportSentence(nothing("described", { text: "hazy area", probability: null }), MODEL), /^“hazy area”: no verdict by afloc-mini 0\.8, score 0\.50\. Nothing to judge/);
  assert.equal(reportSentence(nothing("unknown"), MODEL), "");
  const both = answer({}, { name: "pneumothorax", status: "denied", probability: 0.01, present: false, holds: true });
  assert.match(reportSentence(both, MODEL), /In full: Pleural effusion: flagged 0\.93, holds; No pneumothorax: not flagged 0\.01, holds\./);
});
