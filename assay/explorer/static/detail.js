// One sample: large view, what is said about its label, what can be decided, scores, neighbours, copies, history.
import { api } from "./api.js";
import { card, isWrong } from "./card.js";
import { page } from "./context.js";
import { askLabel, askTag, decide, sentence, undo } from "./decide.js";
import { button, h, isWriting } from "./dom.js";
import { faceOf } from "./faces.js";
import { isEmpty, withoutRanking } from "./filters.js";
import { item, openMenu } from "./menu.js";
import { state } from "./state.js";
import { figure, number, percent, score, tie, words } from "./words.js";

export class Detail {
  // on: { close(), open(id), step(by), values(key, names) }
  constructor(host, on) {
    this.host = host;
    this.on = on;
    this.data = null;
    host.addEventListener("keydown", (event) => this.key(event));
  }

  async show(meta, id) {
    this.meta = meta;
    this.snapshot = meta.number;
    this.wanted = id;
    const data = await api.sample(meta.number, id);
    if (this.wanted !== id) return;
    const again = this.data?.id === id,
      top = again ? this.host.firstChild?.scrollTop : 0;
    this.data = data;
    this.host.hidden = false;
    this.host.replaceChildren(h("div", { class: "detail-scroll", tabindex: "-1" }, ...this.parts(data)));
    this.host.firstChild.scrollTop = top;
    this.host.firstChild.focus({ preventScroll: true });
    this.history(data);
  }

  close() {
    this.wanted = null;
    this.data = null;
    this.host.hidden = true;
    this.host.replaceChildren();
  }

  parts(data) {
    return [
      h(
        "div",
        { class: "detail-bar" },
        button("close", "Back to the list (Esc)", () => this.on.close()),
        h("span", { class: "grow id", title: data.id.slice(0, 500) }, h("bdi", {}, data.id.slice(-400))),
        button("back", "Previous (left arrow)", () => this.on.step(-1)),
        button("next", "Next (right arrow)", () => this.on.step(1)),
      ),
      faceOf(this.meta).large(data, this.snapshot),
      this.label(data),
      this.actions(data),
      this.group(data),
      this.near(data),
      this.scores(data),
      section("Across snapshots", h("div", { class: "past small" }, "Reading …")),
      this.about(data),
    ].filter(Boolean);
  }

  label(data) {
    const issue = data.label_issue,
      wrong = isWrong(data);
    const pair = (name, node) => h("div", { class: "pair" }, h("span", { class: "small" }, name), node);
    const given = h(
      "button",
      {
        type: "button",
        class: `link ${wrong ? "given" : ""}`,
        title: "Show this class",
        onclick: () => this.on.values("label", [data.label]),
      },
      (data.label ?? "no label").slice(0, 400),
    );
    const sure =
      issue?.confidence === null || issue?.confidence === undefined
        ? ""
        : `, ${percent(issue.confidence)} sure`;
    return h(
      "div",
      { class: "verdict" },
      pair("Label", given),
      issue?.suggested_label
        ? pair(
            `Suggested${sure}`,
            h("span", { class: wrong ? "suggested" : "" }, issue.suggested_label.slice(0, 400)),
          )
        : null,
      issue && issue.score !== null
        ? pair("Suspicion", h("span", { class: issue.is_issue ? "hot" : "" }, score(issue.score)))
        : null,
      data.split ? pair("Split", h("span", {}, data.split.slice(0, 100))) : null,
    );
  }

  actions(data) {
    if (api.offline) return null;
    const act = (kind, label, key, run) =>
      h(
        "button",
        { type: "button", class: kind, title: `${label} (${key})`, onclick: run },
        label,
        h("kbd", {}, key),
      );
    const made = data.decisions.map((d) =>
      h(
        "span",
        { class: "chip" },
        h("span", { class: "says" }, `${sentence(d)} · ${d.who}, ${d.at}`),
        button("undo", "Undo this decision", () => undo(d.batch)),
      ),
    );
    const suggested = data.label_issue?.suggested_label,
      one = (kind) => () => decide({ kind, ids: [data.id] });
    return h(
      "div",
      { class: "actions" },
      suggested && suggested !== data.label
        ? act("accept_label", "Accept suggestion", "A", one("accept_label"))
        : null,
      data.label !== null ? act("reject_label", "Label is right", "R", one("reject_label")) : null,
      act("other_label", "Other label", "L", (event) => askLabel(event.currentTarget, { ids: [data.id] })),
      act("keep", "Keep", "K", one("keep")),
      act("drop", "Drop", "D", one("drop")),
      act("tag", "Tag", "T", (event) => askTag(event.currentTarget, { ids: [data.id] })),
      this.meta.has_vectors
        ? act("similar", "Find similar", "S", (event) => this.similar(event.currentTarget))
        : null,
      made.length ? h("div", { class: "made" }, made) : null,
    );
  }

