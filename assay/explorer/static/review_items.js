// How one item of a queue looks, which keys it answers to, and which decisions they make.
import { api } from "./api.js";
import { card } from "./card.js";
import { h } from "./dom.js";
import { faceOf } from "./faces.js";
import { openExports } from "./takeaway.js";
import { counted, percent, shares, words } from "./words.js";

const EXAMPLES = 4; // of a class, beside a suspicious label
const MOST_COPIES = 9;

const drop = (ids) => ({ kind: "drop", ids });
const keep = (ids) => ({ kind: "keep", ids });
const idsOf = (cards) => cards.map((one) => one.id);

// kind → { actions(cards): [[name, text, key, style]], decisions(name, cards, detail): what to write }
export const ITEM_KINDS = {
  label: {
    actions: ([one]) => [
      one.suggested && one.suggested !== one.label
        ? ["accept", `It is ${short(one.suggested)}`, "A", "good"]
        : null,
      one.label === null ? null : ["right", `It is ${short(one.label)}`, "R", ""],
      ["label", "Another label", "L", "other_label"],
      ["drop", "Drop it", "D", ""],
    ],
    decisions: (name, [one]) =>
      ({
        accept: [{ kind: "accept_label", ids: [one.id] }],
        right: [{ kind: "reject_label", ids: [one.id] }],
        drop: [drop([one.id])],
      })[name] ?? [],
  },
  copies: {
    actions: (cards) => [
      ["drop", cards.length > 2 ? `Drop the ${cards.length - 1} copies` : "Drop the copy", "D", "good"],
      ["keep", "Keep all: they differ", "K", ""],
    ],
    decisions: (name, cards, detail) => {
      const kept =
        detail ??
        Math.max(
          0,
          cards.findIndex((one) => one.duplicate === "kept"),
        );
      const others = cards.filter((_, at) => at !== kept);
      if (name === "keep") return [keep(idsOf(cards))];
      if (name === "instead") return [keep([cards[kept].id]), drop(idsOf(others))];
      return name === "drop" ? [drop(idsOf(others))] : [];
    },
  },
  pair: {
    actions: (cards) => [
      [
        "first",
        `Drop the one in ${short(cards[0].split ?? "the first split")}`,
        "1",
        learns(cards[0]) ? "good" : "",
      ],
      [
        "second",
        `Drop the one in ${short(cards[1].split ?? "the second split")}`,
        "2",
        learns(cards[1]) ? "good" : "",
      ],
      ["keep", "Keep both: they differ", "K", ""],
    ],
    decisions: (name, cards) =>
      ({ first: [drop([cards[0].id])], second: [drop([cards[1].id])], keep: [keep(idsOf(cards))] })[name] ??
      [],
  },
  sample: {
    actions: () => [
      ["keep", "Keep: it is fine", "K", ""],
      ["drop", "Drop it", "D", ""],
      ["label", "Another label", "L", "other_label"],
    ],
    decisions: (name, [one]) => ({ keep: [keep([one.id])], drop: [drop([one.id])] })[name] ?? [],
  },
};

// A leak is mended where the model learns: the test keeps its samples.
const learns = (one) => /train/i.test(one.split ?? "");
const KIND_OF = { label_issue: "label", duplicate: "copies", leak: "pair" };
const short = (name) => (name.length > 26 ? `${name.slice(0, 25)}…` : name);

// with: { meta, snapshot, act(name, detail), open(id) } → { node, cards, kind, keys: { key: name } }
export function itemView(key, cards, around) {
  const kind = KIND_OF[key] ?? "sample",
    actions = ITEM_KINDS[kind].actions(cards).filter(Boolean),
    keys = {};
  for (const [name, , letter] of actions) keys[letter.toLowerCase()] = name;
  if (kind === "copies")
    cards.slice(0, MOST_COPIES).forEach((_, at) => {
      keys[String(at + 1)] = ["instead", at];
    });
  const buttons = actions.map(([name, text, letter, style]) =>
    h(
      "button",
      {
        type: "button",
        class: style,
        onclick: () => around.act(name),
      },
      text,
      h("kbd", {}, letter),
    ),
  );
  const skip = h(
    "button",
    { type: "button", class: "skip-item", onclick: () => around.act("skip") },
    "Skip",
    h("kbd", {}, "→"),
  );
  const view = { label: labelItem, copies: copiesItem, pair: pairItem, sample: sampleItem }[kind](
    cards,
    around,
    key,
  );
  const node = h(
    "article",
    { class: `review-item is-${kind}` },
    view,
    h("div", { class: "actions deciding" }, ...buttons, skip),
  );
  return { node, cards, kind, keys };
}

function large(data, { meta, snapshot, open }) {
  const name = h(
    "button",
    {
      type: "button",
      class: "link small id",
      title: "Everything about this sample",
      onclick: () => open(data.id),
    },
    h("bdi", {}, data.id.slice(-400)),
  );
  return h("div", { class: "shown" }, faceOf(meta).large(data, snapshot), h("p", { class: "under" }, name));
}

function labelItem([one], around) {
  const side = h("div", { class: "beside" });
  compare(side, one, around);
  return h(
    "div",
    { class: "two" },
    h(
      "div",
      { class: "shown-side" },
      h(
        "p",
        { class: "question" },
        "Labelled ",
        h("b", { class: "given" }, one.label ?? "nothing"),
        one.suggested && one.suggested !== one.label
          ? [" but looks like ", h("b", { class: "suggested" }, one.suggested)]
          : null,
      ),
      large(one, around),
    ),
    side,
  );
}

