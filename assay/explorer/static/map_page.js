// The map: plot, colours and filters, gallery and lists, all speaking of one selection.
import { api } from "./api.js";
import { classPalette, rampPalette } from "./colors.js";
import { page } from "./context.js";
import { askMany } from "./decide.js";
import { button, debounce, h } from "./dom.js";
import { Facets } from "./facets.js";
import { explainEmpty, FilterBar } from "./filterbar.js";
import { ranks, stroked, toggled, withKey } from "./filters.js";
import { faceOf } from "./faces.js";
import { Gallery } from "./gallery.js";
import { duplicates, leaks } from "./lists.js";
import { drawTools, sorting } from "./map_tools.js";
import { forgetPeeks, Peek } from "./peek.js";
import { addGrips } from "./panes.js";
import { Plot } from "./plot.js";
import { same, state, write } from "./state.js";
import { walk } from "./table.js";
import { openExports } from "./takeaway.js";
import { middle, number } from "./words.js";

export const TABS = [
  ["samples", "Samples"],
  ["duplicates", "Duplicates"],
  ["leaks", "Leaks"],
];
const at = (id) => document.getElementById(id);

export class MapPage {
  constructor() {
    this.last = null; // the points that are drawn
    this.counts = null;
    this.opened = -1; // index in the gallery of the sample that is open
    this.colors = new Map(); // facets of colours over everything
    this.bar = new FilterBar(at("filters"));
    this.peek = new Peek(at("plot"));
    this.plot = new Plot(at("plot"), {
      hover: (row, x, y) => this.peek.show(page.meta.number, row, x, y),
      open: (row) => this.openRow(row),
      select: (stroke, how) =>
        page.setFilter(
          "lasso",
          stroked(state.filter.lasso, stroke && { method: state.method, ...stroke }, how),
        ),
      region: () =>
        page.meta && this.last && this.last.there > this.last.count && page.guard(this.drawPoints()),
      camera: debounce(250, () => {
        state.camera = this.plot.where();
        write();
      }),
    });
    this.facets = new Facets(at("facets"), {
      color: (key) => page.change({ color: key }),
      sort: (key) => page.change({ sort: key, color: key, descending: true, tab: "samples" }),
      values: (key, names) => page.setFilter("values", withKey(state.filter.values, key, names)),
      hide: (key, name) =>
        page.setFilter(
          "hidden",
          withKey(state.filter.hidden, key, toggled(state.filter.hidden?.[key], name)),
        ),
      range: (key, range) => page.setFilter("ranges", withKey(state.filter.ranges, key, range)),
      flag: (metric) => page.setFilter("flags", toggled(state.filter.flags, metric)),
      wanted: () => page.meta && page.guard(this.count()),
    });
    addGrips(at("map"), () => this.plot.resize());
    this.samples = h("div", { class: "samples" });
    this.panel = h("div", { class: "panel-host", hidden: true });
    at("lists").append(this.samples, this.panel);
    this.gallery = new Gallery(this.samples, {
      open: (data, index) => {
        this.opened = index;
        page.openSample(data.id);
      },
      chosen: (choice) => this.chosen(choice),
    });
  }

  // Another snapshot: nothing that was read holds.
  reset() {
    Object.assign(this, { last: null, counts: null, names: null });
    this.colors.clear();
    forgetPeeks();
  }

  render(before) {
    const moved = (key) => !before || !same(before[key], state[key]),
      entered = moved("page") || moved("snapshot");
    this.facets.build(page.meta, state);
    if (entered || moved("method") || moved("deep") || moved("ring") || moved("names") || moved("density"))
      this.tools();
    this.bar.draw();
    this.tabs();
    const ground = moved("method") || moved("deep") || !this.last;
    this.showList(entered || ["filter", "sort", "descending", "tab"].some(moved));
    this.order();
    if (ground || entered || moved("filter") || moved("color") || moved("ring"))
      page.guard(this.drawPoints(ground));
    if (entered || moved("filter") || moved("color")) page.guard(this.count());
    this.plot.showNames = state.names;
    this.plot.showDensity = state.density;
    if (["names", "density"].some(moved)) this.plot.draw();
  }

