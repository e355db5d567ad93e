import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Node, serve, settled, toasted } from "./fake_page.js";
import { page } from "../../assay/explorer/static/context.js";
import { showEvaluation } from "../../assay/explorer/static/evaluation.js";
import { fresh, state } from "../../assay/explorer/static/state.js";

const HOSTILE = "<u>x</u>";
const TOLD = {
  brought: true,
  n: 200,
  errors: 3,
  missing: 1,
  accuracy: 0.984,
  says: [HOSTILE],
  classes: [{ label: HOSTILE, n: 9, errors: 3, recall: 0.5, precision: null }],
  calibration: { sure: 0.9, right: 0.7, error: 0.2, bins: [{ sure: 0.9, right: 0.7, n: 4 }] },
  issues: [{ metric: "dark", title: "Dark", share: 0.5, rate: 0.1, elsewhere: 0 }],
  groups: [{ key: "columns.camera", column: "camera", value: "A7", n: 5, rate: 0.2 }],
  confusion: [
    ["b10", HOSTILE, 2],
    ["b9", "b10", 1],
  ],
};
let host, changes;

async function told(more = {}) {
  serve((path) =>
    path === "/api/predictions"
      ? Response.json({ error: "predictions need a column" }, { status: 409 })
      : { ...TOLD, ...more },
  );
  await showEvaluation(host);
  return host.textContent;
}
const press = (text) =>
  host
    .querySelectorAll("button")
    .find((one) => one.textContent === text)
    .click();

beforeEach(() => {
  [host, changes] = [new Node("div"), []];
  Object.assign(state, fresh());
  Object.assign(page, {
    meta: { number: 1, dataset: "toy" },
    change: (next) => changes.push(next),
    restart: () => changes.push("anew"),
  });
});

test("a sentence says how the model does, and each number leads to the errors behind it", async () => {
  const text = await told();
  assert.match(
    text,
    /^The model is right on 98% of 200 samples; it errs on 3\.1 selected sample without a label or a prediction are left out\./,
  );
  for (const name of ["3", HOSTILE, "Dark", "A7", "2"]) await press(name);
  const wrong = { outcome: ["wrong"] };
  assert.deepEqual(
    changes.map((next) => next.filter),
    [
      { values: wrong },
      { values: { label: [HOSTILE], ...wrong } },
      { flags: ["dark"], values: wrong },
      { values: { "columns.camera": ["A7"], ...wrong } },
      { values: { label: ["b10"], predicted: [HOSTILE] } },
    ],
  );
  assert.ok(changes.every((next) => next.page === "map" && next.color === "outcome"));
  assert.equal(host.querySelectorAll("u").length, 0);
});

test("probabilities are too sure, too cautious, or can be believed", async () => {
  const says = async (sure, right) =>
    (await told({ calibration: { ...TOLD.calibration, sure, right } })).match(/believed\?(.*?)\. Mean/s)[1];
  assert.equal(await says(0.9, 0.7), "It is too sure of itself: it says 90% and is right 70% of the time");
  assert.equal(await says(0.6, 0.8), "It is too cautious: it says 60% and is right 80% of the time");
  assert.equal(await says(0.71, 0.7), "Its probabilities can be believed");
  assert.ok(!(await told({ calibration: null })).includes("believed"));
});

test("a model without an error, and predictions of other samples, are told as that", async () => {
  assert.match(
    await told({ errors: 0, confusion: [], issues: [], groups: [], says: [], missing: 0 }),
    /ConfusionIt makes no error\.$/,
  );
  assert.match(
    await told({ n: 0 }),
    /No selected sample has both a label and a prediction: do the ids agree\?/,
  );
});

test("predictions are brought as a file, and a refusal of them is said", async () => {
  await told({ brought: false });
  const file = { text: async () => "id,p" };
  await host.querySelector("input").fire("change", { target: { files: [file] } });
  await settled();
  assert.deepEqual([toasted(), changes], ["predictions need a column", []]);
  const asked = serve(() => ({ n: 1 }));
  await host.querySelector("label.drop").fire("drop", { dataTransfer: { files: [file] } });
  await settled();
  assert.deepEqual([toasted(), changes, asked.length], ["1 prediction kept.", ["anew"], 1]);
  await host.querySelector("input").fire("change", { target: { files: [] } }); // nothing chosen
  await settled();
  assert.deepEqual([asked.length, toasted()], [1, "1 prediction kept."]);
});
