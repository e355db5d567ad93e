// The first page: what the night found, what changed, what is worth doing, and whether it can be trusted.
import { api } from "./api.js";
import { page } from "./context.js";
import { h } from "./dom.js";
import { sparkline } from "./sparkline.js";
import { openExports } from "./takeaway.js";
import { counted, figure, number, words } from "./words.js";

const TITLES = {
  n_samples: "Samples",
  n_label_issues: "Label issues",
  n_duplicates: "Copies",
  n_leaks: "Leaks",
  n_outliers: "Outliers",
  n_rejects: "Rejects",
};
const LEADS = {
  // where a headline number leads
  n_samples: { page: "map" },
  n_label_issues: { page: "review", queue: "label_issue" },
  n_duplicates: { page: "review", queue: "duplicate" },
  n_leaks: { page: "review", queue: "leak" },
  n_outliers: { page: "review", queue: "outlier" },
  n_rejects: { page: "tables", sheet: "rejects" },
};

const go = (to) => () => page.change({ filter: {}, sample: null, ...(api.offline ? unreviewed(to) : to) });

// A file without a server has no review: a queue's samples are shown on the map instead.
function unreviewed(to) {
  if (to.page !== "review") return to;
  const tab = { duplicate: "duplicates", leak: "leaks" }[to.queue];
  return tab ? { page: "map", tab } : { page: "map", tab: "samples", filter: { flags: [to.queue] } };
}

export async function showOverview(host) {
  const meta = page.meta,
    told = await api.overview(meta.number);
  if (page.meta !== meta) return;
  host.replaceChildren(
    h(
      "div",
      { class: "overview" },
      h("p", { class: "headline" }, told.sentence),
      h(
        "p",
        { class: "quiet-line" },
        `${when(meta.created_at)} · `,
        told.parent === null ? "the first snapshot" : `compared with v${told.parent}`,
      ),
      figures(told),
      gates(told.gates),
      h(
        "div",
        { class: "columns" },
        h("div", {}, worth(told), told.changes ? changed(told) : null),
        h("div", {}, trust(told.health), rejected(told.rejects)),
      ),
    ),
  );
  host.dataset.ready = String(meta.number);
}

const when = (stamp) => `${stamp.slice(0, 16).replace("T", " ")} UTC`;

// The headline numbers, each with its line over the snapshots and a way to its samples.
function figures(told) {
  const tiles = told.history
    .filter((line) => line.name in TITLES)
    .map((line) => {
      const now = line.values.at(-1),
        before = line.values.at(-2),
        title = TITLES[line.name];
      const moved = Number.isFinite(before) ? now - before : 0;
      const good = line.name === "n_samples" ? "" : moved > 0 ? "worse" : "better";
      const says = moved
        ? `${moved > 0 ? "+" : "−"}${number(Math.abs(moved))}`
        : line.values.length > 1
          ? "as before"
          : "";
      return h(
        "button",
        {
          type: "button",
          class: `tile ${now && line.name !== "n_samples" ? "hot" : ""}`,
          onclick: go(LEADS[line.name]),
        },
        h("span", { class: "small" }, title),
        h("b", {}, number(now)),
        h("span", { class: `delta ${moved ? good : ""}` }, says),
        line.values.length > 1
          ? sparkline(line.values, `${title} over ${counted(line.values.length, "snapshot")}`)
          : null,
      );
    });
  return h("div", { class: "numbers" }, tiles);
}

function gates(list) {
  if (!list.length) return null;
  return h(
    "ul",
    { class: "gates" },
    list.map((gate) =>
      h(
        "li",
        { class: gate.ok ? "ok" : "bad" },
        gate.ok ? "✓ gate passed: " : gate.level === "warn" ? "! gate warns: " : "✕ gate failed: ",
        gate.says,
      ),
    ),
  );
}

function worth(told) {
  const queued = told.queues.length > 0,
    left = told.queues.reduce((sum, queue) => sum + queue.total - queue.done, 0);
  const rows = told.worth.map((thing) =>
    h(
      "li",
      { class: "thing" },
      h(
        "div",
        { class: "grow" },
        h("b", {}, thing.title),
        h("span", { class: "small block" }, `${thing.why}.`),
      ),
      h(
        "span",
        { class: "size" },
        h("b", {}, number(thing.n)),
        ` ${thing.unit}${thing.done ? ` left, ${number(thing.done)} done` : ""}`,
      ),
      h(
        "button",
        {
          type: "button",
          class: "primary",
          "aria-label": `${thing.button}: ${thing.title}`,
          onclick: go(thing.go),
        },
        thing.button,
      ),
    ),
  );
  const more = told.queues.filter(
    (q) => q.done < q.total && !told.worth.some((thing) => thing.go.queue === q.key),
  );
  const done = told.queues.filter((q) => q.done >= q.total);
  return h(
    "section",
    {},
    h("h2", {}, "Worth doing"),
    queued && !left ? finished(told) : null,
    h("ol", { class: "things" }, rows),
    more.length
      ? h(
          "p",
          { class: "small" },
          "Then: ",
          more.map((q, at) => [
            at ? ", " : "",
            h(
              "button",
              { type: "button", class: "link", onclick: go({ page: "review", queue: q.key }) },
              `${q.title.toLowerCase()} (${number(q.total - q.done)})`,
            ),
          ]),
        )
      : null,
    done.length
      ? h("p", { class: "small done" }, `✓ Done: ${done.map((q) => q.title.toLowerCase()).join(", ")}.`)
      : null,
  );
}

