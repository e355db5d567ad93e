import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { at, serve, toasted } from "./fake_page.js";
import { page } from "../../assay/explorer/static/context.js";
import { askMany, decide, decideAll, sentence, undo } from "../../assay/explorer/static/decide.js";

const drop = (id) => ({ kind: "drop", ids: [id] });
let log, fails, foreign;

// A server that keeps batches b1, b2, …; a little slow, so that keys overtake its answers.
beforeEach(() => {
  [log, fails, foreign] = [[], null, []];
  Object.assign(page, { meta: { number: 7 }, decided: async () => log.push("read") });
  serve(async (path, body) => {
    await new Promise((done) => setTimeout(done, 5));
    if (path === "/api/decisions") return { batches: foreign, total: foreign.length };
    if (fails?.(path, body)) return Response.json({ error: "the disk is full" }, { status: 409 });
    if (path.endsWith("/undo")) return log.push(`undo ${body.batch}`) && { undone: body.batch };
    if (body.dry) return { batch: null, n: 0, unchanged: { no_label: 2, decided: 1 } };
    log.push(`${body.kind} ${body.ids}`);
    return { batch: `of ${body.ids}`, n: body.ids.length, unchanged: {} };
  });
});

async function undoAll() {
  while (log.at(-1) !== "none") {
    const before = log.length;
    await undo();
    if (log.length === before) log.push("none");
  }
}

test("an undo that overtakes its decision waits for it, and takes back none before it", async () => {
  await decide(drop("a"));
  decide(drop("b"));
  await undo();
  assert.deepEqual(
    log.filter((line) => line !== "read"),
    ["drop a", "drop b", "undo of b"],
  );
  await undoAll();
});

test("two quick undos take back two decisions", async () => {
  await decide(drop("a"));
  await decide(drop("b"));
  await Promise.all([undo(), undo()]);
  assert.deepEqual(
    log.filter((line) => line.startsWith("undo")),
    ["undo of b", "undo of a"],
  );
});

test("what was decided at one stroke is undone at one, and comes back once", async () => {
  const back = [];
  await decideAll([{ kind: "keep", ids: ["new"] }, drop("old")], {
    quiet: true,
    back: () => back.push("back"),
  });
  await undo();
  assert.deepEqual(log.slice(-3), ["undo of old", "undo of new", "read"]);
  assert.deepEqual(back, ["back"]);
});

test("after one that fails none is made, and what was made can be undone", async () => {
  fails = (_, body) => body.kind === "drop";
  const answers = await decideAll([{ kind: "keep", ids: ["x"] }, drop("y"), drop("z")]);
  assert.equal(answers.length, 1);
  assert.equal(toasted(), "the disk is full");
  assert.deepEqual(log, ["keep x", "read"]);
  fails = null;
  await undo();
  assert.ok(log.includes("undo of x"));
});

test("a decision that was written counts, even if the page cannot be drawn anew", async () => {
  page.decided = async () => {
    throw new Error("not now");
  };
  assert.equal((await decide(drop("a"))).batch, "of a");
  assert.equal(toasted(), "not now");
  page.decided = async () => log.push("read");
  await undoAll();
});

test("an undo that fails is there for the next try", async () => {
  await decide(drop("a"));
  fails = (path) => path.endsWith("/undo");
  await undo();
  assert.equal(toasted(), "the disk is full");
  fails = null;
  await undo();
  assert.ok(log.includes("undo of a"));
});

test("without a decision of this page the newest that stands is undone, and where there is none that is said", async () => {
  foreign = [
    { batch: "f2", undone: true },
    { batch: "f1", undone: false },
  ];
  await undo();
  assert.deepEqual(log, ["undo f1", "read"]);
  foreign = [];
  await undo();
  assert.equal(toasted(), "There is nothing to undo.");
});

test("a message says what was decided and offers to undo just that", async () => {
  await decide(drop("a"));
  await decide(drop("b"));
  assert.match(toasted(), /^Dropped: 1 sample\.Undo$/);
  await undo("of a");
  assert.equal(log.at(-2), "undo of a");
  await undo();
  assert.equal(log.at(-2), "undo of b");
});

test("a menu about many says what each decision would change before it is made", async () => {
  await askMany(at("somewhere"), { ids: ["a", "b", "c"] }, 3);
  const lines = at("menu").querySelectorAll("button");
  assert.equal(lines.length, 6);
  assert.match(lines[1].textContent, /changes nothing; 2 have no label, 1 is decided so already$/);
  assert.ok(lines[1].disabled);
});

test("a decision is told in words", () => {
  assert.equal(sentence({ kind: "accept_label", value: ["cat", null, "dog"] }), "label is cat, dog");
  assert.equal(sentence({ kind: "untag", value: "odd" }), "no tag odd");
  assert.equal(sentence({ kind: "of_tomorrow", value: "x" }), "of_tomorrow");
});
