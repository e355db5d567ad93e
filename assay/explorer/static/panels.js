// The lists beside the gallery: duplicate groups, leaks, rejects, confusion, classes, noise, health.
import { api } from "./api.js";
import { card } from "./gallery.js";
import { button, figure, h, number, percent, words } from "./dom.js";

export const TABS = {
  data: [
    ["samples", "Samples"],
    ["duplicates", "Duplicates"],
    ["leaks", "Leaks"],
    ["rejects", "Rejects"],
    ["health", "Health"],
  ],
  label: [
    ["samples", "Samples"],
    ["confusion", "Confusion"],
    ["classes", "Classes"],
    ["noise", "Noise"],
    ["groups", "Groups"],
  ],
};

const kindOf = (meta) => (meta.has_thumbnails ? "image" : "text");

// on: { open(id), decide(kind, ids), cell(given, suggested), values(key, names) }
export async function showPanel(host, name, context) {
  const panel = { duplicates, leaks, rejects, health, confusion, classes, noise, groups }[name];
  host.classList.add("stale");
  try {
    const node = await panel(context);
    if (context.current()) host.replaceChildren(node);
  } finally {
    host.classList.remove("stale");
  }
}

const scroller = (...children) => h("div", { class: "panel", tabindex: "0" }, ...children);
const nothing = (text) => h("p", { class: "nothing" }, text);

async function duplicates({ meta, snapshot, filter, on }) {
  const node = scroller(),
    load = async (offset) => {
      const { total, groups } = await api.duplicates(snapshot, { filter, offset, limit: 30 });
      if (!offset)
        node.append(
          h(
            "p",
            { class: "lead" },
            total ? `${number(total)} groups of duplicates; the kept one comes first.` : "",
          ),
        );
      if (!total) return node.append(nothing("No duplicates here."));
      for (const group of groups)
        node.append(
          h(
            "div",
            { class: "dup" },
            h(
              "div",
              { class: "dup-head" },
              h("b", {}, `${number(group.n)} copies`),
              h(
                "span",
                { class: "small" },
                [...new Set(group.members.filter((m) => !m.keep).map((m) => m.tier))].join(", "),
              ),
              api.offline
                ? null
                : h(
                    "button",
                    {
                      type: "button",
                      class: "quiet",
                      title: "Drop every copy but the kept one",
                      onclick: () =>
                        on.decide(
                          "drop",
                          group.members.filter((m) => !m.keep).map((m) => m.id),
                        ),
                    },
                    "Drop copies",
                  ),
              api.offline
                ? null
                : h(
                    "button",
                    {
                      type: "button",
                      class: "quiet",
                      title: "They are not duplicates: keep all",
                      onclick: () =>
                        on.decide(
                          "keep",
                          group.members.map((m) => m.id),
                        ),
                    },
                    "Keep all",
                  ),
            ),
            h(
              "div",
              { class: `strip ${kindOf(meta) === "image" ? "" : "texts"}` },
              group.members.map((m) =>
                card(m, snapshot, {
                  kind: kindOf(meta),
                  note: m.keep ? null : figure(m.similarity),
                  onopen: (c) => on.open(c.id),
                }),
              ),
            ),
          ),
        );
      node.querySelector(".more")?.remove();
      if (offset + groups.length < total)
        node.append(
          h(
            "button",
            { type: "button", class: "more", onclick: () => load(offset + groups.length) },
            `Show more of ${number(total)}`,
          ),
        );
    };
  await load(0);
  return node;
}

