import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { at, Node, serve, settled } from "./fake_page.js";
import { page } from "../../assay/explorer/static/context.js";
import { undo } from "../../assay/explorer/static/decide.js";
import { Review } from "../../assay/explorer/static/review.js";
import { ITEM_KINDS } from "../../assay/explorer/static/review_items.js";
import { fresh, state } from "../../assay/explorer/static/state.js";

const HOLDS = {
  dark: [[1], [2], [3]],
  outlier: [[3], [2]],
  blurry: Array.from({ length: 30 }, (_, n) => [100 + n]), // more than are fetched at once
  duplicate: [
    [4, 5],
    [6, 7],
  ],
};
let decided, wrote, review, fails;

const cardOf = (row) => ({
  row,
  id: `s${row}`,
  label: "cat",
  issues: [],
  split: "train",
  text: "t",
  duplicate: row % 2 ? "copy" : "kept",
});
const isDone = (rows) => rows.filter((row) => decided.has(`s${row}`)).length >= Math.max(1, rows.length - 1);
const queues = () =>
  Object.entries(HOLDS).map(([key, all]) => ({
    key,
    title: key,
    total: all.length,
    done: all.filter(isDone).length,
  }));
const answer = (path, body) => {
  if (path.endsWith("/overview")) return { queues: queues() };
  if (path.endsWith("/queue")) {
    if (!HOLDS[body.key]) return Response.json({ error: "no such queue" }, { status: 404 });
    const only = body.filter.values?.decision; // a filter that decided samples do not pass
    const items = HOLDS[body.key]
      .map((rows) => ({ rows, done: isDone(rows) }))
      .filter((item) => !only || !item.done);
    return {
      key: body.key,
      items,
      total: items.length,
      done: items.filter((item) => item.done).length,
      queues: queues(),
    };
  }
  if (path.endsWith("/cards")) return { cards: body.rows.map(cardOf) };
  if (path.includes("/sample")) return { neighbors: [], group: [] };
  if (path.endsWith("/gallery")) return { total: 0, cards: [] };
  if (path.endsWith("/decide")) {
    if (fails) return Response.json({ error: "read-only" }, { status: 409 });
    wrote.push(`${body.kind} ${body.ids}`);
    body.ids.forEach((id) => decided.set(id, wrote.length));
    return { batch: String(wrote.length), n: body.ids.length, unchanged: {} };
  }
  if (path.endsWith("/undo")) {
    wrote.push(`undo ${body.batch}`);
    for (const [id, batch] of decided) if (String(batch) === body.batch) decided.delete(id);
    return { undone: body.batch };
  }
  throw new Error(path);
};

const open = (at_ = review.queue.at) => (at_ === null ? null : review.queue.items[at_].rows);
const press = async (key) => {
  review.key({ key, target: new Node("div"), preventDefault() {} });
  await settled();
};
async function look(queue, filter = {}) {
  Object.assign(state, fresh(), { page: "review", queue, filter });
  await review.show();
}

beforeEach(() => {
  [decided, wrote, fails] = [new Map(), [], false];
  at("menu").hidden = true;
  serve(answer);
  const host = new Node("div");
  review = new Review(host);
  const meta = { number: 1, face: "text", has_thumbnails: false, columns: [], n: 7 };
  Object.assign(page, { meta, decided: () => review.refresh(), change() {}, openSample() {} });
});

test("one key an item: it leaves, the next is there, and the progress counts it", async () => {
  await look("dark");
  await press("d");
  await press("k");
  assert.deepEqual(wrote, ["drop s1", "keep s2"]);
  assert.deepEqual([open(), review.queue.done], [[3], 2]);
  await press("ArrowRight");
  assert.deepEqual(open(), [3]); // skipped, it comes again
  await press("x");
  assert.equal(wrote.length, 2);
});

test("what a filter on decisions no longer lets through does not come again", async () => {
  await look("dark", { values: { decision: [null] } });
  for (const key of ["d", "d", "d"]) await press(key);
  assert.deepEqual(wrote, ["drop s1", "drop s2", "drop s3"]);
  assert.deepEqual([open(), review.queue.left], [null, 0]);
});

