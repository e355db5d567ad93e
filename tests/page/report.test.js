import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";
import vm from "node:vm";
import { at, Node } from "./fake_page.js";

const SOURCE = readFileSync(new URL("../../assay/report/report.js", import.meta.url), "utf8");
const base64 = (values) => Buffer.from(values.buffer).toString("base64");
const HOSTILE = "<img src=x onerror=alert(1)>";

// Five samples in two layouts: classes a, b and none; the second is flagged as a label issue and an outlier.
const DATA = {
  n: 5,
  methods: [
    { name: "UMAP", xy: base64(Uint16Array.of(0, 0, 65535, 0, 0, 65535, 65535, 65535, 32768, 32768)) },
    { name: "PCA", xy: base64(Uint16Array.of(9, 9, 9, 9, 9, 9, 9, 9, 9, 9)) },
  ],
  labels: [HOSTILE, "b"],
  classes: base64(Uint16Array.of(0, 0, 1, 1, 2)),
  splits: ["train", "test"],
  split: base64(Uint8Array.of(0, 0, 1, 1, 255)),
  suspicion: base64(Uint8Array.of(0, 230, 0, 10, 0)),
  outlier: base64(Uint8Array.of(0, 128, 0, 0, 255)),
  flags: base64(Uint8Array.of(0, 1 | 2 | 4, 8, 0, 2)),
  suggested: [null, "b", null, null, null],
  captions: ["", "<b>caption</b>", "", "", "five"],
  pictures: null,
};
let script, fired;

// The report's script on a page with these tables and this map.
function load({ map = null, tables = [], hash = "" } = {}) {
  for (const id of ["plot", "tip", "map-bar", "zoom", "legend"]) at(id).replaceChildren();
  const canvas = at("plot");
  canvas.getContext = () => ({});
  canvas.getBoundingClientRect = () => ({ width: 644, height: 444 });
  fired = {};
  const listen = (name, run) => (fired[name] = run);
  const world = {
    document: {
      ...document,
      createElement: (tag) => Object.assign(new Node(tag), { onclick: null, type: "", getContext: () => ({ fillRect() {} }) }),
      getElementById: (id) => (id === "map-data" ? map && { textContent: JSON.stringify(map) } : at(id)),
      querySelectorAll: (selector) => (selector === "table.sortable" ? tables : []),
      querySelector: (selector) => at(selector),
      addEventListener: listen,
    },
    addEventListener: listen,
    location: { hash },
    matchMedia: () => ({ matches: false, addEventListener() {} }),
    requestAnimationFrame: () => 1,
    ResizeObserver, atob, Uint8Array, Uint16Array, window: { devicePixelRatio: 1 }, Image: class {},
  }; // prettier-ignore
  vm.runInNewContext(`${SOURCE}; globalThis.parts = { Plot, classColor, heatColor, sortable };`, world);
  return (script = world.parts);
}

beforeEach(() => load());

test("every class has a colour of its own, and heat goes from quiet to red", () => {
  const colors = (count) => new Set(Array.from({ length: count }, (_, i) => script.classColor(i, count)));
  for (const count of [1, 20, 21, 90]) assert.equal(colors(count).size, count);
  assert.deepEqual(
    [script.heatColor(0, false), script.heatColor(255, false)],
    ["rgb(196 203 212)", "rgb(205 38 38)"],
  );
  assert.notEqual(script.heatColor(0, true), script.heatColor(0, false));
});

// A table as the report has it: a head a column, "r" where it is of numbers; cells with the value that they stand for.
function sheet(heads, rows) {
  const table = new Node("table"),
    body = new Node("tbody");
  table.heads = heads.map(([name, kind]) =>
    Object.assign(new Node("th"), { className: kind, textContent: name }),
  );
  for (const head of table.heads) head.removeAttribute = (name) => delete head.attributes[name];
  body.append(
    ...rows.map((cells) => {
      const row = new Node("tr");
      row.cells = cells.map((value) => {
        const cell = new Node("td");
        if (typeof value === "number") cell.dataset.v = String(value);
        cell.textContent = String(value);
        return cell;
      });
      return row;
    }),
  );
  Object.defineProperty(body, "rows", { get: () => body.children });
  Object.assign(table, { tBodies: [body], querySelectorAll: () => table.heads });
  return table;
}
const column = (table, n) => table.tBodies[0].rows.map((row) => row.cells[n].textContent);