async function leaks({ meta, snapshot, filter, on }) {
  const node = scroller();
  let pair = "";
  const load = async (offset) => {
    const answer = await api.leaks(snapshot, { filter, offset, limit: 40, pair });
    if (!offset) {
      node.replaceChildren(
        ...(answer.pairs.length
          ? [
              h(
                "div",
                { class: "pairs" },
                [["", answer.pairs.reduce((sum, [, n]) => sum + n, 0)], ...answer.pairs].map(([name, n]) =>
                  h(
                    "button",
                    {
                      type: "button",
                      class: "pill",
                      "aria-pressed": String(name === pair),
                      onclick: () => {
                        pair = name;
                        load(0);
                      },
                    },
                    name || "All splits",
                    h("b", {}, number(n)),
                  ),
                ),
              ),
            ]
          : [nothing("No sample has a duplicate in another split.")]),
      );
      if (answer.pairs.length && !answer.total) node.append(nothing("None among the selected samples."));
    }
    for (const leak of answer.leaks)
      node.append(
        h(
          "div",
          { class: "leak" },
          [leak.a, leak.b].map((side) =>
            h(
              "div",
              {},
              h("span", { class: "small" }, side.split ?? ""),
              card(side, snapshot, { kind: kindOf(meta), onopen: (c) => on.open(c.id) }),
            ),
          ),
          h(
            "div",
            { class: "tie" },
            h("b", {}, figure(leak.similarity)),
            h("span", { class: "small" }, leak.tier),
          ),
        ),
      );
    node.querySelector(".more")?.remove();
    const shown = node.querySelectorAll(".leak").length;
    if (shown < answer.total)
      node.append(
        h(
          "button",
          { type: "button", class: "more", onclick: () => load(shown) },
          `Show more of ${number(answer.total)}`,
        ),
      );
  };
  await load(0);
  return node;
}

function table(columns, rows, row = (cells) => h("tr", {}, cells)) {
  return h(
    "table",
    { class: "grid" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        columns.map((c) => h("th", { class: c.num ? "num" : "", title: c.title }, c.name)),
      ),
    ),
    h(
      "tbody",
      {},
      rows.map((line) =>
        row(
          columns.map((c) => h("td", { class: c.num ? "num" : "" }, c.show(line))),
          line,
        ),
      ),
    ),
  );
}

const records = (answer) =>
  answer.rows.map((row) => Object.fromEntries(answer.columns.map((name, at) => [name, row[at]])));
const cut = (text, most = 200) => (text === null || text === undefined ? "–" : String(text).slice(0, most));

async function rejects({ snapshot }) {
  const node = scroller(),
    answer = await api.table(snapshot, "rejects"),
    lines = records(answer);
  if (!answer.total) return scroller(nothing("Nothing was rejected."));
  const reasons = new Map();
  for (const line of lines) reasons.set(line.reason, (reasons.get(line.reason) ?? 0) + 1);
  const pills = h("div", { class: "pairs" }),
    body = h("div", {});
  const show = (only) => {
    pills.replaceChildren(
      ...[["", lines.length], ...[...reasons].sort((a, b) => b[1] - a[1])].map(([reason, n]) =>
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
          { name: "File", show: (l) => cut(l.uri ?? l.sample_id) },
          {
            name: "Reason",
            show: (l) =>
              h(
                "span",
                {},
                words(l.reason),
                l.detail ? h("span", { class: "small block" }, cut(l.detail, 400)) : null,
              ),
          },
          { name: "Stage", show: (l) => l.stage },
        ],
        lines.filter((l) => !only || l.reason === only),
      ),
    );
  };
  show("");
  node.append(h("p", { class: "lead" }, `${number(answer.total)} files were not carried on.`), pills, body);
  if (answer.total > lines.length)
    node.append(
      h(
        "p",
        { class: "small" },
        `The first ${number(lines.length)} are shown; query the table \`rejects\` for all.`,
      ),
    );
  return node;
}

async function health({ snapshot, meta }) {
  const [checks, metrics] = await Promise.all([
    api.table(snapshot, "embedding_health"),
    api.table(snapshot, "dataset_metrics"),
  ]);
  return scroller(
    h("h3", {}, "Dataset"),
    h(
      "dl",
      { class: "figures" },
      records(metrics).map((m) =>
        h(
          "div",
          { title: cut(m.note, 300) },
          h("dt", {}, words(m.metric.replace(/^n_/, ""))),
          h("dd", {}, figure(m.value)),
        ),
      ),
    ),
    h("h3", {}, "Embedding"),
    table(
      [
        {
          name: "",
          show: (l) =>
            h(
              "span",
              { class: l.ok ? "ok" : "bad", "aria-label": l.ok ? "fine" : "not fine" },
              l.ok ? "●" : "▲",
            ),
        },
        {
          name: "Check",
          show: (l) =>
            h(
              "span",
              {},
              words(l.check),
              l.note ? h("span", { class: "small block" }, cut(l.note, 300)) : null,
            ),
        },
        { name: "Value", num: true, show: (l) => figure(l.value) },
        { name: "Wanted", show: (l) => l.wanted },
      ],
      records(checks),
    ),
  );
}

