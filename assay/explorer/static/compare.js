// Two snapshots side by side: the same ground, the same camera, and what changed between them.
import { api } from "./api.js";
import { card } from "./card.js";
import { classColor, css, nothing } from "./colors.js";
import { page } from "./context.js";
import { h, toast } from "./dom.js";
import { faceOf } from "./faces.js";
import { Peek } from "./peek.js";
import { Plot } from "./plot.js";
import { state } from "./state.js";
import { counted, figure, number, words } from "./words.js";

const CODES = [
  "unchanged",
  "added or removed",
  "newly flagged or worse",
  "no longer flagged",
  "label, content or name changed",
];
const COLORS = [-1, 2, 7, 0, 4];
const ORDER = [
  "added",
  "removed",
  "label_changed",
  "content_changed",
  "moved",
  "new_issue",
  "worse",
  "resolved",
];

// An issue may be gone though nobody mended anything: what is known around a sample has changed.
const named = (change) => (change === "resolved" ? "No longer flagged" : words(change));

export class Compare {
  constructor(host) {
    this.host = host;
  }

  async show() {
    const { meta, listing } = page,
      older = listing.snapshots.filter((s) => s.number !== meta.number);
    this.meta = meta;
    if (!older.length) {
      return this.host.replaceChildren(
        h("p", { class: "nothing" }, "There is one snapshot; the next run makes one to compare with."),
      );
    }
    const parent = listing.snapshots.find((s) => s.number === meta.number)?.parent;
    const find = (number_) => older.find((s) => s.number === number_);
    const other =
      find(state.other) ?? find(parent) ?? older.filter((s) => s.number < meta.number).at(-1) ?? older[0];
    const pick = h(
      "select",
      { "aria-label": "Compare with", onchange: (event) => page.change({ other: +event.target.value }) },
      older.map((s) =>
        h(
          "option",
          { value: s.number, selected: s.number === other.number },
          `v${s.number} · ${s.created_at.slice(0, 10)}`,
        ),
      ),
    );
    this.other = other.number;
    this.halves = [h("div", { class: "half" }), h("div", { class: "half" })];
    this.changes = h("div", { class: "changes" });
    this.list = h("div", { class: "compare-list" });
    const swatch = (code) =>
      h("i", { class: "swatch", vars: { "--swatch": css(code ? classColor(COLORS[code]) : nothing()) } });
    this.host.replaceChildren(
      h(
        "div",
        { class: "compare-plots" },
        h("div", { class: "pane" }, h("div", { class: "pane-head" }, pick), this.halves[0]),
        h(
          "div",
          { class: "pane" },
          h("div", { class: "pane-head" }, `v${meta.number} · ${meta.created_at.slice(0, 10)}`),
          this.halves[1],
        ),
      ),
      h(
        "div",
        { class: "legend-row" },
        CODES.map((name, code) => h("span", {}, swatch(code), name)),
      ),
      h("p", { class: "small", id: "picked" }, "Draw a lasso in either plot, or choose a kind of change."),
      this.changes,
      this.list,
    );
    await Promise.all([state.method ? this.plots() : null, this.counts()]);
  }

  async plots() {
    let answer;
    try {
      answer = await api.comparePlots(this.meta.number, this.other, state.method);
    } catch (error) {
      return this.halves[0].append(h("p", { class: "nothing" }, error.message));
    }
    const palette = new Uint8Array(4 * 6);
    COLORS.forEach((color, code) => palette.set([...(code ? classColor(color) : nothing()), 255], 4 * code));
    const plots = this.halves.map((host, at) =>
      this.plot(host, at, answer.sides[at].snapshot, () => plots[1 - at]),
    );
    answer.sides.forEach((side, at) => {
      const calm = side.code.every((code) => !code);
      plots[at].setData(
        {
          count: side.x.length,
          x: Float32Array.from(side.x),
          y: Float32Array.from(side.y),
          z: null,
          row: Uint32Array.from(side.row),
          slot: Float32Array.from(side.code),
          chosen: Uint8Array.from(side.code, (code) => (code || calm ? 1 : 0)),
        },
        palette,
      );
    });
    const wide = plots.map((plot) => plot.extent());
    const all = [0, 1]
      .map((i) => Math.min(wide[0][i], wide[1][i]))
      .concat([2, 3].map((i) => Math.max(wide[0][i], wide[1][i])));
    for (const plot of plots) {
      plot.extent = () => all;
      plot.fit(false);
    }
    this.host.dataset.ready = "1";
  }

