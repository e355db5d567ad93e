// Each table of the snapshot as a sheet: classes, confusion, noise, groups, annotators, rejects, health.
import { api } from "./api.js";
import { page } from "./context.js";
import { h } from "./dom.js";
import { confusionSheet } from "./matrix.js";
import { same, state } from "./state.js";
import { table } from "./table.js";
import { counted, figure, number, percent, score, words } from "./words.js";

const cut = (text, most = 200) => (text === null || text === undefined ? "–" : String(text).slice(0, most));
const records = (answer) =>
  answer.rows.map((row) => Object.fromEntries(answer.columns.map((name, at) => [name, row[at]])));
const nothing = (text) => h("p", { class: "nothing" }, text);
const lead = (text) => h("p", { class: "lead" }, text);
const select = (filter) => () => page.change({ page: "map", tab: "samples", filter, sample: null });
const link = (text, filter, style = "") =>
  h(
    "button",
    { type: "button", class: `link ${style}`, title: "Its samples, on the map", onclick: select(filter) },
    cut(text, 80),
  );

function bar(value, most = 1) {
  const share = Math.max(0, Math.min(100, (100 * (value ?? 0)) / most));
  return h(
    "span",
    { class: "inline" },
    h("i", { vars: { "--share": `${share}%` } }),
    h("span", {}, percent(value)),
  );
}

async function classes(meta) {
  const answer = await api.table(meta.number, "classes", 0, 500),
    lines = records(answer);
  if (!lines.length) return nothing("No sample has a label.");
  const of = (label) => (meta.label_separator ? { carries: [label] } : { values: { label: [label] } });
  const most = Math.max(0.1, ...lines.map((line) => line.noise ?? 0));
  return [
    lead(`${counted(answer.total, "class", "classes")}. Click a head to sort.`),
    table(
      [
        { name: "Class", key: "label", show: (l) => link(l.label, of(l.label)) },
        { name: "Samples", key: "n", num: true, show: (l) => number(l.n) },
        {
          name: "Wrong labels",
          key: "noise",
          title: "Estimated share of wrong labels",
          num: true,
          show: (l) => bar(l.noise, most),
        },
        {
          name: "Flagged",
          key: "n_issues",
          title: "Labels that look wrong",
          num: true,
          show: (l) => link(number(l.n_issues), { ...of(l.label), flags: ["label_issue"] }),
        },
        {
          name: "Told apart",
          key: "probe_accuracy",
          title: "Share that a simple model, trained without them, recognises",
          num: true,
          show: (l) => percent(l.probe_accuracy),
        },
        {
          name: "Neighbours alike",
          key: "purity",
          title: "Mean share of neighbours with the same label",
          num: true,
          show: (l) => percent(l.purity),
        },
        {
          name: "Separation",
          key: "separability",
          title: "From −1, inside another class, to 1, far from all others (silhouette)",
          num: true,
          show: (l) => score(l.separability),
        },
        {
          name: "Mixed up with",
          key: "overlap_label",
          show: (l) => (l.overlap_label === null ? "–" : link(l.overlap_label, of(l.overlap_label))),
        },
        {
          name: "Covered",
          key: "coverage",
          title: "Share of its samples with another one near by",
          num: true,
          show: (l) => percent(l.coverage),
        },
        {
          name: "Too small",
          key: "imbalance",
          title: "0: of mean size or larger; towards 1: far smaller",
          num: true,
          show: (l) => score(l.imbalance),
        },
      ],
      lines,
      { by: "noise" },
    ),
  ];
}

