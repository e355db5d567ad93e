// One sample: large view, what is said about its label, scores, neighbours, duplicates, history.
import { api } from "./api.js";
import { card } from "./gallery.js";
import { button, figure, h, number, percent, words } from "./dom.js";

export class Detail {
  // on: { close(), open(id), step(by), decide(kind, ids, value), similar(id), values(key, names) }
  constructor(host, on) {
    this.host = host;
    this.on = on;
    this.data = null;
    host.addEventListener("keydown", (event) => this.key(event));
  }

  async show(meta, snapshot, id) {
    this.meta = meta;
    this.snapshot = snapshot;
    this.wanted = id;
    const data = await api.sample(snapshot, id);
    if (this.wanted !== id) return;
    this.data = data;
    this.host.hidden = false;
    this.host.replaceChildren(h("div", { class: "detail-scroll", tabindex: "-1" }, ...this.parts(data)));
    this.host.firstChild.focus({ preventScroll: true });
    if (meta.has_thumbnails) this.large(data);
    this.history(data);
  }

  close() {
    this.wanted = null;
    this.data = null;
    this.host.hidden = true;
    this.host.replaceChildren();
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
  }

  parts(data) {
    return [
      h(
        "div",
        { class: "detail-bar" },
        button("close", "Back to the list (Esc)", () => this.on.close()),
        h("span", { class: "grow id", title: data.id.slice(0, 500) }, data.id.slice(0, 400)),
        button("back", "Previous (left arrow)", () => this.on.step(-1)),
        button("next", "Next (right arrow)", () => this.on.step(1)),
      ),
      this.view(data),
      this.label(data),
      this.actions(data),
      this.group(data),
      this.near(data),
      this.scores(data),
      this.past(),
      this.about(data),
    ].filter(Boolean);
  }

  view(data) {
    if (this.meta.has_thumbnails) {
      return h(
        "figure",
        { class: "large" },
        h("img", {
          src: api.thumbnail(this.snapshot, data.row),
          alt: `Sample labelled ${(data.label ?? "nothing").slice(0, 100)}`,
        }),
        h("figcaption", {}),
      );
    }
    return h("div", { class: "text" }, data.text ?? "No text is kept for this sample.");
  }

  async large(data) {
    const note = this.host.querySelector("figcaption"),
      image = this.host.querySelector(".large img");
    try {
      const blob = await api.raw(this.snapshot, data.row);
      if (this.data !== data) return;
      if (this.url) URL.revokeObjectURL(this.url);
      this.url = URL.createObjectURL(blob);
      const full = new Image();
      full.onload = () => {
        if (this.data === data) {
          image.src = this.url;
          note.textContent = `${full.naturalWidth} × ${full.naturalHeight}`;
        }
      };
      full.src = this.url;
    } catch (error) {
      if (this.data === data && note) note.textContent = `This is the thumbnail: ${error.message}`;
    }
  }

  label(data) {
    const issue = data.label_issue,
      wrong = issue?.is_issue && issue.suggested_label && issue.suggested_label !== data.label;
    return h(
      "div",
      { class: "verdict" },
      h(
        "div",
        { class: "pair" },
        h("span", { class: "small" }, "Label"),
        h(
          "button",
          {
            type: "button",
            class: `link ${wrong ? "given" : ""}`,
            title: "Show this class",
            onclick: () => this.on.values("label", [data.label]),
          },
          (data.label ?? "no label").slice(0, 400),
        ),
      ),
      issue?.suggested_label
        ? h(
            "div",
            { class: "pair" },
            h(
              "span",
              { class: "small" },
              `Suggested${issue.confidence === null ? "" : `, ${percent(issue.confidence)} sure`}`,
            ),
            h("span", { class: wrong ? "suggested" : "" }, issue.suggested_label.slice(0, 400)),
          )
        : null,
      issue && issue.score !== null
        ? h(
            "div",
            { class: "pair" },
            h("span", { class: "small" }, "Suspicion"),
            h("span", { class: issue.is_issue ? "hot" : "" }, figure(issue.score)),
          )
        : null,
      data.split
        ? h(
            "div",
            { class: "pair" },
            h("span", { class: "small" }, "Split"),
            h("span", {}, data.split.slice(0, 100)),
          )
        : null,
    );
  }

  actions(data) {
    if (api.offline) return null;
    const made = data.decisions.map((d) =>
      h(
        "span",
        { class: "chip" },
        `${sentence(d)} · ${d.who}, ${d.at}`,
        button("undo", "Undo this decision", () => this.on.undo(d.batch)),
      ),
    );
    const act = (kind, label, key, value) =>
      h(
        "button",
        {
          type: "button",
          class: kind,
          title: `${label} (${key})`,
          onclick: () => this.on.decide(kind, [data.id], value),
        },
        label,
        h("kbd", {}, key),
      );
    const suggested = data.label_issue?.suggested_label;
    return h(
      "div",
      { class: "actions" },
      suggested && suggested !== data.label ? act("accept_label", "Accept suggestion", "A") : null,
      data.label !== null ? act("reject_label", "Label is right", "R") : null,
      act("keep", "Keep", "K"),
      act("drop", "Drop", "D"),
      h(
        "button",
        { type: "button", title: "Tag (T)", onclick: () => this.on.tag([data.id]) },
        "Tag",
        h("kbd", {}, "T"),
      ),
      this.meta.has_vectors
        ? h(
            "button",
            { type: "button", onclick: () => this.on.similar(data.id) },
            "Find similar",
            h("kbd", {}, "S"),
          )
        : null,
      made.length ? h("div", { class: "made" }, made) : null,
    );
  }