  // One plot: it moves the other along, tells on hover, opens on a click, and a lasso lists what is in it.
  plot(host, at, snapshot, other) {
    const peek = new Peek(host);
    const mine = new Plot(
      host,
      {
        camera: () => follow(other(), mine),
        hover: (row, x, y) => peek.show(snapshot, row, x, y),
        open: async (row) => this.open(snapshot, (await api.peek(snapshot, row)).id),
        select: (stroke) => this.lasso(mine, snapshot, stroke),
      },
      { label: at ? "Newer snapshot" : "Older snapshot" },
    );
    return mine;
  }

  open(snapshot, id) {
    if (snapshot === this.meta.number) page.openSample(id);
    else page.change({ snapshot, page: "map", sample: id });
  }

  async lasso(plot, snapshot, stroke) {
    plot.strokes = stroke ? [stroke] : [];
    plot.trace();
    if (!stroke) return;
    const filter = { lasso: [{ method: state.method, ...stroke }] };
    try {
      const { cards, total } = await api.gallery(snapshot, {
        filter,
        sort: "change",
        descending: false,
        offset: 0,
        limit: 200,
      });
      for (const pill of this.changes.querySelectorAll(".pill")) pill.setAttribute("aria-pressed", "false");
      this.show_(cards, total, snapshot, `in the lasso of v${snapshot}`);
    } catch (error) {
      toast(error.message);
    }
  }

  async counts() {
    const { counts, n, headline } = await api.compare(this.meta.number, this.other);
    const lines = counts.slice().sort((a, b) => ORDER.indexOf(a[0]) - ORDER.indexOf(b[0]) || b[2] - a[2]);
    const names = [...new Set([...Object.keys(headline[0]), ...Object.keys(headline[1])])].filter(
      (name) => name !== "n_samples",
    );
    const figures = [
      ["Samples", number(n[0]), number(n[1])],
      ...names.map((name) => [
        words(name.replace(/^n_/, "")),
        ...headline.map((side) => figure(side[name] ?? null)),
      ]),
    ];
    const pill = ([change, metric, count]) =>
      h(
        "button",
        {
          type: "button",
          class: "pill",
          "aria-pressed": "false",
          onclick: (event) => this.pick(change, metric, event.currentTarget),
        },
        `${named(change)}${metric ? `: ${words(metric).toLowerCase()}` : ""}`,
        h("b", {}, number(count)),
      );
    this.changes.replaceChildren(
      h(
        "dl",
        { class: "figures" },
        figures.map(([name, before, after]) =>
          h("div", {}, h("dt", {}, name), h("dd", {}, `${before} → ${after}`)),
        ),
      ),
      h("div", { class: "pairs" }, lines.map(pill)),
      lines.length ? "" : h("p", { class: "nothing" }, "Nothing changed between these snapshots."),
    );
    this.changes.querySelector(".pill")?.click();
  }

  async pick(change, metric, pill) {
    for (const other of this.changes.querySelectorAll(".pill"))
      other.setAttribute("aria-pressed", String(other === pill));
    try {
      const answer = await api.compare(this.meta.number, this.other, change, metric);
      this.show_(answer.cards, answer.total, answer.snapshot, named(change).toLowerCase());
    } catch (error) {
      toast(error.message);
    }
  }

  show_(cards, total, snapshot, says) {
    const meta = this.meta,
      onclick = (_, found) => this.open(snapshot, found.id);
    const lead =
      total > cards.length
        ? `The first ${number(cards.length)} of ${number(total)}, ${says}.`
        : `${counted(total, "sample")}, ${says}.`;
    this.list.replaceChildren(
      h("p", { class: "lead" }, lead),
      h(
        "div",
        { class: `strip tall ${faceOf(meta).shape}` },
        cards.map((data) => card(data, snapshot, { meta, onclick })),
      ),
    );
  }
}

function follow(plot, leader) {
  if (!plot) return;
  plot.camera = { ...leader.camera };
  plot.fitted = false;
  plot.draw();
}
