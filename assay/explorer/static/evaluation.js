// How a model does whose predictions were brought, and what its errors have to do with the data.
import { api } from "./api.js";
import { page } from "./context.js";
import { h, svg, toast } from "./dom.js";
import { confusionSheet } from "./matrix.js";
import { state } from "./state.js";
import { table } from "./table.js";
import { counted, number, percent, words } from "./words.js";

const open = (filter) => page.change({ page: "map", color: "outcome", tab: "samples", filter, sample: null });
const errors = (more = {}) => ({ ...more, values: { ...more.values, outcome: ["wrong"] } });

export async function showEvaluation(host) {
  const meta = page.meta,
    told = await api.evaluation(meta.number, state.filter);
  if (page.meta !== meta) return;
  host.replaceChildren(told.brought ? report(told) : bring(meta));
  host.dataset.ready = String(told.brought);
}

function bring(meta) {
  const file = h("input", {
    type: "file",
    accept: ".csv,text/csv",
    "aria-label": "A CSV file of predictions",
    onchange: (event) => take(event.target.files[0]),
  });
  const drop = h(
    "label",
    {
      class: "drop",
      ondragover: (event) => event.preventDefault(),
      ondrop: (event) => {
        event.preventDefault();
        take(event.dataTransfer.files[0]);
      },
    },
    h("b", {}, "Drop a CSV file of predictions here, or choose one"),
    h(
      "span",
      { class: "small block" },
      "Columns: sample_id, predicted, probability (the last may be absent).",
    ),
    file,
  );
  return h(
    "div",
    { class: "sheet" },
    h("h2", {}, "Evaluate a model"),
    h(
      "p",
      { class: "lead" },
      "Bring what a model predicts for these samples: you see where it errs, on which classes and issues, ",
      "and how far its probabilities can be believed.",
    ),
    drop,
    h(
      "p",
      { class: "small" },
      "Larger files, and Parquet: ",
      h("code", {}, `assay explore ${meta.dataset} --predictions FILE`),
    ),
  );
}

async function take(file) {
  if (!file) return;
  try {
    const { n } = await api.bring(await file.text());
    toast(`${counted(n, "prediction")} kept.`);
    page.restart();
  } catch (error) {
    toast(error.message);
  }
}

function report(told) {
  if (!told.n)
    return h(
      "div",
      { class: "sheet" },
      h("p", { class: "nothing" }, "No selected sample has both a label and a prediction: do the ids agree?"),
    );
  return h(
    "div",
    { class: "sheet" },
    h(
      "p",
      { class: "headline" },
      `The model is right on ${percent(told.accuracy)} of ${counted(told.n, "sample")}; it errs on `,
      h("button", { type: "button", class: "link", onclick: () => open(errors()) }, number(told.errors)),
      ".",
    ),
    told.missing
      ? h(
          "p",
          { class: "small" },
          `${counted(told.missing, "selected sample")} without a label or a prediction are left out.`,
        )
      : null,
    told.says.length
      ? h(
          "ul",
          { class: "says-list" },
          told.says.map((line) => h("li", {}, line)),
        )
      : null,
    h(
      "div",
      { class: "columns" },
      h("div", {}, classes(told)),
      h("div", {}, calibration(told.calibration), issues(told), groups(told)),
    ),
    h("h2", {}, "Confusion"),
    confusion(told),
  );
}

function classes({ classes: lines }) {
  return h(
    "section",
    {},
    h("h2", {}, "Worst classes"),
    table(
      [
        {
          name: "Class",
          key: "label",
          show: (l) =>
            h(
              "button",
              {
                type: "button",
                class: "link",
                onclick: () => open(errors({ values: { label: [l.label] } })),
              },
              l.label.slice(0, 60),
            ),
        },
        { name: "Samples", key: "n", num: true, show: (l) => number(l.n) },
        { name: "Errors", key: "errors", num: true, show: (l) => number(l.errors) },
        {
          name: "Found",
          key: "recall",
          title: "Share of its samples that are predicted as it (recall)",
          num: true,
          show: (l) => percent(l.recall),
        },
        {
          name: "Rightly so",
          key: "precision",
          title: "Share of its predictions that are right (precision)",
          num: true,
          show: (l) => percent(l.precision),
        },
      ],
      lines.slice(0, 40),
      { by: "errors" },
    ),
  );
}