function finished(told) {
  const total = told.queues.reduce((sum, queue) => sum + queue.total, 0);
  return h(
    "div",
    { class: "finished" },
    h("b", {}, "Everything is reviewed."),
    h("span", {}, ` ${number(total)} findings are decided; the next night respects them.`),
    api.offline
      ? null
      : h(
          "button",
          {
            type: "button",
            class: "primary",
            onclick: (event) => openExports(event.currentTarget, told.headline.n_samples, {}),
          },
          "Take the cleaned dataset",
        ),
  );
}

function changed({ changes, parent }) {
  const { counts, fixed, new: fresh, anew } = changes;
  const moved = [
    ["added", "added"],
    ["removed", "removed"],
    ["label_changed", "with another label"],
    ["content_changed", "with another content"],
    ["moved", "under another name"],
  ]
    .filter(([key]) => counts[key])
    .map(([key, says]) => `${number(counts[key])} ${says}`);
  const named = ({ metrics }) =>
    metrics
      .slice(0, 5)
      .map(([metric, n]) => `${number(n)} ${words(metric).toLowerCase()}`)
      .join(", ");
  const line = (name, group, says, kind) =>
    h(
      "li",
      { class: `${kind} ${group.n ? "" : "none"}` },
      h("b", {}, number(group.n)),
      h(
        "span",
        {},
        h("strong", {}, name),
        ` ${says}`,
        group.n ? h("span", { class: "small block" }, named(group)) : null,
      ),
    );
  const judged = {
    n: anew.up.n + anew.down.n,
    metrics: [
      ...anew.up.metrics.map(([m, n]) => [`more ${m}`, n]),
      ...anew.down.metrics.map(([m, n]) => [`fewer ${m}`, n]),
    ],
  };
  return h(
    "section",
    {},
    h("h2", {}, `Since v${parent}`),
    h(
      "ul",
      { class: "changed" },
      line("fixed", fixed, "issues of samples that were mended or removed", "good"),
      line("new", fresh, "issues of samples that came or changed", "bad"),
      line("judged differently", judged, "where the sample is the same, but what is known around it is not", ""),
    ),
    h(
      "p",
      { class: "small" },
      moved.length ? `Samples: ${moved.join(", ")}. ` : "No sample came, went or changed its label. ",
      api.offline
        ? null
        : h(
            "button",
            { type: "button", class: "link", onclick: go({ page: "compare", other: parent }) },
            "Compare side by side",
          ),
    ),
  );
}

function trust(lines) {
  if (!lines.length) return null;
  return h(
    "section",
    {},
    h("h2", {}, "Can it be trusted?"),
    h(
      "ul",
      { class: "trust" },
      lines.map((line) =>
        h(
          "li",
          { class: line.ok ? "ok" : "bad" },
          h("span", { class: "sign", "aria-hidden": "true" }, line.ok ? "✓" : "!"),
          h(
            "span",
            {},
            h("b", {}, line.title),
            ` ${line.says}`,
            line.failed.map((check) =>
              h(
                "span",
                { class: "small block" },
                `${check.title}: ${figure(check.value)}, wanted ${check.wanted}${check.note ? `. ${check.note}` : ""}`,
              ),
            ),
          ),
        ),
      ),
    ),
    h(
      "button",
      { type: "button", class: "link small", onclick: go({ page: "tables", sheet: "health" }) },
      "All checks and numbers",
    ),
  );
}

function rejected(lines) {
  const total = lines.reduce((sum, line) => sum + line.n, 0);
  if (!total)
    return h("section", {}, h("h2", {}, "Rejects"), h("p", { class: "small" }, "Every file could be used."));
  return h(
    "section",
    {},
    h("h2", {}, `Rejects: ${number(total)}`),
    h(
      "ul",
      { class: "rejected" },
      lines
        .slice(0, 6)
        .map((line) =>
          h(
            "li",
            {},
            h("b", {}, number(line.n)),
            h(
              "span",
              {},
              words(line.reason),
              line.example ? h("span", { class: "small block" }, `such as ${line.example}`) : null,
            ),
          ),
        ),
    ),
    h(
      "button",
      { type: "button", class: "link small", onclick: go({ page: "tables", sheet: "rejects" }) },
      "Every one, with its reason",
    ),
  );
}
