import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { at, Node, serve, settled, toasted } from "./fake_page.js";
import { page } from "../../assay/explorer/static/context.js";
import { faceOf } from "../../assay/explorer/static/faces.js";
import { explainEmpty, FilterBar } from "../../assay/explorer/static/filterbar.js";
import { Histogram } from "../../assay/explorer/static/histogram.js";
import { Legend } from "../../assay/explorer/static/legend.js";
import { duplicates, leaks } from "../../assay/explorer/static/lists.js";
import { confusionSheet } from "../../assay/explorer/static/matrix.js";
import { fresh, state } from "../../assay/explorer/static/state.js";
import { openViews } from "../../assay/explorer/static/views.js";

const HOSTILE = "<script>alert(1)</script>";
const COLUMNS = [
  { key: "label", title: "Label", kind: "category" },
  { key: "scores.dark", title: "Dark", kind: "number" },
];
let changes;
const said = (node, selector) => node.querySelectorAll(selector).map((one) => one.textContent);
const named = (node, name) =>
  node
    .querySelectorAll("button")
    .find((one) => one.title?.startsWith(name) || one.textContent.startsWith(name));

beforeEach(() => {
  changes = [];
  Object.assign(state, fresh());
  Object.assign(page, {
    meta: { number: 1, dataset: "toy", columns: COLUMNS, face: "picture", has_thumbnails: true },
    change: (next) => changes.push(next),
    setFilter: (key, value) => changes.push([key, value]),
  });
});

test("a view is said to be saved only where it was", async () => {
  serve((path, body) => (body ? Response.json({ error: "no space left" }, { status: 409 }) : { views: [] }));
  await openViews(at("star"));
  const [form] = at("menu").querySelectorAll("form");
  form.querySelector("input").value = " mine ";
  await form.fire("submit");
  assert.equal(toasted(), "no space left");
  const asked = serve(() => ({ views: [] }));
  await form.fire("submit");
  assert.equal(toasted(), "Saved as mine.");
  assert.deepEqual(
    [asked[0][1].name, asked[0][1].state.s, asked[0][1].state.i],
    ["mine", undefined, undefined],
  );
});

test("a view that could not be removed is still there, and one that anybody saved opens", async () => {
  const views = [
    { name: HOSTILE, who: "me", at: "today", state: { p: "map", s: 3, f: { flags: 5, text: "x" } } },
  ];
  serve((path, body) => (body ? Response.json({ error: "read-only" }, { status: 409 }) : { views }));
  await openViews(at("star"));
  await named(at("menu"), `Remove the view ${HOSTILE}`).click();
  assert.deepEqual([toasted(), said(at("menu"), "button.item").length], ["read-only", 1]);
  assert.match(at("menu").textContent, /<script>alert/);
  await at("menu").querySelector("button.item").click();
  assert.deepEqual([changes[0].page, changes[0].snapshot, changes[0].filter], ["map", null, { text: "x" }]);
});

test("the bar shows each condition with a way to lift it, and all at once where there are several", async () => {
  const bar = new FilterBar(new Node("div"));
  state.filter = {
    values: { label: [HOSTILE, null] },
    ranges: { "scores.dark": [0.5, 1] },
    similar: { id: "s" },
  };
  state.sort = "similarity";
  bar.draw();
  assert.deepEqual(said(bar.list, ".says"), [`Label is ${HOSTILE} or none`, "Dark 0.50 to 1", "like s"]);
  assert.equal(bar.list.querySelectorAll("script").length, 0);
  await named(bar.list, "Lift: like s").click();
  assert.deepEqual(changes.pop(), {
    filter: { values: state.filter.values, ranges: state.filter.ranges },
    sort: null,
  });
  await named(bar.list, "Lift: Dark").click();
  assert.deepEqual(changes.pop(), { filter: { values: state.filter.values, similar: { id: "s" } } });
  await named(bar.list, "Lift all").click();
  assert.deepEqual(changes.pop(), { filter: {} });
  state.filter = { text: "x" };
  bar.draw();
  assert.ok(!named(bar.list, "Lift all"));
});

test("words are searched in columns or by meaning, as it was chosen; nothing typed is no condition", () => {
  const bar = new FilterBar(new Node("div")),
    find = (text, how) => {
      Object.assign(bar.box, { value: text });
      bar.how.value = how;
      bar.search({ preventDefault() {} });
      return changes.pop();
    };
  page.meta.has_words = true;
  assert.deepEqual(find("  red car ", "text"), ["text", "red car"]);
  assert.deepEqual(find("red", "words"), ["words", { text: "red", k: 200 }]);
  assert.deepEqual(find("   ", "words"), ["text", ""]);
  page.meta.has_words = false;
  assert.deepEqual(find("red", "words"), ["text", "red"]);
});

