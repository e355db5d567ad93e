import assert from "node:assert/strict";
import { test } from "node:test";
import { Choice } from "../../assay/explorer/static/choice.js";
import { Queue } from "../../assay/explorer/static/queue.js";
import { compared, MOST, textDiff } from "../../assay/explorer/static/textdiff.js";
import "./fake_page.js";
import { rank } from "../../assay/explorer/static/typeahead.js";

const items = (...done) => done.map((is, row) => ({ rows: [row], done: is }));

test("a queue shrinks, and begins where it was left", () => {
  const queue = new Queue("label_issue", items(true, false, false));
  assert.deepEqual([queue.at, queue.done, queue.left], [1, 1, 2]);
  queue.settle();
  queue.settle();
  assert.deepEqual([queue.at, queue.done, queue.left], [null, 3, 0]);
  queue.skip(); // of nothing is nothing
  assert.equal(queue.at, null);
});

test("what was skipped comes again at the end", () => {
  const queue = new Queue("k", items(false, false));
  queue.skip();
  assert.equal(queue.at, 1);
  queue.settle();
  assert.equal(queue.at, 0);
});

test("undo brings the item back, wherever one is by now", () => {
  const queue = new Queue("k", items(false, false, false));
  const place = queue.settle();
  queue.settle();
  queue.reopen(place);
  assert.deepEqual([queue.at, queue.done], [0, 1]);
  assert.deepEqual(queue.ahead(5), [0, 2]);
});

test("a queue longer than what is sent counts all of it", () => {
  const queue = new Queue("k", items(true, false), 9000, 4000);
  assert.deepEqual([queue.total, queue.done], [9000, 4000]);
  queue.settle();
  assert.equal(queue.done, 4001);
});

test("Ctrl chooses one more, Shift all between, a plain click none", () => {
  const choice = new Choice(),
    id = (at) => (at < 10 ? `s${at}` : undefined);
  assert.equal(choice.click(2, "s2", {}, id), false);
  assert.equal(choice.click(2, "s2", { ctrl: true }, id), true);
  choice.click(5, "s5", { shift: true }, id);
  assert.deepEqual([...choice.ids], ["s2", "s3", "s4", "s5"]);
  choice.click(3, "s3", { ctrl: true }, id);
  assert.equal(choice.has("s3"), false);
  choice.clear();
  assert.equal(choice.size, 0);
});

test("completion prefers the whole name, then its beginning, then a word in it", () => {
  const names = [
    ["scar", 9],
    ["big car", 5],
    ["car", 1],
    ["cartoon", 3],
    ["dog", 4],
  ];
  assert.deepEqual(
    rank("car", names).map((entry) => entry.name),
    ["car", "cartoon", "big car", "scar"],
  );
  assert.equal(rank("", names).length, 5);
});

test("two texts differ in the words that only one has", () => {
  const [left, right] = textDiff("how do I top up", "how can I top it up");
  const own = (pieces) => pieces.filter(([, is]) => is).map(([word]) => word.trim());
  assert.deepEqual([own(left), own(right)], [["do"], ["can", "it"]]);
  assert.equal(
    textDiff("same", "same")[0].some(([, is]) => is),
    false,
  );
});

test("an item that the server no longer names stays as it is here, and the others are told apart by their samples", () => {
  const queue = new Queue("k", items(false, false, false, false));
  queue.settle();
  queue.tell([
    { rows: [1], done: false }, // the decided one is filtered away
    { rows: [2], done: true }, // somebody else
    { rows: [3], done: false },
  ]);
  assert.deepEqual(
    queue.items.map((item) => item.done),
    [true, false, true, false],
  );
  assert.deepEqual([queue.at, queue.left, queue.placeOf([3]), queue.placeOf([9])], [1, 2, 3, -1]);
});

test("an item whose decision is being written is not opened again by older news", () => {
  const queue = new Queue("k", items(false, false));
  queue.writing.add(queue.settle());
  queue.tell(items(false, false));
  assert.equal(queue.items[0].done, true);
  queue.writing.clear();
  queue.tell(items(false, false));
  assert.equal(queue.items[0].done, false);
});

test("going back finds the open item before, also from the end of the queue", () => {
  const queue = new Queue("k", items(false, true, false));
  queue.skip();
  queue.back();
  assert.equal(queue.at, 0);
  queue.back(); // there is none before
  assert.equal(queue.at, 0);
  const ended = new Queue("k", items(true, true));
  assert.deepEqual([ended.at, ended.current, ended.ahead(3)], [null, null, []]);
  ended.back();
  assert.equal(ended.at, null);
});

test("Shift without a first one chooses that card, and cards that were never seen are left out", () => {
  const choice = new Choice();
  assert.equal(choice.click(4, "s4", { shift: true }, String), true);
  choice.click(7, "s7", { shift: true }, (at) => (at === 6 ? undefined : `s${at}`));
  assert.deepEqual([...choice.ids].sort(), ["s4", "s5", "s7"]);
});

test("a word inside a name counts as one wherever it stands", () => {
  const places = rank("car", [
    ["scar car", 1],
    ["scarcar", 2],
    ["CAR", 3],
  ]).map((entry) => [entry.name, entry.place]);
  assert.deepEqual(places, [
    ["CAR", 0],
    ["scar car", 2],
    ["scarcar", 3],
  ]);
  assert.deepEqual(rank("zzz", [["a", 1]]), []);
});

test("texts are said to be the same only as far as they were compared", () => {
  const long = "word ".repeat(MOST);
  assert.equal(compared("a  b\n", "a b").says, "Word for word the same.");
  assert.equal(compared(long + "x", long + "y").says, `The first ${MOST} words are the same.`);
  assert.equal(compared(long + "x", long + "x").says, "Word for word the same.");
  assert.match(compared("a", "b").says, /^Words that only one .* marked\.$/);
  assert.match(compared("a " + long, "b " + long).says, /compared\.$/);
  assert.equal(compared("", "").says, "Word for word the same.");
});
