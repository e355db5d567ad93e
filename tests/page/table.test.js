import assert from "node:assert/strict";
import { test } from "node:test";
import "./fake_page.js";
import { sortedBy, table } from "../../assay/explorer/static/table.js";

const names = (lines) => lines.map((line) => line.name);

test("lines without a value come last, whichever way round", () => {
  const lines = [{ name: "b" }, { name: null }, { name: "a" }, {}, { name: "c" }];
  assert.deepEqual(names(sortedBy(lines, "name", false)), ["a", "b", "c", null, undefined]);
  assert.deepEqual(names(sortedBy(lines, "name", true)), ["c", "b", "a", null, undefined]);
  assert.deepEqual(names(lines), ["b", null, "a", undefined, "c"]); // they themselves stay
});

test("numbers in names count as numbers, and equal lines keep their order", () => {
  const lines = ["c10", "c9", "C1"].map((name, n) => ({ name, same: 1, n }));
  assert.deepEqual(names(sortedBy(lines, "name", false)), ["C1", "c9", "c10"]);
  assert.deepEqual(
    sortedBy(lines, "same", true).map((line) => line.n),
    [0, 1, 2],
  );
  assert.deepEqual(
    sortedBy([{ n: 2 }, { n: -1 }, { n: 10 }], "n", true).map((line) => line.n),
    [10, 2, -1],
  );
});

test("a click on a head sorts by it, the next one turns it round, and both are told", async () => {
  const lines = [
    { label: "<b>a</b>", n: 1 },
    { label: "b", n: 3 },
    { label: "c", n: 2 },
  ];
  const shown = table(
    [
      { name: "Class", key: "label", show: (l) => l.label },
      { name: "Samples", key: "n", num: true, title: "How many", show: (l) => String(l.n) },
      { name: "Note", show: () => "–" },
    ],
    lines,
    { by: "n" },
  );
  const column = () => shown.querySelectorAll("td.num").map((cell) => cell.textContent);
  const told = () => shown.querySelectorAll("th").map((head) => head.getAttribute("aria-sort"));
  assert.deepEqual(column(), ["3", "2", "1"]);
  assert.deepEqual(told(), ["none", "descending", null]);
  await shown.querySelectorAll("button")[1].click();
  assert.deepEqual(column(), ["1", "2", "3"]);
  assert.deepEqual(told(), ["none", "ascending", null]);
  assert.equal(shown.querySelectorAll("button").length, 2); // a column without a key cannot be sorted by
  assert.ok(shown.textContent.includes("<b>a</b>") && shown.querySelectorAll("b").length === 0);
  assert.match(shown.textContent, /What the columns meanSamplesHow many\.$/);
});
