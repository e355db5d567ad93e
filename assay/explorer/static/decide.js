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
  // of one, of many
  no_suggestion: ["has no suggestion", "have no suggestion"],
  no_label: ["has no label", "have no label"],
  same_label: ["carries that label already", "carry that label already"],
  decided: ["is decided so already", "are decided so already"],
};
const made = []; // decisions of this page, the newest last: { batches, back() }

// Decisions and undoings, one after the other in the order of the keys: an undo waits for what it takes back.
let turn = Promise.resolve();
const inTurn = (run) => (turn = turn.then(run, run));

export const unchangedWords = (unchanged) =>
  Object.entries(unchanged)
    .map(([reason, n]) => counted(n, ...WHY[reason]))
    .join(", ");

// what: { kind, value, ids | filter }. `back` runs when this decision is undone. Gives the answer, or null.
export async function decide(what, options = {}) {
  const [answer = null] = await decideAll([what], { text: DONE[what.kind], ...options });
  return answer;
}

// Decisions that belong together, and are undone together; after one that fails none is made. Gives the answers.
export function decideAll(list, { text, back = null, quiet = false } = {}) {
  const { number: snapshot } = page.meta;
  return inTurn(async () => {
    const answers = [],
      batches = [];
    try {
      for (const what of list) {
        answers.push(await api.decide(snapshot, what));
        if (answers.at(-1).batch) batches.push(answers.at(-1).batch);
      }
      if (!quiet || !batches.length) announce(answers.at(-1), text);
    } catch (error) {
      toast(error.message);
    }
    if (batches.length) made.push({ batches, back });
    if (answers.length) await readAnew();
    return answers;
  });
}

// What was written stays so, should the page fail to show it.
const readAnew = async () => {
  try {
    await page.decided();
  } catch (error) {
    toast(error.message);
  }
};

function announce({ batch, n, unchanged }, text) {
  const rest = unchangedWords(unchanged ?? {});
  if (!batch) return toast(`Nothing to change: ${rest || "it is decided so already"}.`);
  toast(`${text}: ${counted(n, "sample")}${rest ? ` (${rest})` : ""}.`, {
    name: "Undo",
    run: () => undo(batch),
  });
}

// Undo one batch, or the last decision of this page, or else the newest that stands.
export function undo(batch = null) {
  const { number: snapshot } = page.meta;
  return inTurn(async () => {
    try {
      const last = batch ? made.find((one) => one.batches.includes(batch)) : made.at(-1);
      const wanted = batch ? [batch] : (last?.batches.slice().reverse() ?? (await newest()));
      if (!wanted.length) return toast("There is nothing to undo.");
      for (const one of wanted) {
        await api.undo(snapshot, one);
        if (last) last.batches = last.batches.filter((other) => other !== one);
      }
      const isWhole = last && !last.batches.length;
      if (isWhole) made.splice(made.indexOf(last), 1);
      toast("Undone.");
      await readAnew();
      if (isWhole) last.back?.();
    } catch (error) {
      toast(error.message);
    }
  });
}

async function newest() {
  const { batches } = await api.decisions();
  return batches
    .filter((one) => !one.undone)
    .slice(0, 1)
    .map((one) => one.batch);
}

// Ask for any label, then give it to the samples. `after` runs when it is given, `back` when that is undone.
export function askLabel(from, what, { after = null, back = null } = {}) {
  const form = typeahead({
    title: "Another label",
    names: page.classes,
    fresh: "new class",
    button: "Give this label",
    done: async (value) => {
      closeMenu();
      const answer = await decide(
        { ...what, kind: "accept_label", value },
        { text: `Labelled ${value.slice(0, 60)}`, back },
      );
      if (answer) after?.();
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
