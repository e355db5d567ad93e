import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { at, EMPTY_OVERVIEW, Node, serve, settled, toasted } from "./fake_page.js";

const listeners = {};
let look, hash;

Object.assign(Node.prototype, { getContext: (kind) => (kind === "2d" ? {} : null), setPointerCapture() {} });
globalThis.addEventListener = (name, run) => (listeners[name] ??= []).push(run);
globalThis.requestAnimationFrame = () => 0;
globalThis.setInterval = (run) => (look = run); // every ten seconds: is there a new snapshot?
Object.defineProperty(location, "hash", { get: () => hash, set: (next) => (hash = next) });
history.pushState = (_, __, where) => steps.push((hash = where.startsWith("#") ? where : ""));
history.replaceState = (_, __, where) => (hash = where.startsWith("#") ? where : "");

const COLUMNS = [
  { key: "label", title: "Label", kind: "category", page: "both" },
  { key: "issue", title: "Worst issue", kind: "category", page: "both" },
  {
    key: "label_issues.score",
    title: "Label suspicion",
    kind: "number",
    page: "label",
    metric: "label_issue",
    issues: 3,
  },
  { key: "scores.dark", title: "Dark", kind: "number", page: "data", metric: "dark", issues: 0 },
];
let numbers, steps, asked, broken, fails;

const night = (number) => ({ number, created_at: `2026-01-0${number}T02:00:00`, headline: {}, parent: null });
const points = () => Uint32Array.of(1, 1, 1, 0, 0, 0, 0, 0, 0).buffer; // the header, x, y, row, and what is left of them
function answer(path, body) {
  if (fails) return Response.json({ error: "the disk is gone" }, { status: 409 });
  const [, what] = path.match(/\/api\/(?:\d+\/)?(\w+)/);
  return {
    snapshots: { dataset: "toy", snapshots: numbers.map(night), broken },
    meta: {
      number: +path.match(/\d+/)?.[0],
      dataset: "toy",
      n: 1,
      layouts: [{ method: "umap" }, { method: "pca" }],
      columns: COLUMNS,
      face: "text",
      created_at: "2026-01-01T02:00:00",
      most_points: 9,
    },
    classes: {
      classes: [
        ["cat", 1],
        ["dog", 1],
      ],
      tags: [],
    },
    names: { names: [] },
    overview: EMPTY_OVERVIEW,
    points: new Response(points()),
    facets: {
      total: 1,
      selected: 1,
      facets: (body?.columns ?? []).map((key) =>
        /score/.test(key)
          ? { key, kind: "number", low: 0, high: 1, counts: [1], selected: [1], none: 0 }
          : { key, kind: "category", names: ["cat"], counts: [1], selected: [1], none: 0, none_selected: 0 },
      ),
    },
    gallery: { total: 1, cards: [] },
    lifts: { lifts: [] },
    sample: Response.json({ error: "no sample 's/9' in snapshot 2" }, { status: 404 }),
  }[what];
}
const { page } = await (async () => {
  [numbers, steps, broken, fails, hash] = [[1, 2], [], [], false, ""];
  asked = serve(answer);
  await import("../../assay/explorer/static/app.js");
  return import("../../assay/explorer/static/context.js");
})();
const { state } = await import("../../assay/explorer/static/state.js");
const fire = async (name, more = {}) => {
  for (const run of listeners[name]) run({ target: new Node("div"), preventDefault() {}, ...more });
  await settled();
};
async function opened(view = {}) {
  hash = Object.keys(view).length ? `#${encodeURIComponent(JSON.stringify(view))}` : "";
  state.snapshot = -1; // as of another page
  await fire("popstate");
  steps = [];
}

beforeEach(async () => {
  [numbers, broken, fails] = [[1, 2], [], false];
  await opened();
});

test("what an address leaves open has its usual value, and what it names that is not there, too", async () => {
  await opened({ p: "no such", c: "columns.gone", o: "scores.gone", r: "gone", m: "tsne", t: "gone", q: 5 });
  const usual = {
    page: "overview",
    color: "label",
    sort: "label_issues.score",
    ring: "label_issue",
    method: "umap",
    tab: "samples",
  };
  for (const [name, value] of Object.entries(usual)) assert.equal(state[name], value, name);
  assert.equal(at("overview").querySelector(".headline").textContent, "A night.");
  await opened({ p: "map", o: "similarity" }); // of nothing
  assert.equal(state.sort, "label_issues.score");
  await opened({ p: "map", o: "similarity", f: { similar: { id: "s" } }, 3: true, m: "umap" });
  assert.deepEqual([state.sort, state.deep], ["similarity", false]);
});