// How often the model is right, against how sure it says it is: on the diagonal its probabilities can be believed.
function calibration(told) {
  if (!told) return null;
  const side = 200,
    place = (v) => 10 + v * (side - 20),
    most = Math.max(...told.bins.map((b) => b.n));
  const far = told.sure - told.right;
  const says =
    Math.abs(far) < 0.02
      ? "Its probabilities can be believed."
      : far > 0
        ? `It is too sure of itself: it says ${percent(told.sure)} and is right ${percent(told.right)} of the time.`
        : `It is too cautious: it says ${percent(told.sure)} and is right ${percent(told.right)} of the time.`;
  return h(
    "section",
    {},
    h("h2", {}, "Can its probabilities be believed?"),
    h(
      "p",
      {},
      says,
      h(
        "span",
        { class: "small" },
        ` Mean distance from the truth ${percent(told.error)} (expected calibration error).`,
      ),
    ),
    svg(
      "svg",
      {
        viewBox: `0 0 ${side} ${side}`,
        class: "calibration",
        role: "img",
        "aria-label": `Share that is right by how sure the model is. ${says}`,
      },
      svg("path", { d: `M10 ${side - 10}L${side - 10} 10`, class: "ideal" }),
      svg("path", {
        d: told.bins.map((b, at) => `${at ? "L" : "M"}${place(b.sure)} ${side - place(b.right)}`).join(""),
        class: "curve",
      }),
      ...told.bins.map((b) =>
        svg("circle", { cx: place(b.sure), cy: side - place(b.right), r: 2 + 5 * Math.sqrt(b.n / most) }),
      ),
    ),
    h(
      "p",
      { class: "small" },
      "Across: how sure it says it is. Up: how often it is right. Larger dots are more samples.",
    ),
  );
}

function issues({ issues: lines }) {
  if (!lines.length) return null;
  return h(
    "section",
    {},
    h("h2", {}, "Errors by issue"),
    table(
      [
        {
          name: "Issue",
          show: (l) =>
            h(
              "button",
              { type: "button", class: "link", onclick: () => open(errors({ flags: [l.metric] })) },
              l.title,
            ),
        },
        { name: "Of the errors", key: "share", num: true, show: (l) => percent(l.share) },
        { name: "Errs there", key: "rate", num: true, show: (l) => percent(l.rate) },
        { name: "Elsewhere", key: "elsewhere", num: true, show: (l) => percent(l.elsewhere) },
      ],
      lines,
      { by: "share" },
    ),
  );
}

function groups({ groups: lines }) {
  if (!lines.length) return null;
  return h(
    "section",
    {},
    h("h2", {}, "Errors by group"),
    table(
      [
        { name: "Column", key: "column", show: (l) => words(l.column) },
        {
          name: "Value",
          key: "value",
          show: (l) =>
            h(
              "button",
              {
                type: "button",
                class: "link",
                onclick: () => open(errors({ values: { [l.key]: [l.value] } })),
              },
              l.value.slice(0, 60),
            ),
        },
        { name: "Samples", key: "n", num: true, show: (l) => number(l.n) },
        { name: "Errs", key: "rate", num: true, show: (l) => percent(l.rate) },
      ],
      lines.slice(0, 30),
      { by: "rate" },
    ),
  );
}

function confusion({ confusion: cells, errors: total }) {
  const classes_ = [...new Set(cells.flatMap(([given, other]) => [given, other]))].sort((a, b) =>
    a.localeCompare(b, undefined, { numeric: true }),
  );
  return confusionSheet(
    { classes: classes_, cells, total, left_out: 0 },
    {
      says: (n) =>
        `${counted(n, "error")}. Rows are the given label, columns the prediction; a cell opens its samples.`,
      none: "It makes no error.",
      pick: (given, other) => open({ values: { label: [given], predicted: [other] } }),
      on: () => false,
      verb: "are predicted as",
    },
  );
}
