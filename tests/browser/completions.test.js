// What is offered while someone types, and what a misspelt word is taken for.
import assert from "node:assert/strict";
import { test } from "node:test";

import "./dom.js";
import { complete, correct } from "../../assets/page/probe/completions.js";

const TERMS = ["pleural effusion", "pleural thickening", "effusion", "pneumothorax", "cardiomegaly", "enlarged heart", "optic disc"];
const offered = (text) => complete(text, TERMS).map(({ text: whole }) => whole);

test("the names that begin as what is typed, with what stands before it", () => {
  assert.deepEqual(offered("pleu"), ["pleural effusion", "pleural thickening"]);
  assert.deepEqual(offered("small left Pleural t"), ["small left pleural thickening"]);
  assert.deepEqual(offered("no pneu"), ["no pneumothorax"]);
  assert.deepEqual(offered("No pneumothorax, card"), ["No pneumothorax, cardiomegaly"]);
  assert.deepEqual(offered("disc"), ["optic disc"]);
});

test("nothing for a name that is there, a single letter, or words that begin none", () => {
  for (const text of ["", " ", "p", "pneumothorax", "left pleural effusion", "hazy grey area", "pneumothorax "]) assert.deepEqual(offered(text), [], text);
});

test("a misspelt name is put right where it stands", () => {
  assert.equal(correct("plural efusion", "pleural effusion"), "pleural effusion");
  assert.equal(correct("small left plural efusion, no pneumothorax", "pleural effusion"), "small left pleural effusion, no pneumothorax");
  assert.equal(correct("no pneumothorx.", "pneumothorax"), "no pneumothorax.");
  assert.equal(correct("pleuraleffusion on the left", "pleural effusion"), "pleural effusion on the left");
});

test("words of another language give way to the name", () => {
  assert.equal(correct("Erguss links", "pleural effusion"), "pleural effusion");
});
