// The lists beside the gallery: duplicate groups, and leaks by pair of splits.
import { api } from "./api.js";
import { card } from "./card.js";
import { page } from "./context.js";
import { decide } from "./decide.js";
import { h } from "./dom.js";
import { faceOf } from "./faces.js";
import { counted, number, score, tie } from "./words.js";

const GROUPS = 30,
  PAIRS = 40; // a page

const scroller = (...children) => h("div", { class: "panel", tabindex: "0" }, ...children);
const nothing = (text) => h("p", { class: "nothing" }, text);
const more = (total, run) =>
  h("button", { type: "button", class: "more", onclick: run }, `Show more of ${number(total)}`);

export async function duplicates({ meta, filter, open }) {
  const node = scroller(),
    shape = faceOf(meta).shape,
    onclick = (_, found) => open(found.id);
  const group = ({ n, members }) => {
    const copies = members.filter((m) => !m.keep).map((m) => m.id),
      tiers = [...new Set(members.filter((m) => !m.keep).map((m) => m.tier))];
    const act = (text, title, kind, ids) =>
      api.offline
        ? null
        : h("button", { type: "button", class: "quiet", title, onclick: () => decide({ kind, ids }) }, text);
    return h(
      "div",
      { class: "dup" },
      h(
        "div",
        { class: "dup-head" },
        h("b", {}, counted(n, "sample")),
        h("span", { class: "small" }, tiers.map(tie).join(", ")),
        act("Drop copies", "Drop every copy but the kept one", "drop", copies),
        act(
          "Keep all",
          "They are not duplicates: keep all",
          "keep",
          members.map((m) => m.id),
        ),
      ),
      h(
        "div",
        { class: `strip ${shape}` },
        members.map((m) =>
          card(m, meta.number, { meta, onclick }),
        ),
      ),
    );
  };
  const load = async (offset) => {
    const { total, groups } = await api.duplicates(meta.number, { filter, offset, limit: GROUPS });
    if (!total) return node.append(nothing("No duplicates here."));
    if (!offset)
      node.append(head(`${counted(total, "group")} of duplicates; the kept one comes first.`, "duplicate"));
    node.append(...groups.map(group));
    node.querySelector(".more")?.remove();
    if (offset + groups.length < total) node.append(more(total, () => load(offset + groups.length)));
  };
  await load(0);
  return node;
}

const head = (text, queue) =>
  h(
    "div",
    { class: "lead" },
    h("span", { class: "grow" }, text),
    api.offline
      ? null
      : h(
          "button",
          {
            type: "button",
            class: "primary",
            onclick: () => page.change({ page: "review", queue, sample: null }),
          },
          "Review",
        ),
  );

export async function leaks({ meta, filter, open }) {
  const node = scroller(),
    onclick = (_, found) => open(found.id);
  let pair = "";
  const side = (data) =>
    h("div", {}, h("span", { class: "small" }, data.split ?? ""), card(data, meta.number, { meta, onclick }));
  const pills = (pairs) => {
    const all = [["", pairs.reduce((sum, [, n]) => sum + n, 0)], ...(pairs.length > 1 ? pairs : [])];
    const pick = (name) => () => {
      pair = name;
      load(0);
    };
    return h(
      "div",
      { class: "pairs" },
      all.map(([name, n]) =>
        h(
          "button",
          { type: "button", class: "pill", "aria-pressed": String(name === pair), onclick: pick(name) },
          name || (pairs.length > 1 ? "All splits" : pairs[0][0]),
          h("b", {}, number(n)),
        ),
      ),
    );
  };
  const load = async (offset) => {
    const answer = await api.leaks(meta.number, { filter, offset, limit: PAIRS, pair });
    if (!offset) {
      node.replaceChildren(
        ...(answer.pairs.length
          ? [head("Samples that stand in two splits.", "leak"), pills(answer.pairs)]
          : [nothing("No sample has a duplicate in another split.")]),
      );
      if (answer.pairs.length && !answer.total) node.append(nothing("None among the selected samples."));
    }
    node.append(
      ...answer.leaks.map((leak) =>
        h(
          "div",
          { class: "leak" },
          side(leak.a),
          side(leak.b),
          h(
            "div",
            { class: "tie" },
            h("span", { class: "small" }, tie(leak.tier)),
            leak.similarity < 0.995 ? h("span", { class: "small" }, `alike ${score(leak.similarity)}`) : null,
          ),
        ),
      ),
    );
    node.querySelector(".more")?.remove();
    const shown = node.querySelectorAll(".leak").length;
    if (shown < answer.total) node.append(more(answer.total, () => load(shown)));
  };
  await load(0);
  return node;
}
