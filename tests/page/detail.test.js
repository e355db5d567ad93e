import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { at, Node, serve, settled, until } from "./fake_page.js";
import { page } from "../../assay/explorer/static/context.js";
import { Detail } from "../../assay/explorer/static/detail.js";
import { fresh, state } from "../../assay/explorer/static/state.js";

const HOSTILE = "<b onclick=alert(1)>";
const META = { number: 4, face: "text", has_thumbnails: false, has_vectors: true };
const CARD = { row: 0, label: "cat", issues: [], text: "t" };
const SAMPLE = {
  ...CARD,
  id: "s/1",
  suggested: "dog",
  split: "train",
  issues: ["label_issue"],
  label_issue: { suggested_label: "dog", confidence: 0.25, score: 0.9, is_issue: true },
  group: [
    { ...CARD, id: "s/0", keep: true, tier: "pixels" },
    { ...CARD, id: "s/1", keep: false, tier: "minhash" },
  ],
  neighbors: [
    { ...CARD, id: "s/2", similarity: 0.5 },
    { ...CARD, id: "s/3", label: "dog", similarity: 0.4 },
  ],
  scores: [{ title: "Dark", meaning: "too dark", score: 0.25, value: null, is_issue: false }],
  facts: [
    { name: "Width", value: 640, unit: "pixels" },
    { name: "N words", value: 3, unit: "words" },
    { name: "Gone", value: null, unit: "" },
  ],
  source: { sample_id: "s/1", note: HOSTILE, loss: null },
  decisions: [{ kind: "drop", value: null, who: "kim", at: "2026-01-01 10:00", batch: "b1" }],
  proposals: [
    { column: "breed", proposed: HOSTILE, confidence: 0.5 },
    { column: "age", proposed: null },
  ],
};
let detail, calls, asked;

async function shown(more = {}) {
  asked = serve((path, body) => {
    if (path.includes("/history"))
      return {
        history: [
          { snapshot: 3, created_at: "2026-01-02T03", there: false },
          {
            snapshot: 4,
            created_at: "2026-01-03T03",
            there: true,
            label: null,
            suspicion: 0.5,
            issues: ["dark"],
          },
        ],
      };
    return path.includes("/sample") ? { ...SAMPLE, ...more } : { batch: "new", n: 1, unchanged: {}, body };
  });
  await detail.show(META, "s/1");
  await settled();
}

beforeEach(() => {
  calls = [];
  const told =
    (name) =>
    (...given) =>
      calls.push([name, ...given]);
  Object.assign(state, fresh());
  Object.assign(page, { meta: META, decided: async () => {}, change: told("change"), classes: [], tags: [] });
  at("menu").hidden = true;
  detail = new Detail(new Node("div"), {
    close: told("close"),
    open: told("open"),
    step: told("step"),
    values: told("values"),
  });
});
const text = () => detail.host.textContent;
const press = (key) =>
  detail.key({ key, target: new Node("div"), preventDefault() {}, stopPropagation() {} });
const wrote = () =>
  asked.filter(([path]) => path.endsWith("/decide")).map(([, body]) => `${body.kind} ${body.ids}`);

test("everything about a sample is there, as text", async () => {
  await shown();
  for (const part of [
    "Labelcat",
    "Suggested, 25% sure",
    "Suspicion0.90",
    "Splittrain",
    "drop · kim, 2026-01-01 10:00",
    "Duplicate group of 2",
    "almost the same words",
    "1 of 2 carry the same label.",
    "Darktoo dark0.25",
    "v32026-01-02not there",
    "v42026-01-03no label0.50Dark",
    `Note${HOSTILE}`,
    "Loss–",
    "Width640 pixels",
    "Number of words3",
    `Proposed breed${HOSTILE} 50%`,
  ])
    assert.ok(text().includes(part), part);
  assert.ok(!text().includes("Gone") && !text().includes("Proposed age"));
  assert.equal(detail.host.querySelectorAll("b").filter((one) => one.getAttribute("onclick")).length, 0);
});

test("what a sample has not is said, or left out", async () => {
  await shown({
    label: null,
    suggested: null,
    split: null,
    label_issue: null,
    group: [],
    neighbors: [],
    scores: [],
    decisions: [],
    proposals: [],
    facts: [],
  });
  assert.match(text(), /Labelno label/);
  assert.match(text(), /None: this sample has no vector\./);
  for (const part of [
    "Suggested",
    "Suspicion",
    "Split",
    "Duplicate group",
    "Accept suggestion",
    "Label is right",
  ])
    assert.ok(!text().includes(part), part);
});

test("keys decide about this sample, and a missing label cannot be right", async () => {
  await shown();
  for (const key of ["a", "r", "k", "d"]) press(key);
  await settled();
  assert.deepEqual(wrote(), ["accept_label s/1", "reject_label s/1", "keep s/1", "drop s/1"]);
  await shown({ label: null, label_issue: null });
  for (const key of ["a", "r"]) press(key);
  await settled();
  assert.deepEqual(wrote(), []);
  for (const key of ["ArrowLeft", "ArrowRight", "Escape"]) press(key);
  assert.deepEqual(calls, [["step", -1], ["step", 1], ["close"]]);
});

test("similar ones are looked for at once where nothing is selected, else it is asked among which", async () => {
  await shown();
  press("s");
  assert.deepEqual(calls.pop()[1].filter, { similar: { id: "s/1", k: 200 } });
  state.filter = { text: "x", picture: { name: "p" } };
  press("s");
  assert.deepEqual(calls, []);
  const [among, everywhere] = at("menu").querySelectorAll("button");
  await among.click();
  await everywhere.click();
  assert.deepEqual(
    calls.map(([, next]) => next.filter),
    [{ text: "x", similar: { id: "s/1", k: 200, within: true } }, { similar: { id: "s/1", k: 200 } }],
  );
});

test("the answer about a sample that was left is not shown", async () => {
  let answer;
  serve((path) => (path.includes("/sample") ? new Promise((done) => (answer = done)) : { history: [] }));
  const late = detail.show(META, "s/1");
  await until(() => answer);
  detail.close();
  answer(SAMPLE);
  await late;
  assert.ok(detail.host.hidden && detail.data === null && text() === "");
});
