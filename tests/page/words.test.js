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
});

test("scores line up: 1 has two digits like 0.97", () => {
  assert.deepEqual([1, 0.967, 0].map(score), ["1.00", "0.97", "0.00"]);
});

test("a name is cut in its middle, so that what differs stays", () => {
  const cut = ["BACKGROUND_Google", "BACKGROUND_outdoor"].map((name) => middle(name, 12));
  assert.notEqual(cut[0], cut[1]);
  assert.ok(cut.every((name) => name.length === 12 && name.includes("…")));
  assert.equal(middle("short", 12), "short");
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