  async drawPoints(ground = false) {
    const { meta } = page;
    if (!state.method) {
      at("plot").dataset.state = "none";
      return;
    }
    this.drawing?.abort();
    const abort = (this.drawing = new AbortController()),
      column = meta.columns.find((c) => c.key === state.color);
    const whole =
      ground ||
      !this.last ||
      this.plot.fitted ||
      state.deep ||
      (this.last.there <= this.last.count && !this.last.region);
    const body = {
      method: state.method,
      color: state.color,
      kind: column.kind,
      filter: state.filter,
      limit: meta.most_points,
      deep: state.deep,
      ring: state.ring,
      region: whole ? null : this.plot.bounds(0.5),
    };
    const [points, facet] = await Promise.all([
      api.points(meta.number, body, abort.signal),
      this.colorFacet(abort.signal),
    ]);
    const first = ground || !this.last;
    if (!first) await this.gallery.shown(); // a large plot takes a while to paint, and the pictures would wait for it
    if (page.meta !== meta || abort.signal.aborted) return;
    points.region = body.region;
    points.ground = JSON.stringify([meta.number, state.method, state.deep, body.region, points.count]);
    points.slot = slots(points.color, facet, column.kind);
    this.last = points;
    this.plot.deep = state.deep && Boolean(points.z);
    this.plot.strokes = (state.filter.lasso ?? []).filter(
      (stroke) => stroke.method === state.method && !stroke.matrix,
    );
    this.plot.setData(
      points,
      column.kind === "category" ? classPalette(state.color, facet.names) : rampPalette(),
    );
    if (first) this.plot.look(state.camera);
    this.plot.pictures = meta.has_thumbnails ? (row) => api.thumbnail(meta.number, row) : null;
    this.mark();
    at("plot").dataset.selected = String(points.selected);
    at("plot").dataset.state = "drawn";
    this.status();
    if (first) page.guard(this.drawNames());
  }

  async drawNames() {
    const { names } = await api.names(page.meta.number, state.method);
    this.plot.names = names.map((name) => ({ ...name, short: middle(name.name, 26) }));
    this.plot.trace();
  }

  async colorFacet(signal) {
    const key = state.color;
    if (!this.colors.has(key) || key === "decision") {
      const { facets } = await api.facets(page.meta.number, { filter: {}, columns: [key] }, signal);
      this.colors.set(key, facets[0]);
    }
    return this.colors.get(key);
  }

  // Counts of the selection: those that are seen first, the histograms in small portions after the gallery.
  async count() {
    this.counting?.abort();
    const abort = (this.counting = new AbortController()),
      keys = this.facets.wanted(),
      meta = page.meta;
    for (let from = 0; from < keys.length; from += from ? 4 : 1) {
      const columns = keys.slice(from, from + (from ? 4 : 1));
      const answer = await api.facets(meta.number, { filter: state.filter, columns }, abort.signal);
      if (abort.signal.aborted || page.meta !== meta) return;
      if (!from) {
        at("plot").dataset.count = String(answer.selected);
        this.status(answer);
        await this.gallery.busy?.catch(() => 0);
      }
      if (abort.signal.aborted) return;
      answer.facets.forEach((facet) => this.facets.show(facet));
    }
  }

  status(answer = this.counts) {
    this.counts = answer;
    if (!answer) return;
    const { selected, total } = answer,
      head = (this.head ??= this.makeHead());
    this.bar.tell(selected, total);
    head.count.textContent = number(selected);
    head.of.textContent = selected === total ? " samples" : ` of ${number(total)}`;
    head.drawn.textContent =
      this.last && this.last.there > this.last.count ? `, ${number(this.last.count)} drawn` : "";
    head.size.hidden = faceOf(page.meta).shape !== "tiles";
    this.order();
  }

  // The head of the gallery. Its nodes stay, so that a drag of the slider goes on while counts arrive.
  makeHead() {
    const head = {
      count: h("b", { id: "count" }),
      of: h("span", {}),
      drawn: h("span", { class: "small" }),
      size: h("input", {
        type: "range",
        class: "size",
        min: 64,
        max: 260,
        step: 4,
        value: this.gallery.width,
        "aria-label": "Size of the pictures",
        title: "Size of the pictures",
        oninput: (event) => this.gallery.resize(+event.target.value),
      }),
      order: h("span", { class: "order" }),
    };
    const all = (run) => (event) => run(event.currentTarget, this.counts.selected);
    const many = (from, n) => askMany(from, { filter: state.filter }, n);
    const away = (from, n) => openExports(from, n, state.filter, this.plot);
    this.gallery.head.replaceChildren(
      h("span", { class: "grow" }, head.count, head.of, head.drawn),
      head.size,
      head.order,
      api.offline ? "" : button("tag", "Tag or decide about all of these", all(many), { class: "quiet" }),
      button("down", "Take these samples away", all(away), { class: "quiet" }),
    );
    return head;
  }

  // What the gallery is sorted by; made anew where that is another, with the focus where it was.
  order() {
    const wanted = JSON.stringify([page.meta.number, state.sort, state.descending, ranks(state.filter)]),
      host = this.head?.order;
    if (!host || host.dataset.order === wanted) return;
    const focused = host.contains(document.activeElement) ? document.activeElement.tagName : null;
    host.dataset.order = wanted;
    host.replaceChildren(sorting());
    if (focused) host.querySelector(focused)?.focus();
  }

