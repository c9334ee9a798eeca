// The findings of a scan, by family.
import assert from "node:assert/strict";
import { test } from "node:test";

import "./dom.js";
import { groupFindings, sharedCautions } from "../../assets/page/probe/scan.js";

const finding = (id, family, probability, present, parents = [], cautions = []) => /** @type {any} */ ({ id, name: id, family, parents, probability, present, score: 0, cautions });
const listed = (...findings) => groupFindings(findings).map(({ family, entries }) => [family, ...entries.map(({ finding: { id }, kinds }) => [id, ...kinds.map((kind) => kind.id)])]);

test("families with something flagged come first, and what is flagged first in each", () => {
  assert.deepEqual(listed(finding("a", "bone", 0.4, false), finding("b", "pleura", 0.1, false), finding("c", "pleura", 0.3, true)), [["pleura", ["c"], ["b"]], ["bone", ["a"]]]);
});

test("a narrower finding is folded under the widest of its family, unless it alone is flagged", () => {
  const opacity = (present) => finding("opacity", "airspace", 0.5, present), disease = finding("disease", "airspace", 0.4, true, ["opacity"]);
  const consolidation = finding("consolidation", "airspace", 0.3, false, ["disease", "opacity"]), edema = finding("edema", "interstitial", 0.2, false, ["opacity"]);
  assert.deepEqual(listed(opacity(true), disease, consolidation, edema), [["airspace", ["opacity", "disease", "consolidation"]], ["interstitial", ["edema"]]]);
  assert.deepEqual(listed(opacity(false), disease, consolidation)[0], ["airspace", ["disease"], ["opacity", "consolidation"]]);
});

test("what is to be said of every finding is said once", () => {
  assert.deepEqual(sharedCautions([finding("a", "x", 0, false, [], ["all", "own"]), finding("b", "x", 0, false, [], ["all"])]), ["all"]);
  assert.deepEqual(sharedCautions([]), []);
});
