// What the tabs have in common: stored regions, reading time, ids, keys, addresses, numbers in words.
import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { element } from "./dom.js";
import { readGrid } from "../../assets/page/probe/word_maps.js";
import { number } from "../../assets/page/shared/dom.js";
import { toRegion, toShape } from "../../assets/page/shared/regions.js";
import { makeId, notSaved } from "../../assets/page/shared/saving.js";
import { Refusal, addressOf, askAbout, post, refusalOf } from "../../assets/page/shared/server.js";
import { IDLE, createStopwatch } from "../../assets/page/shared/stopwatch.js";
import { watchKeys } from "../../assets/page/shared/tab_events.js";

const BOX = { x: 1.234, y: 2, width: 3.999, height: 4 };

test("a box is stored to the hundredth of a pixel and comes back", () => {
  const region = toRegion({ kind: "box", ...BOX });
  assert.deepEqual(region, { box: [1.23, 2, 4, 4] });
  assert.deepEqual(toShape(region), { kind: "box", x: 1.23, y: 2, width: 4, height: 4 });
});

test("an outline is stored by its outer ring and comes back", () => {
  const ring = [[0, 0], [10, 0], [10, 5.004]];
  const region = toRegion({ kind: "outline", x: 0, y: 0, width: 10, height: 5, rings: [ring, [[1, 1], [2, 2], [1, 2]]] });
  assert.deepEqual(region, { outline: [[0, 0], [10, 0], [10, 5]] });
  assert.deepEqual(toShape(region), { kind: "outline", x: 0, y: 0, width: 10, height: 5, rings: [region.outline] });
});

test("an outline of two points is stored as its box", () => {
  assert.deepEqual(toRegion({ kind: "outline", x: 0, y: 0, width: 1, height: 1, rings: [[[0, 0], [1, 1]]] }), { box: [0, 0, 1, 1] });
});

test("only the time on the screen counts", () => {
  let now = 0, show, hide;
  mock.method(performance, "now", () => now);
  globalThis.IntersectionObserver = /** @type {any} */ (class { constructor(tell) { show = (isIntersecting) => tell([{ isIntersecting }]); } observe() {} });
  Object.assign(document, { visibilityState: "visible", addEventListener: (name, listener) => { if (name === "visibilitychange") hide = (state) => { Object.assign(document, { visibilityState: state }); listener(); }; } });
  const stopwatch = createStopwatch(/** @type {any} */ (element()));
  const wait = (time) => { now += time; };
  wait(100);
  show(true);
  wait(50);
  hide("hidden");
  wait(1000);
  hide("visible");
  wait(7);
  assert.equal(stopwatch.read(), 57);
  show(false);
  wait(1000);
  assert.equal(stopwatch.read(), 57);
  stopwatch.restart(20);
  show(true);
  show(true);
  wait(3.4);
  assert.equal(stopwatch.read(), 23);
  mock.restoreAll();
});

test("without pointer or key the clock of who is there stops after two minutes", () => {
  let now = 0, show;
  const hear = {};
  mock.method(performance, "now", () => now);
  globalThis.IntersectionObserver = /** @type {any} */ (class { constructor(tell) { show = (isIntersecting) => tell([{ isIntersecting }]); } observe() {} });
  Object.assign(document, { visibilityState: "visible", addEventListener: (name, listener) => { hear[name] = listener; } });
  const stopwatch = createStopwatch(/** @type {any} */ (element()));
  const wait = (time) => { now += time; }, both = () => Object.values(stopwatch.readBoth());
  show(true);
  wait(IDLE - 1000);
  hear.keydown();
  assert.deepEqual(both(), [IDLE - 1000, IDLE - 1000]);
  wait(3_600_000);
  assert.deepEqual(both(), [3_600_000 + IDLE - 1000, 2 * IDLE - 1000]);
  hear.pointermove();
  wait(5000);
  assert.deepEqual(both(), [3_605_000 + IDLE - 1000, 2 * IDLE + 4000]);
  show(false);
  wait(9000);
  show(true);
  wait(100);
  assert.deepEqual(both(), [3_605_100 + IDLE - 1000, 2 * IDLE + 4100]);
  stopwatch.restart(700, 300);
  wait(50);
  assert.deepEqual(both(), [750, 350]);
  stopwatch.restart(0.4, 0.4);
  mock.method(performance, "now", () => (now += 0.3));      // time goes on while the clocks are read
  for (let i = 0; i < 50; i++) {
    const { visible_ms, active_ms } = stopwatch.readBoth();
    assert.ok(active_ms <= visible_ms);
  }
  mock.restoreAll();
});

test("ids are random UUIDs of version 4", () => {
  const ids = Array.from({ length: 20 }, makeId);
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(ids).size, 20);
});