test("a range whose low box is left alone keeps the smallest sample", async () => {
  const least = Math.fround(0.123456789);
  serve(() => ({ facets: [{ key: "scores.dark", low: least, high: 1 }] }));
  const bar = new FilterBar(new Node("div"));
  await bar.edit(at("from"), { key: "ranges", name: "scores.dark" });
  const [low, high] = at("menu").querySelectorAll("input");
  assert.deepEqual([low.value, high.value], ["0.123457", "1"]);
  high.value = "0.5";
  await at("menu").querySelector("form").fire("submit");
  assert.deepEqual(changes.pop(), ["ranges", { "scores.dark": [least, 0.5] }]);
  COLUMNS[1].bounds = undefined;
});

test("an empty result names the conditions that are to blame, those that show most first", async () => {
  serve(() => ({
    lifts: [
      { key: "text", name: null, n: 2 },
      { key: "values", name: "label", n: 40 },
      { key: "flags", name: null, n: 0 },
    ],
  }));
  state.filter = { text: "x", values: { label: ["cat"] }, flags: ["dark"] };
  await explainEmpty(at("empty"));
  assert.deepEqual(said(at("empty"), "li"), ["Lift “Label is cat” 40 samples", "Lift “has “x”” 2 samples"]);
  serve(() => ({ lifts: [] }));
  await explainEmpty(at("empty"));
  assert.match(at("empty").textContent, /No single one of them is to blame/);
  state.filter = {};
  await explainEmpty(at("empty"));
  assert.equal(at("empty").textContent, "There are no samples.");
});

const FACET = {
  key: "label",
  kind: "category",
  names: ["cat", "dog", HOSTILE],
  counts: [5, 3, 2],
  selected: [5, 0, 1],
};

function legend(facet = {}, filter = {}) {
  const calls = [],
    told =
      (what) =>
      (...given) =>
        calls.push([what, ...given]);
  const shown = new Legend({ values: told("values"), hide: told("hide"), flag: told("flag") });
  shown.show({ ...FACET, none: 4, none_selected: 1, ...facet }, COLUMNS[0], filter, [
    { metric: "dark", issues: 9 },
  ]);
  const row = (name) =>
    shown.node.querySelectorAll("button.class-name").find((one) => one.textContent.includes(name));
  return { shown, calls, row, names: () => said(shown.node, "span.name") };
}

test("the legend lists what the selection holds first, the samples without a name last", () => {
  const { names, row } = legend({ selected: [0, 0, 2] });
  assert.deepEqual(names(), [HOSTILE, "cat", "dog", "none"]);
  assert.match(row("cat").textContent, /0 \/ 5$/);
  assert.deepEqual(legend({ selected: [5, 3, 2] }).names(), ["cat", "dog", HOSTILE, "none"]);
  assert.deepEqual(legend({ none: 0 }).names().at(-1), "dog");
});

test("a click isolates a class, another one lifts that, Ctrl adds; the eye hides", async () => {
  const { row, calls } = legend();
  await row("cat").click();
  await row("none").fire("click", { ctrlKey: true });
  assert.deepEqual(calls, [
    ["values", "label", ["cat"]],
    ["values", "label", [null]],
  ]);
  const alone = legend({}, { values: { label: ["cat"] } });
  await alone.row("cat").click();
  await alone.row("dog").fire("click", { shiftKey: true });
  assert.deepEqual(alone.calls, [
    ["values", "label", []],
    ["values", "label", ["cat", "dog"]],
  ]);
  const hidden = legend({}, { hidden: { label: ["dog"] } });
  await named(hidden.shown.node, "Show dog").click();
  await named(hidden.shown.node, "Hide cat").click();
  assert.deepEqual(hidden.calls, [
    ["hide", "label", "dog", false],
    ["hide", "label", "cat", true],
  ]);
});

test("an issue in the legend stands for all that it flags, not for those where it is the worst", async () => {
  const { row, calls } = legend({ key: "issue", names: ["dark"], counts: [3], selected: [3] });
  assert.match(row("Dark").textContent, /9$/);
  await row("Dark").click();
  assert.deepEqual(calls, [["flag", "dark", true]]);
});

test("two hundred thousand classes are a legend of fourteen, and are found by their letters", async () => {
  const names = Array.from({ length: 200_000 }, (_, n) => `class ${n}`),
    counts = names.map((_, n) => 200_000 - n);
  const { shown, names: told } = legend({ names, counts, selected: counts, none: 0 });
  assert.equal(told().length, 14);
  assert.equal(shown.more.textContent, "Show all 200,000");
  shown.search.value = "SS 19999";
  await shown.search.fire("input");
  assert.equal(told()[0], "class 19999");
  assert.equal(told().length, 11);
});

test("a slider that is moved asks for the range it shows; both at their ends ask for none", () => {
  const ranges = [],
    low = Math.fround(0.123456789);
  const shown = new Histogram(COLUMNS[1], (range) => ranges.push(range));
  shown.show({ low, high: 2, counts: [4, 0, 9], selected: [1, 0, 9], none: 3 }, undefined, true);
  assert.match(shown.ends.textContent, /^0\.123 without2$/);
  shown.upper.value = 1;
  shown.move(shown.upper);
  shown.upper.value = 2;
  shown.move(shown.upper);
  shown.lower.value = 5; // beyond the other one
  shown.move(shown.lower);
  assert.deepEqual(ranges, [[low, 1], null, [2, 2]]);
  assert.equal(+shown.lower.value, 2);
  assert.equal(shown.bars.children.length, 6);
  clearTimeout(shown.rest);
});

