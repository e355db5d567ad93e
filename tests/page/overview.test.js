import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { EMPTY_OVERVIEW, Node, serve } from "./fake_page.js";
import { page } from "../../assay/explorer/static/context.js";
import { showOverview } from "../../assay/explorer/static/overview.js";

const QUEUES = [
  { key: "label_issue", title: "Labels that look wrong", total: 9, done: 9 },
  { key: "dark", title: "Dark", total: 1200, done: 100 },
  { key: "leak", title: "Leaks", total: 2, done: 0 },
];
const NONE = { ...EMPTY_OVERVIEW, sentence: "Nothing.", headline: {} };
let host, changes;

async function told(more = {}) {
  serve(() => ({ ...NONE, ...more }));
  await showOverview(host);
  return host.textContent;
}
const tile = (name) => host.querySelectorAll("button.tile").find((one) => one.textContent.startsWith(name));

beforeEach(() => {
  changes = [];
  host = new Node("div");
  Object.assign(page, {
    meta: { number: 4, created_at: "2026-01-02T03:04:05+00:00", n: 9 },
    change: (next) => changes.push(next),
  });
});

test("a first night without a finding is a sentence, and says that every file could be used", async () => {
  assert.equal(
    await told(),
    "Nothing.2026-01-02 03:04 UTC · the first snapshotWorth doingRejectsEvery file could be used.",
  );
});

test("a headline number says how it has moved, and whether that is good", async () => {
  const line = (name, ...values) => ({ name, values });
  await told({
    parent: 3,
    history: [
      line("n_samples", 10, 8),
      line("n_label_issues", 1, 3),
      line("n_leaks", 5, 5),
      line("n_outliers", null, 2),
      line("n_rejects", 4, 0),
      line("n_of_tomorrow", 1),
    ],
  });
  const said = (name) => [
    tile(name).textContent,
    tile(name).className.trim(),
    tile(name).querySelector(".delta").className.trim(),
  ];
  assert.deepEqual(said("Samples"), ["Samples8−2", "tile", "delta"]);
  assert.deepEqual(said("Label issues"), ["Label issues3+2", "tile hot", "delta worse"]);
  assert.deepEqual(said("Leaks"), ["Leaks5as before", "tile hot", "delta"]);
  assert.deepEqual(said("Rejects"), ["Rejects0−4", "tile", "delta better"]);
  assert.equal(host.querySelectorAll("button.tile").length, 5); // one whose name this page does not know is left out
  await tile("Rejects").click();
  assert.deepEqual(changes.pop(), { filter: {}, sample: null, page: "tables", sheet: "rejects" });
});

test("what is worth doing says how much is left of it, then the other queues, then what is done", async () => {
  const thing = {
    title: "Dark",
    why: "too dark",
    n: 1100,
    done: 100,
    unit: "images",
    button: "Review",
    go: { page: "review", queue: "dark" },
  };
  const text = await told({ queues: QUEUES, worth: [thing] });
  assert.match(
    text,
    /Darktoo dark\.1,100 images left, 100 doneReviewThen: leaks \(2\)✓ Done: labels that look wrong\./,
  );
  assert.ok(!text.includes("Everything is reviewed"));
  const finished = await told({ queues: QUEUES.slice(0, 1) });
  assert.match(finished, /Everything is reviewed\. 9 findings are decided.*Take the cleaned dataset/);
});

test("what changed is told by what was done, what came, and what is judged anew", async () => {
  const changes_ = {
    counts: { added: 3, removed: 0, moved: 1 },
    fixed: { n: 2, metrics: [["dark", 2]] },
    new: { n: 0, metrics: [] },
    anew: { up: { n: 1, metrics: [["outlier", 1]] }, down: { n: 4, metrics: [["label_issue", 4]] } },
  };
  const text = await told({ parent: 3, changes: changes_ });
  assert.match(
    text,
    /Since v32fixed issues .*?2 dark0new .*?5judged differently .*?1 more outlier, 4 fewer label issue/,
  );
  assert.match(text, /Samples: 3 added, 1 under another name\. /);
  assert.match(
    await told({ parent: 3, changes: { ...changes_, counts: {} } }),
    /No sample came, went or changed its label\./,
  );
});

test("gates, checks and rejects speak in words of any kind, as text", async () => {
  const bad = "<img src=x>";
  const text = await told({
    gates: [
      { ok: true, says: "a" },
      { ok: false, level: "warn", says: "b" },
      { ok: false, level: "fail", says: bad },
    ],
    health: [
      {
        ok: false,
        title: "Vectors",
        says: "are odd",
        failed: [{ title: bad, value: 0.5, wanted: ">= 0.9", note: null }],
      },
    ],
    rejects: [
      { reason: "not_an_image", n: 3, example: bad },
      { reason: "truncated", n: 1, example: null },
    ],
  });
  assert.match(text, /✓ gate passed: a! gate warns: b✕ gate failed: <img src=x>/);
  assert.match(text, /Vectors are odd<img src=x>: 0\.50, wanted >= 0\.9All checks/);
  assert.match(text, /Rejects: 43Not an imagesuch as <img src=x>1TruncatedEvery one/);
  assert.equal(host.querySelectorAll("img").length, 0);
});

test("a night that was left meanwhile is not drawn over the other", async () => {
  serve(() => {
    page.meta = { number: 5 };
    return NONE;
  });
  await showOverview(host);
  assert.equal(host.textContent, "");
});