test("a table is sorted by a click on a head: numbers by their size, largest first, names by their letters", () => {
  const rows = [["b", 9, "x"], ["a10", -1, "y"], ["A2", 10, "z"]]; // prettier-ignore
  const table = sheet([["Class", ""], ["Share", "r"], ["", ""]], rows); // prettier-ignore
  load({ tables: [table] });
  const [names, shares] = table.heads.map((head) => head.children[0]);
  shares.onclick();
  assert.deepEqual(column(table, 1), ["10", "9", "-1"]);
  shares.onclick();
  assert.deepEqual(column(table, 1), ["-1", "9", "10"]);
  assert.equal(table.heads[1].getAttribute("aria-sort"), "ascending");
  names.onclick();
  assert.deepEqual(column(table, 0), ["A2", "a10", "b"]);
  assert.deepEqual(
    table.heads.map((head) => head.getAttribute("aria-sort")),
    ["ascending", null, null],
  );
  assert.equal(table.heads[2].children.length, 0); // a head without a name has nothing to press
});

test("the map offers the colours that it has values for, and its layouts where there are several", () => {
  load({ map: DATA });
  const bar = () =>
    at("map-bar")
      .querySelectorAll("button")
      .map((one) => one.textContent);
  assert.deepEqual(bar(), ["Class", "Label suspicion", "Outlier score", "Split", "UMAP", "PCA"]);
  const none = base64(new Uint8Array(5));
  load({
    map: {
      ...DATA,
      labels: [],
      splits: [],
      suspicion: none,
      outlier: none,
      methods: DATA.methods.slice(0, 1),
    },
  });
  assert.deepEqual(bar(), []);
});

test("what is under the pointer is told as text: class, suggestion, caption, what is wrong", () => {
  load();
  const plot = new script.Plot(DATA),
    tip = at("tip"),
    told = (i) => (plot.show(i, 10, 10), tip.textContent);
  assert.equal(told(1), `${HOSTILE} → b<b>caption</b>suspicion 0.90 · outlier 0.50 · duplicate`);
  assert.equal(told(2), "bleak");
  assert.equal(told(4), "fiveoutlier 1.00");
  assert.ok(tip.querySelectorAll("img, script").length === 0 && !tip.hidden);
  plot.show(null);
  assert.ok(tip.hidden);
});

test("the nearest sample is found wherever the map was moved and zoomed to", () => {
  const plot = new script.Plot(DATA);
  for (const [by, dx] of [[1, 0], [3, 40], [0.5, -90]]) {
    plot.zoom(by, 200, 100);
    plot.move(dx, 7);
    for (let i = 0; i < 5; i++) {
      const [x, y] = plot.at(i, plot.frame());
      assert.equal(plot.nearest(x + 3, y - 3), i);
    }
  }
  assert.equal(plot.nearest(-5000, -5000), null);
  plot.state.layout = 1; // where all lie on one place
  assert.ok(plot.at(0, plot.frame()).every(Number.isFinite));
}); // prettier-ignore

test("a zoom leaves the place under the pointer where it is, and has an end", () => {
  const plot = new script.Plot(DATA),
    place = () => plot.at(3, plot.frame());
  const [x, y] = place();
  plot.zoom(4, x, y);
  place().forEach((value, at) => assert.ok(Math.abs(value - [x, y][at]) < 1e-6));
  for (let n = 0; n < 50; n++) plot.zoom(2);
  assert.equal(plot.view.k, 60);
});

test("the legend isolates a class and lifts that; suspicious samples and the isolated lie on top", async () => {
  const plot = new script.Plot(DATA),
    buttons = () => at("legend").querySelectorAll("button");
  assert.deepEqual(
    buttons().map((one) => one.textContent),
    [`${HOSTILE}2`, "b2"],
  );
  buttons()[1].onclick();
  assert.deepEqual(
    [plot.state.only, buttons().map((one) => one.getAttribute("aria-pressed"))],
    [1, ["false", "true"]],
  );
  assert.deepEqual([...plot.order()].slice(-2), [2, 3]);
  buttons()[1].onclick();
  assert.equal(plot.state.only, null);
  plot.state.mode = "suspicion";
  assert.deepEqual([...plot.order()].slice(-2), [3, 1]);
  plot.legend();
  assert.match(at("legend").textContent, /^0 clean1 surely an issueRinged: flagged as a label issue\.$/);
});

test("a link to a folded section opens it, and so does an address", () => {
  const fold = Object.assign(new Node("details"), { open: false });
  const section = at("rejects");
  section.querySelector = () => fold;
  load({ hash: "#rejects" });
  assert.ok(fold.open);
  load({ hash: "#no-such" }); // nothing to open
  const there = Object.assign(at("#labels details.fold"), { open: false });
  const link = Object.assign(new Node("a"), { attributes: { href: "#labels" } });
  fired.click({ target: { closest: () => link } });
  assert.ok(there.open);
  fired.click({ target: { closest: () => null } });
});