async function noise(meta) {
  const answer = await api.table(meta.number, "label_noise", 0, 500);
  const lines = records(answer).filter((l) => l.label !== l.true_label && l.rate > 0);
  if (!lines.length) return nothing("No noise between classes was estimated.");
  return [
    lead(
      "Of the samples with a given label, the estimated share that truly belong to another class. " +
        "The interval says how sure that is: the true share lies in it 95 times of 100.",
    ),
    table(
      [
        {
          name: "Labelled",
          key: "label",
          show: (l) => link(l.label, { cell: [l.label, l.true_label] }, "given"),
        },
        { name: "Truly", key: "true_label", show: (l) => cut(l.true_label, 60) },
        { name: "Share", key: "rate", num: true, show: (l) => percent(l.rate) },
        {
          name: "Interval",
          num: true,
          show: (l) => h("span", { class: "small" }, `${percent(l.rate_low)} – ${percent(l.rate_high)}`),
        },
        { name: "Samples", key: "count", num: true, show: (l) => l.count.toFixed(1) },
      ],
      lines.slice(0, 400),
      { by: "count" },
    ),
  ];
}

async function groups(meta) {
  const [answer, issues] = await Promise.all([
    api.table(meta.number, "groups", 0, 500),
    api.table(meta.number, "group_issues", 0, 500),
  ]);
  const lines = records(answer),
    more = new Map();
  for (const line of records(issues)) {
    if (line.rate >= 2 * line.rate_elsewhere && line.n_issues >= 5)
      more.set(same_(line), [...(more.get(same_(line)) ?? []), line]);
  }
  if (!lines.length) return nothing("The source has no further columns to group by.");
  const often = (l) =>
    (more.get(same_(l)) ?? [])
      .slice(0, 4)
      .map((i) => `${words(i.metric)} ${percent(i.rate)}, elsewhere ${percent(i.rate_elsewhere)}`)
      .join("; ") || "–";
  return [
    lead(
      "How often each kind of issue occurs, by the values of the source's further columns; " +
        "“far more often” names issues at least twice as frequent there as elsewhere.",
    ),
    table(
      [
        { name: "Column", key: "column", show: (l) => cut(l.column, 60) },
        {
          name: "Value",
          key: "value",
          show: (l) => link(l.value, { values: { [`columns.${l.column}`]: [l.value] } }),
        },
        { name: "Samples", key: "n", num: true, show: (l) => number(l.n) },
        {
          name: "Label issues",
          key: "label_issue_rate",
          num: true,
          show: (l) => percent(l.label_issue_rate),
        },
        { name: "Outliers", key: "outlier_rate", num: true, show: (l) => percent(l.outlier_rate) },
        { name: "Copies", key: "duplicate_rate", num: true, show: (l) => percent(l.duplicate_rate) },
        {
          name: "Can be told",
          key: "probe_auc",
          title: "How well this value can be read off the vectors: 0.5 is chance, 1 always (AUC)",
          num: true,
          show: (l) => figure(l.probe_auc),
        },
        {
          name: "Recognised",
          key: "probe_accuracy",
          title: "How often a simple model gets the label right there",
          num: true,
          show: (l) => percent(l.probe_accuracy),
        },
        { name: "Far more often", show: often },
      ],
      lines,
    ),
  ];
}

const same_ = (line) => JSON.stringify([line.column, line.value]);

async function annotators(meta) {
  const lines = records(await api.table(meta.number, "annotators", 0, 500));
  if (!lines.length)
    return nothing("The source does not say who labelled what (set [metrics] annotator in the spec).");
  return [
    lead(
      "Who labelled how much, and how often a label is likely wrong, by what the others and the neighbours say.",
    ),
    table(
      [
        { name: "Annotator", key: "annotator", show: (l) => cut(l.annotator, 80) },
        { name: "Labels", key: "n", num: true, show: (l) => number(l.n) },
        {
          name: "Wrong",
          key: "error_rate",
          title: "Estimated share of wrong labels",
          num: true,
          show: (l) => bar(l.error_rate, 0.5),
        },
        {
          name: "Interval",
          num: true,
          show: (l) =>
            h("span", { class: "small" }, `${percent(l.error_rate_low)} – ${percent(l.error_rate_high)}`),
        },
        {
          name: "Shared",
          key: "n_shared",
          title: "Labelled by others too",
          num: true,
          show: (l) => number(l.n_shared),
        },
        {
          name: "Agrees with peers",
          key: "peer_agreement",
          num: true,
          show: (l) => percent(l.peer_agreement),
        },
        {
          name: "Most often confuses",
          show: (l) =>
            l.confused_label
              ? `${cut(l.confused_true_label, 40)} labelled ${cut(l.confused_label, 40)}`
              : "–",
        },
      ],
      lines,
      { by: "error_rate" },
    ),
  ];
}