async function confusion({ snapshot, on, filter }) {
  const { classes, cells, total, left_out } = await api.confusion(snapshot);
  if (!total) return scroller(nothing("No label is under suspicion."));
  const at = new Map(classes.map((name, place) => [name, place])),
    most = Math.max(...cells.map((cell) => cell[2]));
  const grid = h("div", {
    class: "matrix",
    role: "grid",
    "aria-label": "Given label by suggested label",
    vars: { "--n": classes.length },
  });
  classes.forEach((name, place) => {
    grid.append(
      h(
        "span",
        { class: "row-name", title: name.slice(0, 300), vars: { "--row": place + 2 } },
        name.slice(0, 60),
      ),
    );
    grid.append(
      h(
        "span",
        { class: "column-name", title: name.slice(0, 300), vars: { "--column": place + 2 } },
        h("span", {}, name.slice(0, 60)),
      ),
    );
    grid.append(h("i", { class: "diagonal", vars: { "--row": place + 2, "--column": place + 2 } }));
  });
  for (const [given, suggested, count] of cells) {
    const on_ = filter.cell && filter.cell[0] === given && filter.cell[1] === suggested;
    grid.append(
      h(
        "button",
        {
          type: "button",
          class: `cell ${on_ ? "on" : ""} ${count / most > 0.5 ? "strong" : ""}`,
          vars: {
            "--row": at.get(given) + 2,
            "--column": at.get(suggested) + 2,
            "--share": 0.16 + 0.84 * Math.sqrt(count / most),
          },
          "aria-pressed": String(Boolean(on_)),
          title: `${count} labelled ${given.slice(0, 80)} that look like ${suggested.slice(0, 80)}`,
          onclick: () => on.cell(given, suggested),
        },
        String(count),
      ),
    );
  }
  const worst = cells
    .slice(0, 12)
    .map(([given, suggested, count]) =>
      h(
        "button",
        { type: "button", class: "confused", onclick: () => on.cell(given, suggested) },
        h("span", { class: "given" }, given.slice(0, 80)),
        h("span", {}, "→"),
        h("span", { class: "suggested" }, suggested.slice(0, 80)),
        h("b", {}, number(count)),
      ),
    );
  return scroller(
    h(
      "p",
      { class: "lead" },
      `${number(total)} suspicious labels. Rows are the given label, columns the suggested one; a cell selects its samples.`,
      left_out ? ` The ${classes.length} busiest classes are shown, ${left_out} are left out.` : "",
    ),
    h("div", { class: "matrix-frame" }, grid),
    h("h3", {}, "Most frequent confusions"),
    h("div", { class: "confusions" }, worst),
  );
}

function bar(value, most = 1) {
  return h(
    "span",
    { class: "inline" },
    h("i", { vars: { "--share": `${Math.max(0, Math.min(100, (100 * (value ?? 0)) / most))}%` } }),
    h("span", {}, value === null ? "–" : most === 1 ? percent(value) : figure(value)),
  );
}

