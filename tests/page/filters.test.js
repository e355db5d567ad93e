import assert from "node:assert/strict";
import { test } from "node:test";
import {
  conditions,
  isEmpty,
  searched,
  stroked,
  toggled,
  withKey,
  without,
} from "../../assay/explorer/static/filters.js";

const COLUMNS = [
  { key: "label", title: "Label", kind: "category" },
  { key: "scores.dark", title: "Dark", kind: "number", bounds: [0, 1] },
];

test("a filter says what holds, a condition a column", () => {
  const filter = {
    values: { label: ["cougar_face"] },
    ranges: { "scores.dark": [0.8, 1] },
    flags: ["label_issue"],
    text: 'red "big car"',
    lasso: [{}, {}],
    ids: [],
  };
  assert.deepEqual(
    conditions(filter, COLUMNS).map((one) => one.text),
    [
      "Label is cougar_face",
      "Dark ≥ 0.80",
      "flagged: Label issue",
      "has “red” and “big car”",
      "in the lasso (2 strokes)",
      "0 chosen",
    ],
  );
});

test("each condition can be lifted alone", () => {
  const filter = { values: { label: ["a"], split: ["b"] }, text: "x" };
  assert.deepEqual(without(filter, "values", "label"), { values: { split: ["b"] }, text: "x" });
  assert.deepEqual(without(without(filter, "values", "label"), "values", "split"), { text: "x" });
  assert.deepEqual(without(filter, "text"), { values: filter.values });
});

test("a lasso starts anew, adds and takes away", () => {
  const first = stroked(null, { points: [1] });
  assert.deepEqual(first, [{ points: [1] }]);
  assert.deepEqual(stroked(first, { points: [2] }, "add"), [{ points: [1] }, { points: [2], how: "add" }]);
  assert.deepEqual(stroked(first, { points: [2] }), [{ points: [2] }]);
  assert.deepEqual(stroked([], { points: [2] }, "subtract"), [{ points: [2] }]); // nothing to take away from
  assert.equal(stroked(first, null), null);
});

test("what is empty is no condition", () => {
  for (const value of [null, undefined, "", [], {}]) assert.ok(isEmpty(value));
  for (const value of [0, false, [0], { a: 1 }, "x"]) assert.ok(!isEmpty(value));
  assert.deepEqual(withKey({ a: 1 }, "a", []), {});
  assert.deepEqual(toggled(["a", "b"], "a"), ["b"]);
  assert.deepEqual(toggled(undefined, "a"), ["a"]);
});

test("words are apart, phrases together, all in lower case", () => {
  assert.deepEqual(searched('Red  "Big Car" x'), ["red", "big car", "x"]);
  assert.deepEqual(searched("  "), []);
});