// The neighbours with their labels, and typical samples of both classes: what the suggestion was made from.
async function compare(host, one, { meta, snapshot, open }) {
  const onclick = (_, found) => open(found.id);
  const strip = (list) =>
    h(
      "div",
      { class: `strip ${faceOf(meta).shape}` },
      list.map((data) => card(data, snapshot, { meta, onclick })),
    );
  const bare = (data) => ({ ...data, value: null });
  const typical = async (label) =>
    (
      await api.gallery(snapshot, {
        filter: { values: { label: [label] } },
        sort: "label_issues.score",
        descending: false,
        offset: 0,
        limit: EXAMPLES,
      })
    ).cards.map(bare);
  const told = await api.sample(snapshot, one.id).catch(() => null);
  const copies = (told?.group ?? []).filter((other) => other.id !== one.id);
  if (copies.length) host.append(h("h3", {}, "Its copies"), strip(copies.slice(0, 8)));
  if (told?.neighbors.length) {
    const near = told.neighbors.slice(0, 8),
      as = (label) => near.filter((other) => other.label === label).length;
    const named = [...new Set([one.suggested, one.label])].filter(Boolean);
    const sure = told.label_issue?.confidence;
    host.append(
      h("h3", {}, "Its nearest neighbours"),
      h(
        "p",
        { class: "small" },
        shares(
          near.length,
          named.map((label) => [short(label), as(label)]),
        ),
        Number.isFinite(sure) && one.suggested ? ` The suggestion is ${percent(sure)} sure.` : "",
      ),
      strip(near),
    );
  }
  for (const label of [...new Set([one.suggested, one.label])].filter(Boolean)) {
    const found = await typical(label).catch(() => []);
    if (found.length) host.append(h("h3", {}, `Typical ${short(label)}`), strip(found));
  }
}

function sampleItem([one], around, key) {
  const side = h("div", { class: "beside" });
  compare(side, { ...one, suggested: null }, around);
  return h(
    "div",
    { class: "two" },
    h(
      "div",
      { class: "shown-side" },
      h(
        "p",
        { class: "question" },
        `${words(key)}?`,
        one.label || !("caption" in one) ? [" Labelled ", h("b", {}, one.label ?? "nothing")] : null,
      ),
      large(one, around),
    ),
    side,
  );
}

function beside(cards, around, head) {
  const differs = h(
    "div",
    { class: "shown difference-host" },
    h("p", { class: "question" }, "Difference"),
    h("p", { class: "small" }, "Comparing …"),
  );
  Promise.resolve(faceOf(around.meta).difference?.(cards[0], cards[1], around.snapshot)).then(
    (node) =>
      node ? differs.replaceChildren(h("p", { class: "question" }, "Difference"), node) : differs.remove(),
    () => differs.remove(),
  );
  return [
    ...cards
      .slice(0, 2)
      .map((one, at) => h("div", { class: "shown-side" }, head(one, at), large(one, around))),
    differs,
  ];
}

function copiesItem(cards, around) {
  const labels = new Set(cards.map((one) => one.label));
  const head = (one, at) =>
    h(
      "p",
      { class: "question" },
      one.duplicate === "kept" ? h("b", { class: "suggested" }, "kept") : "copy",
      labels.size > 1 ? [" · ", h("b", {}, one.label ?? "no label")] : null,
      one.split ? h("span", { class: "small" }, ` ${one.split}`) : null,
      one.duplicate === "kept"
        ? null
        : h(
            "button",
            { type: "button", class: "quiet", onclick: () => around.act("instead", at) },
            "keep this one instead",
            h("kbd", {}, String(at + 1)),
          ),
    );
  const rest = cards.slice(2),
    onclick = (_, found) => around.open(found.id);
  return h(
    "div",
    {},
    labels.size > 1 ? h("p", { class: "warning" }, "Their labels disagree.") : null,
    h("div", { class: "three" }, beside(cards, around, head)),
    rest.length
      ? [
          h("h3", {}, `and ${counted(rest.length, "more copy", "more copies")}`),
          h(
            "div",
            { class: `strip ${faceOf(around.meta).shape}` },
            rest.slice(0, 40).map((one) => card(one, around.snapshot, { meta: around.meta, onclick })),
          ),
        ]
      : null,
  );
}

function pairItem(cards, around) {
  const head = (one) =>
    h(
      "p",
      { class: "question" },
      h("b", {}, one.split ?? "no split"),
      h("span", { class: "small" }, ` labelled ${one.label ?? "nothing"}`),
    );
  return h("div", { class: "three" }, beside(cards, around, head));
}

export function finishedView(queue, next, { go, overview, total }) {
  return h(
    "div",
    { class: "finished-view" },
    h("p", { class: "big" }, "✓"),
    h("h3", { class: "headline" }, `${queue.title}: all ${queue.total} decided.`),
    next
      ? h(
          "p",
          {},
          h(
            "button",
            { type: "button", class: "primary", onclick: () => go(next.key) },
            `Next: ${next.title.toLowerCase()} (${next.total - next.done})`,
          ),
        )
      : [
          h("p", {}, "That was the last queue. The next night respects every decision."),
          h(
            "p",
            {},
            h(
              "button",
              {
                type: "button",
                class: "primary",
                onclick: (event) => openExports(event.currentTarget, total, {}),
              },
              "Take the cleaned dataset",
            ),
          ),
        ],
    h("p", {}, h("button", { type: "button", class: "link", onclick: overview }, "Back to the overview")),
  );
}