test("an address of a snapshot that is gone opens the newest and says so; broken ones are named", async () => {
  await opened({ s: 7 });
  assert.deepEqual([page.meta.number, toasted()], [2, "There is no snapshot v7; this is v2."]);
  broken = [3];
  await opened({ s: 1 });
  assert.deepEqual([page.meta.number, toasted()], [1, "Left out, because they cannot be read: v3."]);
});

test("a page that cannot begin says why, and begins when it can", async () => {
  fails = true;
  await opened({ p: "tables" });
  assert.match(at("bar").textContent, /the disk is gone$/);
  [fails, numbers] = [false, []];
  await opened();
  assert.match(at("bar").textContent, /There is no readable snapshot yet\.$/);
  numbers = [1];
  await opened();
  assert.match(at("bar").textContent, /toy.*v1/);
});

test("a change is a step of the browser's Back, which brings the view before it", async () => {
  page.change({ page: "map", filter: { text: "x" } });
  await settled();
  const before = hash;
  page.setFilter("flags", ["dark"]);
  await settled();
  assert.equal(steps.length, 2);
  assert.deepEqual(state.filter, { text: "x", flags: ["dark"] });
  hash = before;
  await fire("popstate");
  assert.deepEqual([state.page, state.filter], ["map", { text: "x" }]);
  page.setFilter("text", "");
  assert.deepEqual(state.filter, {});
});

test("lifting what samples were sorted by sorts them as usual again", async () => {
  await opened({ p: "map", o: "similarity", f: { similar: { id: "s" }, text: "x" } });
  page.setFilter("similar", null);
  await settled();
  assert.deepEqual([state.sort, state.filter], ["label_issues.score", { text: "x" }]);
});

test("another snapshot is opened with the same filter, from its own camera", async () => {
  await opened({ p: "map", f: { text: "x" }, v: [1, 2, 3] });
  page.change({ snapshot: 1 });
  await settled();
  assert.deepEqual([page.meta.number, state.filter, state.camera, steps.length], [1, { text: "x" }, null, 1]);
});

test("a snapshot that is published meanwhile is told of once, and none at all is none that is new", async () => {
  const told = async () => {
    at("toast").replaceChildren();
    await look();
    return toasted();
  };
  assert.equal(await told(), "");
  numbers = [];
  assert.equal(await told(), "");
  numbers = [1, 2, 3];
  assert.equal(await told(), "Snapshot v3 was published.Open it");
  assert.equal(await told(), "");
  assert.equal(page.meta.number, 2);
});

test("a sample that is not there is said, and its place closes", async () => {
  page.openSample("s/9");
  await settled();
  assert.deepEqual(
    [toasted(), state.sample, at("detail").hidden],
    ["no sample 's/9' in snapshot 2", null, true],
  );
});

test("keys go where they are meant: / to the search, Escape back, none while somebody writes", async () => {
  await opened({ p: "tables" });
  await fire("keydown", { key: "/" });
  assert.equal(state.page, "map");
  assert.equal(document.activeElement.getAttribute("id"), "search");
  state.filter = { lasso: [{ method: "umap", points: [[0, 0], [1, 0], [1, 1]] }] }; // prettier-ignore
  at("menu").hidden = true;
  await fire("keydown", { key: "Escape", target: new Node("input") });
  assert.ok(state.filter.lasso);
  await fire("keydown", { key: "Escape" });
  assert.deepEqual(state.filter, {});
  await fire("keydown", { key: "l", ctrlKey: true });
});

test("a question that fails with nobody waiting for it is said, one that was called off is not", async () => {
  listeners.unhandledrejection[0]({ reason: new Error("no answer") });
  await settled();
  assert.equal(toasted(), "no answer");
  listeners.unhandledrejection[0]({ reason: Object.assign(new Error("off"), { name: "AbortError" }) });
  await settled();
  assert.equal(toasted(), "no answer");
});
