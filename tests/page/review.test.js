import assert from "node:assert/strict";
import { test } from "node:test";
import { Choice } from "../../assay/explorer/static/choice.js";
import { Queue } from "../../assay/explorer/static/queue.js";
import { textDiff } from "../../assay/explorer/static/textdiff.js";
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
