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

// One badge for the number that the list is sorted by, red where that very metric flags the sample; the others say
// what was decided and which copy is kept.
function badges(data, note, metric) {
  const marks = [];
  if (note) marks.push(h("b", { class: "mark" }, note));
  else if (data.keep !== true && Number.isFinite(data.similarity))
    marks.push(h("b", { class: "mark" }, score(data.similarity)));
  else if (Number.isFinite(data.value))
    marks.push(
      h(
        "b",
        { class: `mark ${data.issues.includes(metric) ? "hot" : ""}` },
        data.value > 1 ? figure(data.value) : score(data.value),
      ),
    );
  if (data.keep === true) marks.push(h("b", { class: "mark kept" }, "kept"));
  if (data.decision) marks.push(h("b", { class: "mark decided" }, words(data.decision).slice(0, 40)));
  return h("span", { class: "marks" }, marks);
}
