// The words of each kind of answer, by what the server says of it.
import assert from "node:assert/strict";
import { test } from "node:test";

import "./dom.js";
import { figuresOf, meaningOf } from "../../assets/page/shared/performance.js";
import { strongest } from "../../assets/page/shared/place.js";
import {
  digitsOf, hasPlace, headingOf, inWords, isHeldBack, isLow, kindOf, legendOf, numberOf, phraseOf, sentencesOf, shortVerdict, sideOf, statementsOf, sureness,
} from "../../assets/page/shared/verdict.js";
import { absent, answer, ASSUMED, GRID, nothing, PERFORMANCE, statement } from "./answers.js";

const texts = (finding, shown) => sentencesOf(finding, shown).map(({ text }) => text);

test("affirmed: flagged, not flagged, not judged", () => {
  assert.deepEqual([headingOf(answer()), numberOf(answer()), legendOf(answer())], ["Pleural effusion: flagged", "0.93", "flagged from 0.22"]);
  assert.deepEqual([headingOf(absent()), numberOf(absent()), kindOf(absent())], ["Pneumothorax: not flagged", "0.01", "not-flagged"]);
  const unjudged = answer({ asked: { probability: null, present: null, holds: null } });
  assert.deepEqual([headingOf(unjudged), numberOf(unjudged), legendOf(unjudged)], ["Pleural effusion: not judged", "0.50", "score, 0 to 1"]);
  assert.deepEqual([answer(), absent(), unjudged].map(shortVerdict), ["flagged 0.93", "not flagged 0.01", "not judged 0.50"]);
});

test("a finding that nearly every case of is missed is not judged reliably, but flagged where it is", () => {
  const performance = { ...PERFORMANCE, reliable: false };
  assert.equal(headingOf(absent({ performance })), "Pneumothorax: not judged reliably");
  assert.equal(headingOf(answer({ performance })), "Pleural effusion: flagged");
  assert.equal(isHeldBack(absent({ performance })), true);
});

test("a number just below its operating point does not look equal to it", () => {
  assert.deepEqual([digitsOf(0.4, null), digitsOf(0.51, 0.5), digitsOf(0.44, 0.5), digitsOf(0.4991, 0.5), digitsOf(0.49996, 0.5)], [2, 2, 2, 3, 4]);
  assert.deepEqual([sureness({ probability: 0, score: 0.7 }), sureness({ probability: null, score: 0.7 }), sureness(null)], [0, 0.7, undefined]);
});

test("how often the verdict is right", () => {
  assert.equal(meaningOf(absent({ performance: PERFORMANCE })), "Misses about half of them: 54 of 100 who have it.");
  assert.equal(meaningOf(answer({ performance: PERFORMANCE })), "8 of 100 without it are flagged all the same.");
  assert.equal(meaningOf(answer({ performance: { ...PERFORMANCE, specificity: 0.992 } })), "1 of 100 without it is flagged all the same.");
  assert.equal(meaningOf(answer()), "");
  const [sensitivity, specificity, where] = figuresOf(absent({ performance: PERFORMANCE }));
  assert.equal(sensitivity, "Sensitivity 0.46 (0.39 to 0.53): 92 of 200 images with it are flagged.");
  assert.equal(specificity, "Specificity 0.92 (0.90 to 0.94): 920 of 1,000 images without it are not.");
  assert.match(where, /^At the operating point, 0\.22/);
});

test("a side that is named is held against the side that is seen", () => {
  const side = (named, seen, agrees, status = "affirmed") => sideOf(answer({ side: { named, seen, agrees }, asked: { status, side: named } }));
  assert.deepEqual(side("left", "right", false), { text: "Seen on the RIGHT, you named left.", caution: true });
  assert.deepEqual(side("left", "left", true), { text: "Seen on the left, as you named it.", caution: false });
  assert.deepEqual(side("both", "left", false), { text: "Seen on the LEFT, you named both sides.", caution: true });
  assert.equal(side("left", null, null), null);
  assert.deepEqual(side("left", "right", false, "denied"), { text: "Seen on the RIGHT, you named left.", caution: false });
  assert.equal(side("left", "left", true, "denied").caution, true);
});

test("a denial is answered by the finding, and told whether it holds", () => {
  const holds = absent({ text: "no pneumothorax" }, { status: "denied", holds: true }), fails = answer({ text: "no effusion", asked: { status: "denied", holds: false } });
  assert.deepEqual(texts(holds), ["You asked for its absence, which holds."]);
  assert.equal(inWords(holds), "“no pneumothorax”: you asked for its absence. Pneumothorax: not flagged, 0.01.");
  assert.equal(texts(fails)[0], "You asked for its absence, which does not hold.");
  assert.equal(inWords(fails), "“no effusion”: you asked for its absence. Pleural effusion: flagged, 0.93. That does not hold.");
  assert.deepEqual([holds, fails].map((each) => [hasPlace(each), isHeldBack(each)]), [[false, false], [false, false]]);     // what is denied has no place
});