  // Among what is selected, or everywhere: asked where both are possible.
  similar(from) {
    const { id } = this.data,
      rest = withoutRanking(state.filter);
    const find = (filter) =>
      page.change({ page: "map", filter, sort: "similarity", tab: "samples", sample: null });
    if (isEmpty(rest)) return find({ similar: { id, k: 200 } });
    openMenu(
      from,
      h(
        "div",
        { class: "items" },
        item("Among the selected samples", "the filters stay", () =>
          find({ ...rest, similar: { id, k: 200, within: true } }),
        ),
        item("Everywhere", "the filters are lifted", () => find({ similar: { id, k: 200 } })),
      ),
      { label: "Find similar" },
    );
  }

  cards(list, noteOf) {
    const meta = this.meta,
      onclick = (_, found) => this.on.open(found.id);
    return h(
      "div",
      { class: `strip ${faceOf(meta).shape}` },
      list.map((other) => card(other, this.snapshot, { meta, note: noteOf?.(other), onclick })),
    );
  }

  group(data) {
    if (!data.group.length) return null;
    const note = (other) => (other.keep ? null : tie(other.tier)); // a card says itself that it is kept
    return section(`Duplicate group of ${number(data.group.length)}`, this.cards(data.group, note));
  }

  near(data) {
    if (!data.neighbors.length)
      return section("Nearest neighbours", h("p", { class: "small" }, "None: this sample has no vector."));
    const same = data.neighbors.filter((other) => other.label === data.label).length;
    return section(
      "Nearest neighbours",
      data.label
        ? h("p", { class: "small" }, `${same} of ${data.neighbors.length} carry the same label.`)
        : null,
      this.cards(data.neighbors),
    );
  }

  scores(data) {
    if (!data.scores.length) return null;
    return section(
      "Scores",
      h(
        "p",
        { class: "small" },
        "From 0, clean, to 1, surely an issue; the last column is what was measured.",
      ),
      h(
        "table",
        { class: "scores" },
        h(
          "tbody",
          {},
          data.scores.map((line) =>
            h(
              "tr",
              { class: line.is_issue ? "issue" : "" },
              h(
                "th",
                { scope: "row" },
                line.title,
                line.meaning ? h("span", { class: "small" }, line.meaning) : null,
              ),
              h("td", { class: "meter" }, h("i", { vars: { "--share": `${100 * line.score}%` } })),
              h("td", { class: "num" }, score(line.score)),
              h("td", { class: "num small" }, line.value === null ? "" : figure(line.value)),
            ),
          ),
        ),
      ),
    );
  }

  async history(data) {
    const node = this.host.querySelector(".past");
    try {
      const { history } = await api.history(this.snapshot, data.id);
      if (this.data !== data) return;
      node.replaceChildren(
        h(
          "table",
          {},
          h(
            "tbody",
            {},
            history.map((line) =>
              h(
                "tr",
                { class: line.snapshot === this.snapshot ? "now" : "" },
                h("td", {}, `v${line.snapshot}`),
                h("td", { class: "small" }, line.created_at.slice(0, 10)),
                h("td", {}, line.there ? (line.label ?? "no label").slice(0, 80) : "not there"),
                h("td", { class: "num" }, line.suspicion === undefined ? "" : score(line.suspicion)),
                h("td", { class: "small" }, (line.issues ?? []).map(words).join(", ")),
              ),
            ),
          ),
        ),
      );
    } catch (error) {
      if (this.data === data) node.textContent = error.message;
    }
  }

  about(data) {
    const facts = data.facts
      .filter((f) => f.value !== null)
      .map((f) => [f.name, figure(f.value), f.name.toLowerCase() === `n ${f.unit}` ? "" : f.unit]);
    const source = Object.entries(data.source).map(([name, value]) => [words(name), value, ""]);
    const proposals = data.proposals
      .filter((p) => p.proposed !== null)
      .map((p) => [`Proposed ${p.column}`, p.proposed, percent(p.confidence)]);
    return section(
      "About",
      h(
        "table",
        { class: "about" },
        h(
          "tbody",
          {},
          [...source, ...facts, ...proposals].map(([name, value, unit]) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, String(name).replace(/^N /, "Number of ").slice(0, 100)),
              h(
                "td",
                {},
                value === null ? "–" : String(value).slice(0, 2000),
                unit ? h("span", { class: "small" }, ` ${unit}`) : null,
              ),
            ),
          ),
        ),
      ),
    );
  }

  key(event) {
    if (!this.data || event.ctrlKey || event.metaKey || event.altKey || isWriting(event)) return;
    const data = this.data,
      at = this.host.querySelector(".actions") ?? this.host,
      one = (kind) => !api.offline && decide({ kind, ids: [data.id] });
    const act = {
      Escape: () => this.on.close(),
      ArrowLeft: () => this.on.step(-1),
      ArrowRight: () => this.on.step(1),
      a: () => data.label_issue?.suggested_label && one("accept_label"),
      r: () => data.label !== null && one("reject_label"),
      k: () => one("keep"),
      d: () => one("drop"),
      l: () => !api.offline && askLabel(at, { ids: [data.id] }),
      t: () => !api.offline && askTag(at, { ids: [data.id] }),
      s: () => !api.offline && this.meta.has_vectors && this.similar(at),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }
}

const section = (title, ...children) => h("section", { class: "block" }, h("h2", {}, title), ...children);
