import assert from "node:assert/strict";
import { test } from "node:test";
import { addReader, entryOf, mergeTruths, sameFinding } from "../../assets/page/ground_truth/truths.js";

const truth = (label, more = {}) => ({ label, boxes: [], polygons: [], runs: [], outline: [], ...more });
const labels = (list) => list.map((each) => each.label);
const never = () => false;

test("a finding is the same in other letters, and nothing is the same as nothing", () => {
  assert(sameFinding("Pleural_Effusion", "pleural effusions"));
  assert(!sameFinding("", "") && !sameFinding("Mass", "Nodule"));
});

test("masks stand beside each other and beside a table; a table takes the place of both", () => {
  const example = [truth("Effusion")], table = [truth("Nodule", { from: "a.json" })];
  const mask = [truth("nodules", { from: "m.png", mask: true }), truth("", { from: "n.png", mask: true })];
  assert.deepEqual(labels(mergeTruths(example, table, never).truths), ["Nodule"]);
  const both = mergeTruths([truth("Mass", { from: "a.json" }), ...table], mask, never);
  assert.deepEqual(labels(both.truths), ["Mass", "nodules", ""]);
  assert.equal(both.chosen, 1);
  assert.deepEqual(labels(mergeTruths(both.truths, table, never).truths), ["Nodule"]);
  const drawn = truth("Drawn by hand", { byHand: true });
  assert.deepEqual(labels(mergeTruths([drawn], mask, (each) => each.byHand).truths), ["nodules", "", "Drawn by hand"]);
});

test("a reader's marks go to the finding they name, a nameless mask to the chosen one", () => {
  const truths = [truth("Effusion"), truth("Mass")];
  const lost = addReader(truths, 1, [truth("effusion", { boxes: [[1, 2, 3, 4]] }), truth("", { runs: [5] }), truth("Edema")]);
  assert.deepEqual(lost, ["Edema"]);
  assert.deepEqual(truths.map((each) => each.readers.length), [1, 1]);
  assert.deepEqual(entryOf(truths[0]).readers, [{ boxes: [[1, 2, 3, 4]], polygons: [], runs: [] }]);
});
