// Two snapshots side by side: the same ground, the same camera, and what changed between them.
import { api } from "./api.js";
import { Plot } from "./plot.js";
import { card } from "./gallery.js";
import { classColor, css, nothing } from "./colors.js";
import { figure, h, number, toast, words } from "./dom.js";

const CODES = ["unchanged", "added or removed", "newly flagged or worse", "resolved", "label, content or name changed"];
const COLORS = [-1, 2, 7, 0, 4];
const ORDER = ["added", "removed", "label_changed", "content_changed", "moved", "new_issue", "worse", "resolved"];

export class Compare {
  constructor(host, on) {
    this.host = host;
    this.on = on;
  }

  async show(meta, snapshots, state) {
    this.meta = meta;
    this.state = state;
    const older = snapshots.filter((s) => s.number !== meta.number);
    if (!older.length) {
      this.host.replaceChildren(
        h("p", { class: "nothing" }, "There is one snapshot; the next run brings one to compare with."),
      );
      return;
    }
    const other =
      older.find((s) => s.number === state.other) ??
      older.find((s) => s.number === meta.parent) ??
      older.filter((s) => s.number < meta.number).at(-1) ??
      older[0];
    const method = state.method,
      pick = h(
        "select",
        { "aria-label": "Compare with", onchange: (event) => this.on.other(+event.target.value) },
        older.map((s) =>
          h(
            "option",
            { value: s.number, selected: s.number === other.number },
            `v${s.number} · ${s.created_at.slice(0, 10)}`,
          ),
        ),
      );
    const left = h("div", { class: "half" }),
      right = h("div", { class: "half" });
    this.changes = h("div", { class: "changes" });
    this.list = h("div", { class: "compare-list" });
    this.host.replaceChildren(
      h(
        "div",
        { class: "compare-plots" },
        h("div", { class: "pane" }, h("div", { class: "pane-head" }, pick), left),
        h(
          "div",
          { class: "pane" },
          h("div", { class: "pane-head" }, `v${meta.number} · ${meta.created_at.slice(0, 10)}`),
          right,
        ),
      ),
      h(
        "div",
        { class: "legend-row" },
        CODES.map((name, code) =>
          h(
            "span",
            {},
            h("i", {
              class: "swatch",
              vars: { "--swatch": css(code ? classColor(COLORS[code]) : nothing()) },
            }),
            name,
          ),
        ),
      ),
      this.changes,
      this.list,
    );
    this.other = other.number;
    await Promise.all([this.plots(left, right, method), this.counts()]);
  }

  async plots(left, right, method) {
    let answer;
    try {
      answer = await api.comparePlots(this.meta.number, this.other, method);
    } catch (error) {
      return left.append(h("p", { class: "nothing" }, error.message));
    }
    const palette = new Uint8Array(4 * 6);
    COLORS.forEach((color, code) => palette.set([...(code ? classColor(color) : nothing()), 255], 4 * code));
    const plots = [left, right].map(
      (host, at) =>
        new Plot(
          host,
          {
            camera: () => {
              const to = plots[1 - at];
              if (!to || to.following) return;
              to.camera = { ...plots[at].camera };
              to.fitted = false;
              to.draw();
            },
            open: (row) => this.on.openRow(answer.sides[at].snapshot, row),
          },
          { label: at ? "Newer snapshot" : "Older snapshot" },
        ),
    );
    answer.sides.forEach((side, at) => {
      const count = side.x.length;
      plots[at].tool = "pan";
      plots[at].setData(
        {
          count,
          x: Float32Array.from(side.x),
          y: Float32Array.from(side.y),
          z: null,
          row: Uint32Array.from(side.row),
          slot: Float32Array.from(side.code),
          chosen: Uint8Array.from(side.code, (code) => (code || side.code.every((c) => !c) ? 1 : 0)),
        },
        palette,
      );
    });
    const wide = plots.map((plot) => plot.extent()),
      all = [0, 1]
        .map((i) => Math.min(wide[0][i], wide[1][i]))
        .concat([2, 3].map((i) => Math.max(wide[0][i], wide[1][i])));
    for (const plot of plots) {
      plot.extent = () => all;
      plot.fit(false);
    }
    this.host.dataset.ready = "1";
  }

  async counts() {
    const { counts, n, headline } = await api.compare(this.meta.number, this.other);
    const lines = counts.slice().sort((a, b) => ORDER.indexOf(a[0]) - ORDER.indexOf(b[0]) || b[2] - a[2]);
    const names = [...new Set([...Object.keys(headline[0]), ...Object.keys(headline[1])])];
    this.changes.replaceChildren(
      h(
        "dl",
        { class: "figures" },
        h("div", {}, h("dt", {}, "Samples"), h("dd", {}, `${number(n[0])} → ${number(n[1])}`)),
        names
          .filter((name) => name !== "n_samples")
          .map((name) =>
            h(
              "div",
              {},
              h("dt", {}, words(name.replace(/^n_/, ""))),
              h("dd", {}, `${figure(headline[0][name] ?? null)} → ${figure(headline[1][name] ?? null)}`),
            ),
          ),
      ),
      h(
        "div",
        { class: "pairs" },
        lines.map(([change, metric, count]) =>
          h(
            "button",
            {
              type: "button",
              class: "pill",
              "aria-pressed": "false",
              onclick: (event) => this.pick(change, metric, event.currentTarget),
            },
            `${words(change)}${metric ? `: ${words(metric).toLowerCase()}` : ""}`,
            h("b", {}, number(count)),
          ),
        ),
      ),
    );
    if (!lines.length)
      this.changes.append(h("p", { class: "nothing" }, "Nothing changed between these snapshots."));
    else {
      const first = this.changes.querySelector(".pill");
      first.click();
    }
  }

  async pick(change, metric, pill) {
    for (const other of this.changes.querySelectorAll(".pill"))
      other.setAttribute("aria-pressed", String(other === pill));
    try {
      const answer = await api.compare(this.meta.number, this.other, change, metric),
        kind = this.meta.has_thumbnails ? "image" : "text";
      this.list.replaceChildren(
        h(
          "p",
          { class: "lead" },
          answer.total > answer.cards.length
            ? `The first ${number(answer.cards.length)} of ${number(answer.total)}.`
            : `${number(answer.total)} samples.`,
        ),
        h(
          "div",
          { class: `strip tall ${kind === "image" ? "" : "texts"}` },
          answer.cards.map((data) =>
            card(data, answer.snapshot, { kind, onopen: (found) => this.on.open(answer.snapshot, found.id) }),
          ),
        ),
      );
    } catch (error) {
      toast(error.message);
    }
  }
}
