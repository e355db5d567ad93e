// A sample as a card: its face, one badge, its label and what it looks like instead.
import { h } from "./dom.js";
import { faceOf } from "./faces.js";
import { figure, middle, score, words } from "./words.js";

// options: { meta, note, chosen, onclick(event, data), metric (what the list is sorted by) }
export function card(data, snapshot, options) {
  const { meta, note, chosen = false, onclick } = options,
    face = faceOf(meta);
  const wrong = isWrong(data),
    decided = data.decision ? "decided" : "";
  return h(
    "button",
    {
      type: "button",
      class: `card ${face.shape} ${decided} ${chosen ? "chosen" : ""}`,
      data: { row: data.row, id: data.id },
      title: data.id.slice(0, 300),
      "aria-pressed": chosen ? "true" : null,
      onclick: (event) => onclick?.(event, data),
    },
    h("span", { class: "picture" }, face.small(data, snapshot), badges(data, note, options.metric)),
    caption(data, wrong, face.shape === "lines" ? 48 : 24),
    h(
      "span",
      { class: "unseen" },
      data.issues.map((name) => `, ${words(name).toLowerCase()}`),
    ),
  );
}

// Whether the given label is under suspicion and another one is suggested.
export const isWrong = (data) =>
  Boolean(data.suggested) &&
  data.label !== null &&
  data.suggested !== data.label &&
  data.issues.includes("label_issue");

function caption(data, wrong, most) {
  if (!wrong)
    return h(
      "span",
      { class: "caption" },
      h("span", { class: "label" }, middle(data.label ?? data.caption ?? "no label", 80)),
    );
  return h(
    "span",
    { class: "caption" },
    h("span", { class: "label given" }, middle(data.label, most)),
    h("span", { class: "suggested" }, `→ ${middle(data.suggested, most + 2)}`),
  );
}

const DECIDED = {
  "label accepted": "relabelled",
  "label confirmed": "label right",
  keep: "to keep",
  drop: "dropped",
};
const short = (decision) => DECIDED[decision] ?? words(decision).slice(0, 40);

// One badge with the name and the number of what the list is sorted by, red where that very metric flags the sample;
// none where the caption says it already. The others say what was decided and which copy is kept.
function badges(data, note, metric) {
  const marks = [];
  const mark = (name, value, title, hot = false) =>
    marks.push(
      h("b", { class: `mark ${hot ? "hot" : ""}`, title }, h("span", { class: "what" }, name), h("span", {}, value)),
    );
  if (note) marks.push(h("b", { class: "mark" }, note));
  else if (data.keep !== true && Number.isFinite(data.similarity))
    mark("alike", score(data.similarity), "How alike: 1 is the same");
  else if (Number.isFinite(data.value) && !(metric === "label_issue" && isWrong(data))) {
    const name = metric === "label_issue" ? "suspicion" : words(metric.split(".").at(-1)).toLowerCase();
    const value = data.value > 1 ? figure(data.value) : score(data.value);
    mark(name, value, `${name}: ${value}`, data.issues.includes(metric));
  }
  if (data.keep === true) marks.push(h("b", { class: "mark kept" }, "kept"));
  if (data.decision) marks.push(h("b", { class: "mark decided", title: words(data.decision) }, short(data.decision)));
  return h("span", { class: "marks" }, marks);
}
