import assert from "node:assert/strict";
import { test } from "node:test";
import {
  counted,
  figure,
  middle,
  number,
  percent,
  score,
  seen,
  shares,
  tie,
  words,
} from "../../assay/explorer/static/words.js";

test("numbers are written as a person would", () => {
  assert.equal(number(1234567), "1,234,567");
  assert.equal(number(null), "–");
  assert.equal(figure(0.04567), "0.046");
  assert.equal(figure(12.345), "12.3");
  assert.equal(figure(-0.2), "−0.20");
  assert.equal(figure(123456.7), "123,457");
  assert.equal(figure(NaN), "–");
  assert.equal(percent(0.034), "3.4%");
  assert.equal(percent(0), "0%");
  assert.equal(percent(1), "100%");
  assert.deepEqual([0.99, 0.9984, 0.99999, 0.0001].map(percent), [
    "99%",
    "99.8%",
    "over 99.9%",
    "under 0.1%",
  ]);
});

test("scores line up: 1 has two digits like 0.97, and nothing is minus zero", () => {
  assert.deepEqual([1, 0.967, 0, -0.004].map(score), ["1.00", "0.97", "0.00", "0.00"]);
});

test("what is one within its digits is written as one", () => {
  assert.deepEqual([1, 0.999998, 1.004, 0.99, 0.004].map(figure), ["1", "1", "1", "0.99", "0.0040"]);
});

test("names of methods are spelt as their makers do", () => {
  assert.equal(words("projection_umap_units"), "Projection UMAP units");
  assert.equal(words("label_issue"), "Label issue");
});

test("what ties copies, and how many of the neighbours are what, in words", () => {
  assert.equal(tie("perceptual"), "look the same");
  assert.equal(tie("a_new_tier"), "a new tier");
  const of = (n, ...counts) => shares(n, counts);
  assert.equal(of(8, ["cat", 8], ["dog", 0]), "All 8 are cat.");
  assert.equal(of(8, ["cat", 6], ["dog", 1]), "6 of 8 are cat, 1 is dog.");
  assert.equal(of(8, ["cat", 0], ["dog", 0]), "None of 8 is cat, none is dog.");
  assert.equal(of(8), "");
});

test("a name is cut in its middle, so that what differs stays", () => {
  const cut = ["BACKGROUND_Google", "BACKGROUND_outdoor"].map((name) => middle(name, 12));
  assert.notEqual(cut[0], cut[1]);
  assert.ok(cut.every((name) => name.length === 12 && name.includes("…")));
  assert.equal(middle("short", 12), "short");
  assert.equal(middle("😀".repeat(9), 5), "😀😀…😀😀"); // no half of a character
  assert.equal(middle(null, 5), "");
});

test("one is one, and none is many", () => {
  assert.deepEqual(
    [0, 1, 2].map((n) => counted(n, "class", "classes")),
    ["0 classes", "1 class", "2 classes"],
  );
});

test("marks that turn text round are shown, not obeyed", () => {
  assert.equal(seen("\u202egnp.exe"), "\ufffdgnp.exe");
  assert.equal(seen(7), 7);
  assert.equal(words("label_issue"), "Label issue");
});