async function classes({ meta, snapshot, on, filter }) {
  const lines = records(await api.table(snapshot, "classes", 0, 500));
  const columns = [
    {
      name: "Class",
      key: "label",
      show: (l) =>
        h(
          "button",
          {
            type: "button",
            class: "link",
            onclick: () => (meta.label_separator ? on.carries([l.label]) : on.values("label", [l.label])),
          },
          cut(l.label, 80),
        ),
    },
    { name: "Samples", key: "n", num: true, show: (l) => number(l.n) },
    {
      name: "Noise",
      key: "noise",
      title: "Estimated share of wrong labels",
      num: true,
      show: (l) => bar(l.noise),
    },
    { name: "Flagged", key: "n_issues", num: true, show: (l) => number(l.n_issues) },
    {
      name: "Separable",
      key: "separability",
      title: "Mean silhouette on the neighbour graph, −1 to 1",
      num: true,
      show: (l) => figure(l.separability),
    },
    {
      name: "Purity",
      key: "purity",
      title: "Mean share of neighbours with the same label",
      num: true,
      show: (l) => percent(l.purity),
    },
    {
      name: "Probe",
      key: "probe_accuracy",
      title: "Out-of-fold recall of a linear probe",
      num: true,
      show: (l) => percent(l.probe_accuracy),
    },
    { name: "Confused with", key: "overlap_label", show: (l) => cut(l.overlap_label, 60) },
    { name: "Coverage", key: "coverage", num: true, show: (l) => percent(l.coverage) },
    { name: "Imbalance", key: "imbalance", num: true, show: (l) => figure(l.imbalance) },
  ];
  const node = scroller();
  let by = "noise",
    down = true;
  const show = () => {
    const value = (line) => line[by] ?? -Infinity;
    lines.sort((a, b) => (value(a) < value(b) ? 1 : value(a) > value(b) ? -1 : 0) * (down ? 1 : -1));
    const sheet = table(columns, lines);
    [...sheet.querySelectorAll("th")].forEach((th, place) => {
      const c = columns[place];
      th.replaceChildren(
        h(
          "button",
          {
            type: "button",
            class: "sort",
            "aria-pressed": String(by === c.key),
            onclick: () => {
              down = by === c.key ? !down : true;
              by = c.key;
              show();
            },
          },
          c.name,
          by === c.key ? (down ? " ↓" : " ↑") : "",
        ),
      );
    });
    node.replaceChildren(
      h("p", { class: "lead" }, `${number(lines.length)} classes.`),
      h("div", { class: "wide" }, sheet),
    );
  };
  show();
  return node;
}

async function noise({ snapshot, on }) {
  const answer = await api.table(snapshot, "label_noise", 0, 500);
  const lines = records(answer)
    .filter((l) => l.label !== l.true_label && l.rate > 0)
    .sort((a, b) => b.count - a.count || b.rate - a.rate);
  if (!lines.length) return scroller(nothing("No noise between classes was estimated."));
  return scroller(
    h(
      "p",
      { class: "lead" },
      "Of the samples with the given label, the estimated share that truly are another class, with its 95% interval.",
    ),
    table(
      [
        {
          name: "Given",
          show: (l) =>
            h(
              "button",
              { type: "button", class: "link given", onclick: () => on.cell(l.label, l.true_label) },
              cut(l.label, 60),
            ),
        },
        { name: "Truly", show: (l) => cut(l.true_label, 60) },
        { name: "Rate", num: true, show: (l) => percent(l.rate) },
        {
          name: "95%",
          num: true,
          show: (l) => h("span", { class: "small" }, `${percent(l.rate_low)} – ${percent(l.rate_high)}`),
        },
        { name: "Samples", num: true, show: (l) => figure(Math.round(l.count * 10) / 10) },
      ],
      lines.slice(0, 300),
    ),
  );
}

async function groups({ snapshot, on }) {
  const lines = records(await api.table(snapshot, "groups", 0, 500));
  if (!lines.length) return scroller(nothing("The source has no further columns to group by."));
  return scroller(
    h("p", { class: "lead" }, "Rates of each kind of issue by the values of the source's further columns."),
    h(
      "div",
      { class: "wide" },
      table(
        [
          { name: "Column", show: (l) => cut(l.column, 60) },
          {
            name: "Value",
            show: (l) =>
              h(
                "button",
                { type: "button", class: "link", onclick: () => on.values(`columns.${l.column}`, [l.value]) },
                cut(l.value, 60),
              ),
          },
          { name: "Samples", num: true, show: (l) => number(l.n) },
          { name: "Label issues", num: true, show: (l) => percent(l.label_issue_rate) },
          { name: "Outliers", num: true, show: (l) => percent(l.outlier_rate) },
          { name: "Duplicates", num: true, show: (l) => percent(l.duplicate_rate) },
          {
            name: "Probe AUC",
            title: "How well this value can be read off the vectors; 0.5 is chance",
            num: true,
            show: (l) => figure(l.probe_auc),
          },
          { name: "Accuracy", num: true, show: (l) => percent(l.probe_accuracy) },
        ],
        lines,
      ),
    ),
  );
}