test("a matrix has a cell a pair, its strongest marked, its names whole in the titles", async () => {
  const picked = [];
  const about = {
    says: (n) => `${n} wrong.`,
    none: "none",
    verb: "look like",
    on: () => false,
    pick: (...pair) => picked.push(pair),
  };
  const classes = [HOSTILE, "b"],
    cells = [
      [HOSTILE, "b", 8],
      ["b", HOSTILE, 1],
    ];
  const shown = confusionSheet({ classes, cells, total: 9, left_out: 3 }, about);
  assert.match(shown.textContent, /^9 wrong\. 3 classes with fewer are left out\./);
  const [strong, weak] = shown.querySelectorAll("button.cell");
  assert.ok(strong.classList.contains("strong") && !weak.classList.contains("strong"));
  assert.equal(strong.title, `8 labelled ${HOSTILE} that look like b`);
  await weak.click();
  await shown.querySelector("button.confused").click();
  assert.deepEqual(picked, [
    ["b", HOSTILE],
    [HOSTILE, "b"],
  ]);
  assert.equal(confusionSheet({ classes: [], cells: [], total: 0, left_out: 0 }, about).textContent, "none");
});

const CARD = { label: "cat", issues: [], text: "t" };

test("groups of copies come in pages, each with its ties in words and what can be decided", async () => {
  const members = [
    { ...CARD, row: 0, id: "a", keep: true, tier: "pixels" },
    { ...CARD, row: 1, id: "b", keep: false, tier: "mirrored", similarity: 0.9 },
  ];
  const asked = serve((path, { offset }) => ({
    total: 31,
    groups: offset ? [{ n: 2, members }] : Array(30).fill({ n: 2, members }),
  }));
  const node = await duplicates({ meta: page.meta, filter: { text: "x" }, open() {} });
  assert.match(
    node.textContent,
    /^31 groups of duplicates; the kept one comes first\.Review2 samplesmirroredDrop copies/,
  );
  await node.querySelector("button.more").click();
  await settled();
  assert.deepEqual(
    asked.map(([, body]) => body.offset),
    [0, 30],
  );
  assert.equal(node.querySelectorAll("div.dup").length, 31);
  assert.equal(node.querySelector("button.more"), null);
});

test("leaks are told by pair of splits, and none among the selected is not none at all", async () => {
  const leak = {
    a: { ...CARD, row: 0, id: "a", split: "train" },
    b: { ...CARD, row: 1, id: "b", split: "test" },
    tier: "bytes",
    similarity: 0.9,
  };
  const pairs = [
    ["test ↔ train", 3],
    ["train ↔ val", 1],
  ];
  const asked = serve((_, { pair }) =>
    pair ? { total: 0, pairs, leaks: [] } : { total: 1, pairs, leaks: [leak] },
  );
  const node = await leaks({ meta: page.meta, filter: {}, open() {} });
  assert.deepEqual(said(node, "button.pill"), ["All splits4", "test ↔ train3", "train ↔ val1"]);
  assert.match(node.textContent, /traincattestcatthe same filealike 0\.90$/);
  await node.querySelectorAll("button.pill")[2].click();
  await settled();
  assert.equal(asked.at(-1)[1].pair, "train ↔ val");
  assert.match(node.textContent, /None among the selected samples\.$/);
  serve(() => ({ total: 0, pairs: [], leaks: [] }));
  assert.equal(
    (await leaks({ meta: page.meta, filter: {}, open() {} })).textContent,
    "No sample has a duplicate in another split.",
  );
});

test("two texts that differ behind what a card shows are not said to be the same", async () => {
  const face = faceOf({ face: "text" }),
    cut = "word ".repeat(120);
  serve((path) => ({ text: `${cut}${path.includes("id=a") ? "left" : "right"}` }));
  const node = await face.difference({ id: "a", text: cut }, { id: "b", text: cut }, 1);
  assert.deepEqual(said(node, "mark"), ["left", "right"]);
  const asked = serve(() => ({}));
  const same = await face.difference({ id: "a", text: "short" }, { id: "b", text: "short" }, 1);
  assert.match(same.textContent, /Word for word the same\.$/);
  assert.equal(
    (await face.difference({ id: "a", text: "" }, { id: "b" }, 1)).querySelectorAll("mark").length,
    0,
  );
  assert.equal(asked.length, 0);
});

test("a kind of sample that this page does not know is shown as what it has", () => {
  assert.equal(faceOf({ face: "dna", has_thumbnails: true }).shape, "tiles");
  assert.equal(faceOf({ face: "dna", has_thumbnails: false }).shape, "lines");
});
