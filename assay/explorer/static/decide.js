// Decisions: making them, saying what they will do before they touch many, and taking them back.
import { api } from "./api.js";
import { page } from "./context.js";
import { h, toast } from "./dom.js";
import { closeMenu, openMenu } from "./menu.js";
import { typeahead } from "./typeahead.js";
import { counted, number } from "./words.js";

export const DONE = {
  accept_label: "Label given",
  reject_label: "Label confirmed",
  keep: "Kept",
  drop: "Dropped",
  tag: "Tagged",
};
const WHY = {
  no_suggestion: "have no suggestion",
  same_label: "carry that label already",
  decided: "are decided so already",
};
const made = []; // batches of this page, the newest last: { batch, back() }

export const unchangedWords = (unchanged) =>
  Object.entries(unchanged)
    .map(([reason, n]) => `${number(n)} ${WHY[reason]}`)
    .join(", ");

// what: { kind, value, ids | filter }. `back` runs when this decision is undone. Gives the answer, or null.
export async function decide(what, { text = DONE[what.kind], back = null, quiet = false } = {}) {
  try {
    const answer = await api.decide(page.meta.number, what);
    if (answer.batch) made.push({ batch: answer.batch, back });
    if (!quiet || !answer.batch) announce(answer, text);
    await page.decided();
    return answer;
  } catch (error) {
    toast(error.message);
    return null;
  }
}

function announce({ batch, n, unchanged }, text) {
  const rest = unchangedWords(unchanged ?? {});
  if (!batch) return toast(`Nothing to change: ${rest || "it is decided so already"}.`);
  toast(`${text}: ${counted(n, "sample")}${rest ? ` (${rest})` : ""}.`, {
    name: "Undo",
    run: () => undo(batch),
  });
}

// Undo one batch, or the last of this page, or else the newest that stands.
export async function undo(batch = null) {
  try {
    const wanted = batch ?? made.at(-1)?.batch ?? (await newest());
    if (!wanted) return toast("There is nothing to undo.");
    await api.undo(page.meta.number, wanted);
    const place = made.findIndex((one) => one.batch === wanted);
    const back = place >= 0 ? made.splice(place, 1)[0].back : null;
    toast("Undone.");
    await page.decided();
    back?.();
  } catch (error) {
    toast(error.message);
  }
}

async function newest() {
  const { batches } = await api.decisions();
  return batches.find((one) => !one.undone)?.batch ?? null;
}

// Ask for any label, then give it to the samples.
export function askLabel(from, what, after = null) {
  const form = typeahead({
    title: "Another label",
    names: page.classes,
    fresh: "new class",
    button: "Give this label",
    done: async (value) => {
      closeMenu();
      const answer = await decide(
        { ...what, kind: "accept_label", value },
        { text: `Labelled ${value.slice(0, 60)}` },
      );
      if (answer) after?.(answer, value);
    },
  });
  openMenu(from, form, { label: "Give another label" });
}

export function askTag(from, what) {
  const form = typeahead({
    title: "Tag",
    names: page.tags,
    fresh: "new tag",
    button: "Tag",
    done: (value) => {
      closeMenu();
      decide({ ...what, kind: "tag", value }, { text: `Tagged ${value.slice(0, 60)}` });
    },
  });
  openMenu(from, form, { label: "Tag" });
}

const ACTIONS = [
  ["accept_label", "Accept the suggested labels"],
  ["reject_label", "The given labels are right"],
  ["keep", "Keep them"],
  ["drop", "Drop them"],
];

// A menu of what can be decided about many samples; each line says what it would change, and to how many.
export async function askMany(from, what, n) {
  const list = h("div", { class: "items" }, h("p", { class: "small" }, `For ${counted(n, "sample")}:`));
  const lines = ACTIONS.map(([kind, text]) => {
    const note = h("span", { class: "small" }, "…"),
      run = () => {
        closeMenu();
        decide({ ...what, kind });
      };
    const line = h("button", { type: "button", class: "item", disabled: true, onclick: run }, text, note);
    list.append(line);
    return { kind, line, note };
  });
  const other = (text, run) => h("button", { type: "button", class: "item", onclick: run }, text);
  list.append(
    other("Give another label …", () => askLabel(from, what)),
    other("Tag …", () => askTag(from, what)),
  );
  openMenu(from, list, { label: "Decide about many samples" });
  await Promise.all(
    lines.map(async ({ kind, line, note }) => {
      try {
        const answer = await api.decide(page.meta.number, { ...what, kind, dry: true });
        const rest = unchangedWords(answer.unchanged);
        note.textContent = [answer.n ? `changes ${number(answer.n)}` : "changes nothing", rest]
          .filter(Boolean)
          .join("; ");
        line.disabled = answer.n === 0;
      } catch (error) {
        note.textContent = error.message;
      }
    }),
  );
}

export function sentence(decision) {
  const value = Array.isArray(decision.value) ? decision.value.filter(Boolean).join(", ") : decision.value;
  const says = {
    accept_label: `label is ${value}`,
    reject_label: "label is right",
    keep: "keep",
    drop: "drop",
    tag: `tag ${value}`,
    untag: `no tag ${value}`,
  }[decision.kind];
  return says?.slice(0, 120) ?? decision.kind;
}