test("what was read", () => {
  assert.equal(phraseOf(statement({ side: "both", zones: ["lower"] })), "pleural effusion, both sides, lower");
  assert.equal(phraseOf(statement({ hedged: true, side: "left" })), "possible pleural effusion, left");
  assert.equal(phraseOf(statement({ status: "denied" })), "no pleural effusion");
  assert.deepEqual(["structure", "described", "unknown", "normal"].map((status) => phraseOf(statement({ status, name: null }))), ["anatomy", "your own words", "not understood", "normal"]);
});

test("each of several statements has its own verdict", () => {
  const several = answer({ text: "a and no b" }, { status: "denied", name: "pneumothorax", probability: 0.4, present: true, holds: false }, { side: "right", holds: false }, { name: null, status: "described", probability: null, present: null, holds: null });
  assert.deepEqual(statementsOf(several), [
    { phrase: "Pleural effusion", verdict: "flagged 0.93", held: "holds", caution: false },
    { phrase: "No pneumothorax", verdict: "flagged 0.40", held: "does not hold", caution: false },
    { phrase: "Pleural effusion, right", verdict: "flagged 0.93", held: "does not hold", caution: true },
    { phrase: "Your own words", verdict: "no verdict", held: "not judged", caution: false },
  ]);
  assert.match(inWords(several), /Said in it: Pleural effusion: flagged 0\.93, holds; No pneumothorax: flagged 0\.40, does not hold; /);
  assert.deepEqual(statementsOf(answer()), []);
  const second = absent(), shown = { ...second, asked: { ...second.asked, statements: [...second.asked.statements, statement({})] } };
  assert.deepEqual([isHeldBack(second), isHeldBack(shown)], [true, false]);       // the map is of what is there
});

test("normal: nothing flagged, or what is, without a number and without a place", () => {
  const normal = nothing("normal", { holds: true, performance: { ...PERFORMANCE, ill: [], healthy: [] } });
  assert.deepEqual([headingOf(normal), numberOf(normal), shortVerdict(normal), hasPlace(normal)], ["Nothing flagged by the scan", "", "nothing flagged", false]);
  assert.equal(meaningOf(normal), "So it is for 92 of 100 healthy, 54 of 100 ill.");
  const flagged = nothing("normal", { holds: false, flagged: ["cardiomegaly", "pleural effusion"], performance: PERFORMANCE });
  assert.equal(headingOf(flagged), "Flagged: cardiomegaly and pleural effusion");
  assert.equal(meaningOf(flagged), "So it is for 46 of 100 ill, 8 of 100 healthy.");
  const many = nothing("normal", { holds: false, flagged: ["a", "b", "c", "d", "e"] });
  assert.deepEqual([headingOf(many), ...texts(many)], ["Flagged: a, b, c and 2 more", "Flagged are a, b, c, d and e."]);
  assert.equal(headingOf(nothing("normal")), "Whether it is normal: not judged");
});

test("structures and free words have a map and no verdict; what is not understood has neither", () => {
  const heart = nothing("structure", {}, { name: "heart" }), words = nothing("described"), unknown = nothing("unknown", { suggestions: ["pleural effusion"] });
  assert.deepEqual([heart, words, unknown].map(headingOf), ["Heart: no verdict", "No verdict", "Not understood"]);
  assert.deepEqual([heart, words, unknown].map(numberOf), ["", "0.50", ""]);
  assert.deepEqual([heart, words, unknown].map((each) => [hasPlace(each), isHeldBack(each)]), [[true, false], [true, false], [false, false]]);
  assert.equal(inWords(unknown), "“typed”: not understood.");
});

test("every caution travels with the answer", () => {
  const finding = answer({ cautions: ["One.", "Two."] });
  assert.equal(inWords(finding), "“typed”: Pleural effusion: flagged, 0.93. Caution: One. Caution: Two.");
});

test("a map that is low everywhere says so, one that is held back does not", () => {
  assert.deepEqual([0.49, 0.5].map((peak) => isLow(answer({ grid: [[0, peak]] }))), [true, false]);
  assert.equal(isLow(absent({ grid: [[0]] })), false);
  assert.deepEqual(texts(answer({ grid: [[0, 0.4]] })), ["The map is low everywhere, at most 0.40."]);
  assert.deepEqual(texts(absent(), { insisted: true }), ["Its map is shown all the same."]);
});

test("the strongest place is said in the patient's terms where they are known", () => {
  const said = { ...ASSUMED, source: "file", patient_right: "right" };
  assert.equal(strongest(GRID, ASSUMED), "Strongest on the patient’s right, in the lower third (R assumed on the left).");
  assert.equal(strongest(GRID, /** @type {any} */ (said)), "Strongest on the patient’s left, in the lower third.");
  assert.equal(strongest(GRID, ASSUMED, true), "Strongest in the lower third of the image.");
  assert.equal(strongest([[0, 0, 1], [0, 0, 0], [0, 0, 0]]), "Strongest in the upper right of the image.");
  assert.equal(strongest([[0, 0, 0], [0, 1, 0], [0, 0, 0]], ASSUMED), "Strongest in the centre of the image.");
  assert.equal(strongest([[0, 0, 0], [1, 0, 0], [0, 0, 0]]), "Strongest in the middle left of the image.");
});