  chosen(choice) {
    const bar = this.gallery.chosenBar;
    bar.hidden = choice.size === 0;
    if (!choice.size) return;
    bar.replaceChildren(
      h("b", {}, `${number(choice.size)} chosen`),
      h("span", { class: "grow" }),
      api.offline
        ? ""
        : h(
            "button",
            {
              type: "button",
              class: "primary",
              onclick: (event) => askMany(event.currentTarget, { ids: [...choice.ids] }, choice.size),
            },
            "Decide …",
          ),
      h(
        "button",
        { type: "button", class: "quiet", onclick: () => page.setFilter("ids", [...choice.ids]) },
        "Only these",
      ),
      button("close", "Choose none", () => this.gallery.unchoose(), { class: "quiet" }),
    );
  }

  tabs() {
    const found = api.offline || page.meta.columns.length ? TABS : [];
    const focused = at("tabs").contains(document.activeElement);
    at("tabs").replaceChildren(
      ...found.map(([name, title]) =>
        h(
          "button",
          {
            type: "button",
            role: "tab",
            id: `tab-${name}`,
            "aria-controls": "lists",
            "aria-selected": String(name === state.tab),
            tabindex: name === state.tab ? "0" : "-1",
            onclick: () => page.change({ tab: name, sample: null }),
          },
          title,
        ),
      ),
    );
    if (focused) at("tabs").querySelector("[aria-selected=true]").focus();
    at("tabs").onkeydown = walk;
    at("lists").setAttribute("aria-labelledby", `tab-${state.tab}`);
  }

  showList(again) {
    const here = state.tab === "samples";
    this.samples.hidden = !here;
    this.panel.hidden = here;
    if (here && again) page.guard(this.load());
    if (!here && again) page.guard(this.loadPanel(state.tab));
  }

  async load() {
    const ask = { filter: state.filter, sort: state.sort, descending: state.descending };
    this.opened = -1;
    await (this.gallery.busy = this.gallery.load(page.meta, ask));
    if (!this.gallery.total) await explainEmpty(this.gallery.empty);
  }

  async loadPanel(tab) {
    const meta = page.meta;
    this.panel.classList.add("stale");
    try {
      const node = await { duplicates, leaks }[tab]({
        meta,
        filter: state.filter,
        open: (id) => page.openSample(id),
      });
      if (page.meta === meta && state.tab === tab) this.panel.replaceChildren(node);
    } finally {
      this.panel.classList.remove("stale");
    }
  }

  // After a decision: the cards are read anew, and the place in the gallery stays.
  async decided() {
    forgetPeeks();
    this.colors.delete("decision");
    if (state.page !== "map") {
      this.stale = true;
      return;
    }
    if (state.tab === "samples") {
      const keep = this.gallery.place,
        opened = this.opened;
      await this.load();
      this.opened = opened;
      this.gallery.go(keep);
    } else await this.loadPanel(state.tab);
    page.guard(this.count());
  }

  tools() {
    drawTools(this.plot, (name) => this.pickTool(name));
  }

  pickTool(name) {
    this.plot.tool = name;
    this.tools();
  }

  async openRow(row) {
    this.opened = -1;
    this.peek.hide();
    page.guard(api.peek(page.meta.number, row).then((data) => page.openSample(data.id)));
  }

  async step(by) {
    const found = await this.gallery.neighbor(this.opened + by);
    if (!found) return;
    this.opened += by;
    page.openSample(found.id);
  }

  mark(row = this.plot.marked) {
    this.plot.marked = row;
    this.plot.trace();
    this.gallery.opened = state.sample;
    this.gallery.scrolled(true);
  }

  // Back from a sample: to its card.
  back() {
    if (this.opened >= 0 && state.tab === "samples") this.gallery.focus(this.opened);
  }
}

// Colour values as slots of the palette: 0 for none, then one a class or 255 steps of a ramp.
function slots(values, facet, kind) {
  const out = new Float32Array(values.length);
  if (kind === "category") {
    for (let i = 0; i < values.length; i++) out[i] = values[i] === 65535 ? 0 : values[i] + 1;
    return out;
  }
  const wide = facet.high - facet.low || 1;
  for (let i = 0; i < values.length; i++) {
    const share = Math.max(0, Math.min(1, (values[i] - facet.low) / wide));
    out[i] = Number.isNaN(values[i]) ? 0 : 1 + Math.round(254 * share);
  }
  return out;
}