  cards(list, noteOf) {
    return h(
      "div",
      { class: `strip ${this.meta.has_thumbnails ? "" : "texts"}` },
      list.map((other) =>
        card(other, this.snapshot, {
          kind: this.meta.has_thumbnails ? "image" : "text",
          note: noteOf?.(other),
          onopen: (found) => this.on.open(found.id),
        }),
      ),
    );
  }

  group(data) {
    if (!data.group.length) return null;
    return section(
      `Duplicate group of ${number(data.group.length)}`,
      this.cards(data.group, (other) => (other.keep ? "kept" : `${other.tier} ${figure(other.similarity)}`)),
    );
  }

  scores(data) {
    if (!data.scores.length) return null;
    return section(
      "Scores",
      h(
        "table",
        { class: "scores" },
        data.scores.map((line) =>
          h(
            "tr",
            { class: line.is_issue ? "issue" : "" },
            h("td", {}, line.title, line.meaning ? h("span", { class: "small" }, line.meaning) : null),
            h("td", { class: "meter" }, h("i", { vars: { "--share": `${100 * line.score}%` } })),
            h("td", { class: "num" }, figure(line.score)),
            h("td", { class: "num small" }, line.value === null ? "" : figure(line.value)),
          ),
        ),
      ),
    );
  }

  near(data) {
    if (!data.neighbors.length)
      return section("Nearest neighbours", h("p", { class: "small" }, "None: this sample has no vector."));
    const same = data.neighbors.filter((other) => other.label === data.label).length;
    return section(
      `Nearest neighbours`,
      h("p", { class: "small" }, `${same} of ${data.neighbors.length} carry the same label.`),
      this.cards(data.neighbors),
    );
  }

  past() {
    return section("Across snapshots", h("div", { class: "past small" }, "Reading …"));
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
          history.map((line) =>
            h(
              "tr",
              { class: line.snapshot === this.snapshot ? "now" : "" },
              h("td", {}, `v${line.snapshot}`),
              h("td", { class: "small" }, line.created_at.slice(0, 10)),
              h("td", {}, line.there ? (line.label ?? "no label").slice(0, 80) : "not there"),
              h(
                "td",
                { class: "num" },
                line.suspicion === null || line.suspicion === undefined ? "" : figure(line.suspicion),
              ),
              h("td", { class: "small" }, (line.issues ?? []).map(words).join(", ")),
            ),
          ),
        ),
      );
    } catch (error) {
      if (this.data === data) node.textContent = error.message;
    }
  }

  about(data) {
    const rows = [
      ...Object.entries(data.source).map(([name, value]) => [name, value, ""]),
      ...data.facts.filter((f) => f.value !== null).map((f) => [f.name, figure(f.value), f.unit]),
    ];
    const proposals = data.proposals
      .filter((p) => p.proposed !== null)
      .map((p) => [`proposed ${p.column}`, p.proposed, percent(p.confidence)]);
    return section(
      "About",
      h(
        "table",
        { class: "about" },
        [...rows, ...proposals].map(([name, value, unit]) =>
          h(
            "tr",
            {},
            h("th", {}, String(name).slice(0, 100)),
            h(
              "td",
              {},
              value === null ? "–" : String(value).slice(0, 2000),
              unit ? h("span", { class: "small" }, ` ${unit}`) : null,
            ),
          ),
        ),
      ),
    );
  }

  key(event) {
    if (
      !this.data ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      /INPUT|SELECT|TEXTAREA/.test(event.target.tagName)
    )
      return;
    const data = this.data,
      decide = (kind) => !api.offline && this.on.decide(kind, [data.id]);
    const act = {
      Escape: () => this.on.close(),
      ArrowLeft: () => this.on.step(-1),
      ArrowRight: () => this.on.step(1),
      a: () => data.label_issue?.suggested_label && decide("accept_label"),
      r: () => decide("reject_label"),
      k: () => decide("keep"),
      d: () => decide("drop"),
      t: () => !api.offline && this.on.tag([data.id]),
      s: () => !api.offline && this.on.similar(data.id),
    }[event.key];
    if (act) {
      event.preventDefault();
      event.stopPropagation();
      act();
    }
  }
}

export function sentence(decision) {
  const value = Array.isArray(decision.value) ? decision.value.filter(Boolean).join(", ") : decision.value;
  return (
    {
      accept_label: `label is ${value}`,
      reject_label: "label is right",
      keep: "keep",
      drop: "drop",
      tag: `tag ${value}`,
      untag: `no tag ${value}`,
    }[decision.kind]?.slice(0, 120) ?? decision.kind
  );
}

const section = (title, ...children) => h("section", { class: "block" }, h("h3", {}, title), ...children);