test("what was not saved is said once", () => {
  assert.equal(notSaved("Not saved: no."), "Not saved: no.");
  assert.equal(notSaved("No."), "Not saved: No.");
});

test("the routes are where the scripts come from, below a path too", () => {
  const here = new URL("../../assets/page/shared/server.js", import.meta.url).href;     // as …/afloc/page/VERSION/shared/server.js
  assert.equal(addressOf("images"), here.replace(/[^/]+\/[^/]+\/[^/]+\/server\.js$/, "images"));
});

test("a refusal brings the server's sentence, or another where there is none", async () => {
  const answers = [Response.json({ error: "No." }, { status: 422 }), new Response("<html>", { status: 502 }), new Response("fine")];
  mock.method(globalThis, "fetch", async () => answers.shift());
  await assert.rejects(post("x", "", "Otherwise."), (error) => error instanceof Refusal && error.message === "No.");
  await assert.rejects(post("x", "", "Otherwise."), (error) => error instanceof Refusal && error.message === "Otherwise.");
  assert.equal(await (await post("x", "", "Otherwise.")).text(), "fine");
  mock.restoreAll();
});

test("what the server refuses for now may be asked again, whatever its sentence says", () => {
  const final = (status) => refusalOf("The disk is full.", status).final;
  assert.deepEqual([422, 404, 503, 500, 429, 403, 410].map(final), [true, true, false, false, false, false, false]);
  assert.ok(refusalOf("Gone.", 410).gone && !refusalOf("Busy.", 503).gone);
});

test("an image that the server dropped is sent again, once, and asked about again", async () => {
  const sent = [], image = { token: "old", source: { example: "x" }, about: null };
  mock.method(globalThis, "fetch", async (address) => { sent.push(address); return new Response("", { headers: { "X-AFLoc-Image": '{"token":"new"}' } }); });
  const ask = async (token) => (token === "new" ? { answer: 1 } : { gone: true });
  const replies = await Promise.all([askAbout(/** @type {any} */ (image), () => true, ask), askAbout(/** @type {any} */ (image), () => true, ask)]);
  assert.deepEqual(replies, [{ answer: 1 }, { answer: 1 }]);
  assert.equal(sent.length, 1);
  mock.restoreAll();
});

function watch({ active = true, press = () => false } = {}) {
  const listeners = {}, did = [];
  Object.assign(document, { addEventListener: (name, listener) => { listeners[name] = listener; }, querySelector: () => null });
  globalThis.window = /** @type {any} */ ({ addEventListener: (name, listener) => { listeners[name] = listener; } });
  const viewer = /** @type {any} */ ({ key: ({ key }) => { did.push(`viewer ${key}`); return key === "f"; }, actions: { peek: (on) => did.push(`peek ${on}`) } });
  watchKeys(() => active, viewer, { s: () => did.push("own s") }, press);
  const type = (key, more = {}) => {
    const event = { key, target: { closest: () => null }, prevented: false, preventDefault() { event.prevented = true; }, ...more };
    listeners.keydown(event);
    return event.prevented;
  };
  return { listeners, did, type };
}

test("keys go to the tab, then to what else takes them, then to the viewer", () => {
  const { did, type } = watch({ press: ({ key }) => key === "1" });
  assert.deepEqual([type("s"), type("1"), type("f"), type("q")], [true, true, true, false]);
  assert.deepEqual(did, ["own s", "viewer f", "viewer q"]);
});

test("keys of the browser and of text fields are left alone", () => {
  const { did, type } = watch();
  assert.equal(type("s", { ctrlKey: true }), false);
  assert.equal(type("s", { target: { closest: () => "textarea" } }), false);
  assert.deepEqual(did, ["viewer s"]);
});

test("keys of a tab that is not shown do nothing", () => {
  const { did, type } = watch({ active: false });
  assert.deepEqual([type("s"), did], [false, []]);
});

test("Enter counts once, however long it is held", () => {
  let answered = 0;
  const { type } = watch({ press: () => Boolean(++answered) });
  assert.deepEqual([type("Enter"), type("Enter", { repeat: true }), answered], [true, true, 1]);
});

test("the look beneath the map ends with the key, and where the window is left with the key held", () => {
  const { listeners, did } = watch();
  listeners.keyup({ key: "h" });
  listeners.keyup({ key: "x" });
  listeners.blur();
  assert.deepEqual(did, ["peek false", "peek false"]);
});

test("a word's map is read row by row", () => {
  assert.deepEqual(readGrid("00ff33ff0000", 3), [[0, 1, 0.2], [1, 0, 0]]);
});

test("numbers in tables have a true minus sign, and a dash where there is none", () => {
  assert.deepEqual([number(-0.5), number(0.12345, 2), number(null), number(undefined)], ["−0.500", "0.12", "–", "–"]);
});