async function rejects(meta) {
  const answer = await api.table(meta.number, "rejects", 0, 500),
    lines = records(answer);
  if (!answer.total) return nothing("Nothing was rejected: every file could be used.");
  const pills = h("div", { class: "pairs" }),
    body = h("div", {}),
    reasons = new Map();
  for (const line of lines) reasons.set(line.reason, (reasons.get(line.reason) ?? 0) + 1);
  const show = (only) => {
    const all = [["", lines.length], ...[...reasons].sort((a, b) => b[1] - a[1])];
    pills.replaceChildren(
      ...all.map(([reason, n]) =>
        h(
          "button",
          {
            type: "button",
            class: "pill",
            "aria-pressed": String(reason === only),
            onclick: () => show(reason),
          },
          reason ? words(reason) : "All reasons",
          h("b", {}, number(n)),
        ),
      ),
    );
    body.replaceChildren(
      table(
        [
          { name: "File", key: "uri", show: (l) => cut(l.uri ?? l.sample_id) },
          { name: "Reason", key: "reason", show: (l) => words(l.reason) },
          { name: "Detail", show: (l) => plainBytes(cut(l.detail, 400)) },
          { name: "Stage", key: "stage", show: (l) => l.stage },
        ],
        lines.filter((l) => !only || l.reason === only),
      ),
    );
  };
  show("");
  const shown =
    answer.total > lines.length
      ? ` The first ${number(lines.length)} are shown; query the table rejects for all.`
      : "";
  return [lead(`${counted(answer.total, "file was", "files were")} not carried on.${shown}`), pills, body];
}

// Comparisons as they are printed: >= as ≥.
const signs = (text) => String(text ?? "–").replace("<=", "≤").replace(">=", "≥").replace("==", "=");

// b'<!doctyp' as “<!doctyp”: the bytes of a file as a person reads them.
const plainBytes = (text) => text.replace(/\bb(['"])(.*?)\1/g, "“$2”");

async function health(meta) {
  const [checks, metrics] = await Promise.all([
    api.table(meta.number, "embedding_health"),
    api.table(meta.number, "dataset_metrics"),
  ]);
  const sign = (l) =>
    h(
      "span",
      { class: l.ok ? "ok" : "bad" },
      l.ok ? "✓" : "✕",
      h("span", { class: "unseen" }, l.ok ? " fine" : " not fine"),
    );
  return [
    h("h2", {}, "Can the vectors be trusted?"),
    table(
      [
        { name: "Fine", show: sign },
        { name: "Check", show: (l) => words(l.check) },
        { name: "Value", num: true, show: (l) => figure(l.value) },
        { name: "Wanted", show: (l) => signs(l.wanted) },
        { name: "What it is", show: (l) => cut(l.note, 300) },
      ],
      records(checks),
    ),
    h("h2", {}, "Every number of the dataset"),
    table(
      [
        { name: "Number", key: "metric", show: (l) => words(l.metric) },
        { name: "Value", key: "value", num: true, show: (l) => figure(l.value) },
        { name: "What it is", show: (l) => cut(l.note, 300) },
      ],
      records(metrics),
    ),
  ];
}

async function confusion(meta) {
  return confusionSheet(await api.confusion(meta.number), {
    says: (total) =>
      `${counted(total, "label looks", "labels look")} wrong. Rows are the given label, columns the suggested one; ` +
      "a cell opens its samples.",
    none: "No label is under suspicion.",
    pick: (given, other) => select({ cell: [given, other] })(),
    on: (given, other) => same(state.filter.cell, [given, other]),
    verb: "look like",
  });
}

export const SHEETS_OF = { classes, confusion, noise, groups, annotators, rejects, health };