test("a key that comes before its item decides nothing, and about no other item", async () => {
  await look("blurry");
  for (let n = 0; n < 23; n++) await press("d");
  const both = [press("d"), press("d")]; // the next one is not there yet
  await Promise.all(both);
  assert.deepEqual([wrote.length, wrote.at(-1), open()], [24, "drop s123", [124]]);
  await press("d");
  assert.equal(wrote.at(-1), "drop s124");
});

test("an address with a queue that this night has not opens one with something left", async () => {
  await look("brightness");
  assert.deepEqual([state.queue, review.queue.key, open()], ["dark", "dark", [1]]);
});

test("an undo in another queue leaves that queue as it is", async () => {
  await look("dark");
  for (const key of ["d", "d"]) await press(key);
  await look("duplicate");
  await press("d");
  await undo(); // of the copies
  await settled();
  assert.deepEqual(open(), [4, 5]);
  await press("d");
  await undo();
  await look("outlier");
  await undo(); // of the second dark one, which is an outlier too
  await settled();
  assert.deepEqual([review.queue.key, open()], ["outlier", [3]]);
  assert.ok(!decided.has("s2") && decided.has("s1"));
  await look("dark");
  assert.deepEqual(open(), [2]);
  await undo();
  assert.deepEqual(open(), [1]); // of a queue that was opened anew, the item is found by its sample
});

test("keeping another copy instead is one decision: undone, nothing is left of it", async () => {
  await look("duplicate");
  await press("2");
  assert.deepEqual(wrote, ["keep s5", "drop s4"]);
  await undo();
  await settled();
  assert.deepEqual(decided, new Map());
  assert.deepEqual([open(), review.queue.done], [[4, 5], 0]);
});

test("a decision that could not be written brings its item back", async () => {
  await look("dark");
  fails = true;
  await press("d");
  assert.deepEqual([open(), review.queue.done, at("toast").textContent], [[1], 0, "read-only"]);
});

test("the end of a queue says so and leads to the next", async () => {
  await look("dark");
  for (const key of ["k", "k", "k"]) await press(key);
  assert.match(review.body.textContent, /dark: all 3 decided\..*Next: outlier \(1\)/);
});

const kinds = Object.entries({
  label: { accept: ["accept_label a"], right: ["reject_label a"], drop: ["drop a"], skip: [] },
  copies: { drop: ["drop b,c"], keep: ["keep a,b,c"], skip: [] },
  pair: { first: ["drop a"], second: ["drop b"], keep: ["keep a,b,c"], skip: [] },
  sample: { keep: ["keep a"], drop: ["drop a"], accept: [] },
});
for (const [kind, wanted] of kinds)
  test(`what the keys of a queue of kind ${kind} write`, () => {
    const cards = ["a", "b", "c"].map((id, n) => ({ id, duplicate: n ? "copy" : "kept" }));
    for (const [name, lines] of Object.entries(wanted)) {
      const made = ITEM_KINDS[kind].decisions(name, cards, null).map((one) => `${one.kind} ${one.ids}`);
      assert.deepEqual(made, lines, name);
    }
  });

test("of copies any may be kept instead; where none was kept, the first one is", () => {
  const { decisions } = ITEM_KINDS.copies,
    told = (...given) => decisions(...given).map((one) => `${one.kind} ${one.ids}`);
  const cards = [{ id: "a" }, { id: "b", duplicate: "kept" }, { id: "c" }];
  assert.deepEqual(told("instead", cards, 2), ["keep c", "drop a,b"]);
  assert.deepEqual(told("drop", cards, null), ["drop a,c"]);
  assert.deepEqual(told("drop", [{ id: "a" }, { id: "b" }], null), ["drop b"]);
});

test("only what can be decided is offered", () => {
  const offered = (kind, cards) =>
    ITEM_KINDS[kind]
      .actions(cards)
      .filter(Boolean)
      .map(([name]) => name);
  assert.deepEqual(offered("label", [{ label: "cat", suggested: "dog" }]), [
    "accept",
    "right",
    "label",
    "drop",
  ]);
  assert.deepEqual(offered("label", [{ label: null, suggested: null }]), ["label", "drop"]);
  assert.deepEqual(offered("label", [{ label: "cat", suggested: "cat" }]), ["right", "label", "drop"]);
  const [first, second] = ITEM_KINDS.pair.actions([{ split: "my_TRAIN" }, { split: null }]);
  assert.deepEqual([first[3], second[1], second[3]], ["good", "Drop the one in the second split", ""]);
});
