import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Node, serve } from "./fake_page.js";
import { page } from "../../assay/explorer/static/context.js";
import { SHEETS_OF } from "../../assay/explorer/static/sheets.js";
import { SHEETS, showTables } from "../../assay/explorer/static/tables.js";
import { fresh, state } from "../../assay/explorer/static/state.js";

const HOSTILE = "<i>x</i>";
let tables, changes;
const table = (columns, ...rows) => ({ columns, rows, total: rows.length });

async function sheet(name, meta = {}) {
  serve((path) => tables[path.match(/table\/(\w+)/)?.[1] ?? "confusion"] ?? table([]));
  const node = new Node("div");
  node.append(...[await SHEETS_OF[name]({ number: 1, label_separator: "", ...meta })].flat());
  return node;
}
const rows = (node) =>
  node.querySelectorAll("tbody")[0].children.map((row) => row.children.map((cell) => cell.textContent));

beforeEach(() => {
  [tables, changes] = [{ confusion: { total: 0 } }, []];
  Object.assign(state, fresh());
  Object.assign(page, { meta: { number: 1 }, change: (next) => changes.push(next) });
});

test("every sheet of an empty snapshot says that there is nothing, none fails", async () => {
  for (const [name] of SHEETS) assert.ok((await sheet(name)).textContent.length > 10, name);
  assert.equal(
    (await sheet("annotators")).textContent,
    "The source does not say who labelled what (set [metrics] annotator in the spec).",
  );
});

test("a class leads to its samples; where labels are sets, to all that carry it", async () => {
  const line = [HOSTILE, 1200, 0.034, 12, null, 0.5, -0.25, null, 1, 0];
  tables.classes = table(
    [
      "label",
      "n",
      "noise",
      "n_issues",
      "probe_accuracy",
      "purity",
      "separability",
      "overlap_label",
      "coverage",
      "imbalance",
    ],
    line,
  );
  const plain = await sheet("classes");
  assert.deepEqual(rows(plain), [[HOSTILE, "1,200", "3.4%", "12", "–", "50%", "−0.25", "–", "100%", "0.00"]]);
  const [name, flagged] = plain.querySelectorAll("button.link");
  await name.click();
  await flagged.click();
  assert.deepEqual(
    changes.map((next) => next.filter),
    [{ values: { label: [HOSTILE] } }, { values: { label: [HOSTILE] }, flags: ["label_issue"] }],
  );
  const [set] = (await sheet("classes", { label_separator: "|" })).querySelectorAll("button.link");
  await set.click();
  assert.deepEqual(changes.pop().filter, { carries: [HOSTILE] });
});

test("noise is told between two classes only, the most samples first", async () => {
  const columns = ["label", "true_label", "rate", "rate_low", "rate_high", "count"];
  tables.label_noise = table(
    columns,
    ["a", "a", 0.9, 0, 1, 90],
    ["a", "b", 0.1, 0.05, 0.2, 2.25],
    ["b", "a", 0.3, 0, 1, 7],
    ["c", "a", 0, 0, 0, 0],
  );
  assert.deepEqual(rows(await sheet("noise")), [
    ["b", "a", "30%", "0% – 100%", "7.0"],
    ["a", "b", "10%", "5.0% – 20%", "2.3"],
  ]);
});

test("a group names the issues that are far more frequent in it, and no others", async () => {
  tables.groups = table(
    [
      "column",
      "value",
      "n",
      "label_issue_rate",
      "outlier_rate",
      "duplicate_rate",
      "probe_auc",
      "probe_accuracy",
    ],
    ["camera", "A7", 40, 0.1, 0, 0, 0.75, 0.9],
    ["camera", "EOS", 9, null, 0, 0, null, null],
  );
  tables.group_issues = table(
    ["column", "value", "metric", "n_issues", "rate", "rate_elsewhere"],
    ["camera", "A7", "dark", 8, 0.2, 0.1],
    ["camera", "A7", "blurry", 4, 0.9, 0.1],
    ["camera", "A7", "odd_size", 9, 0.19, 0.1],
    ["lens", "A7", "bright", 9, 0.5, 0],
  );
  const found = rows(await sheet("groups"));
  assert.equal(found[0].at(-1), "Dark 20%, elsewhere 10%");
  assert.deepEqual(found[1].slice(1, 9), ["EOS", "9", "–", "0%", "0%", "–", "–", "–"]);
});

test("rejects are listed by reason, the bytes of a file as a person reads them, and what is not shown is said", async () => {
  tables.rejects = {
    ...table(
      ["uri", "sample_id", "reason", "detail", "stage"],
      ["a.jpg", null, "not_an_image", "begins with b'<!doctyp'", "clean"],
      [null, "s/1", "truncated", null, "clean"],
      ["c.jpg", null, "truncated", HOSTILE, "clean"],
    ),
    total: 1200,
  };
  const node = await sheet("rejects");
  assert.match(node.textContent, /^1,200 files were not carried on\. The first 3 are shown/);
  assert.deepEqual(
    node.querySelectorAll("button.pill").map((one) => one.textContent),
    ["All reasons3", "Truncated2", "Not an image1"],
  );
  assert.deepEqual(rows(node)[0].slice(0, 3), ["a.jpg", "Not an image", "begins with “<!doctyp”"]);
  await node.querySelectorAll("button.pill")[1].click();
  assert.deepEqual(
    rows(node).map((row) => row[0]),
    ["s/1", "c.jpg"],
  );
  assert.equal(node.querySelectorAll("i").length, 0);
});

test("checks say whether they are fine, not by a colour alone", async () => {
  tables.embedding_health = table(
    ["check", "value", "wanted", "ok", "note"],
    ["index_recall_at_10", 0.9, ">= 0.95", false, null],
    ["nan", 0, "== 0", true, "of vectors"],
  );
  tables.dataset_metrics = table(["metric", "value", "note"], ["n_samples", 1200, null]);
  assert.deepEqual(rows(await sheet("health")), [
    ["✕ not fine", "Index recall at 10", "0.90", "≥ 0.95", "–"],
    ["✓ fine", "NaN", "0", "= 0", "of vectors"],
  ]);
});

test("an address with a sheet that there is not opens the first", async () => {
  state.sheet = "no such";
  serve(() => table([]));
  const host = new Node("div");
  await showTables(host);
  assert.equal(
    host.querySelectorAll("button").filter((tab) => tab.getAttribute("aria-selected") === "true")[0]
      .textContent,
    "Classes",
  );
  assert.match(host.textContent, /No sample has a label\.$/);
});
