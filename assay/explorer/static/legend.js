// What colours the plot: classes with counts that isolate and hide, or a ramp for a number.
import { classColor, classIndex, css, rampColor } from "./colors.js";
import { button, h } from "./dom.js";
import { figure, number, words } from "./words.js";

const SHOWN = 14; // classes before "show all"
const MOST = 2000;
const SPOKEN = ["issue", "change"]; // columns whose names are words of ours

export class Legend {
  // on: { values(key, names), hide(key, name, hidden), flag(metric, on) }
  constructor(on) {
    this.on = on;
    this.wide = false;
    this.find = "";
    this.search = h("input", { type: "search", class: "find", hidden: true, oninput: () => this.typed() });
    this.list = h("div", { class: "classes" });
    this.more = h("button", { type: "button", class: "more", hidden: true, onclick: () => this.widen() });
    this.node = h("div", { class: "legend" }, this.search, this.list, this.more);
  }

  typed() {
    this.find = this.search.value.toLowerCase();
    this.draw();
  }

  widen() {
    this.wide = !this.wide;
    this.draw();
  }

  show(facet, column, filter, columns) {
    if (facet.key !== this.facet?.key) {
      this.find = this.search.value = "";
    }
    Object.assign(this, { facet, column, filter, columns });
    this.draw();
  }

  draw() {
    const { facet, column } = this;
    const few = facet.kind === "number" || facet.names.length <= SHOWN;
    this.search.hidden = few;
    if (facet.kind === "number") {
      this.more.hidden = true;
      const stops = Array.from({ length: 9 }, (_, i) => css(rampColor(i / 8))).join(", ");
      const scale = h("i", { vars: { "--ramp": `linear-gradient(90deg, ${stops})` } });
      return this.list.replaceChildren(
        h(
          "div",
          { class: "ramp" },
          scale,
          h("span", {}, figure(facet.low)),
          h("span", {}, column.meaning || column.title),
          h("span", {}, figure(facet.high)),
        ),
      );
    }
    this.search.placeholder = `Find among ${number(facet.names.length)}`;
    this.search.setAttribute("aria-label", "Find a class");
    this.most = facet.counts.reduce((most, n) => Math.max(most, n), Math.max(1, facet.none));
    const all = this.ordered(),
      shown = this.wide || this.find ? all.slice(0, MOST) : all.slice(0, SHOWN);
    const rows = shown.map(([name, place]) =>
      this.row(name, place, facet.counts[place], facet.selected[place]),
    );
    if (facet.none && !this.find) rows.push(this.row(null, -1, facet.none, facet.none_selected));
    const top = this.list.scrollTop;
    this.list.replaceChildren(...rows);
    this.list.scrollTop = top;
    this.more.hidden = few || !(all.length > shown.length || this.wide);
    this.more.textContent = this.wide ? "Show fewer" : `Show all ${number(all.length)}`;
  }

  // Names that are found, in the order of their counts; where the selection is narrower, what it holds comes first.
  ordered() {
    const { facet, filter } = this;
    const all = facet.names
      .map((name, place) => [name, place])
      .filter(([name]) => name.toLowerCase().includes(this.find));
    const own = filter.values?.[facet.key] || filter.hidden?.[facet.key]?.length;
    const narrowed = !own && facet.selected.some((n, place) => n !== facet.counts[place]);
    if (narrowed && facet.key !== "change") {
      all.sort((a, b) => facet.selected[b[1]] - facet.selected[a[1]] || a[1] - b[1]);
    }
    return all;
  }

  row(name, place, count, selected) {
    const { facet, filter } = this,
      key = facet.key;
    const metric = key === "issue" && name !== null ? this.columns.find((c) => c.metric === name) : null;
    const only = filter.values?.[key],
      hidden = filter.hidden?.[key] ?? [],
      flags = filter.flags ?? [];
    const isolated = metric ? flags.includes(name) : only?.includes(name);
    const away = hidden.includes(name) || (only && !isolated);
    const label = name === null ? "none" : SPOKEN.includes(key) ? words(name) : name;
    const total = metric?.issues ?? count; // a sample may have several issues: all that are flagged are counted
    const title = metric
      ? `${number(total)} are flagged; for ${number(count)} of them it is the worst issue. Shows only these`
      : isolated
        ? "Show every class again"
        : "Show only this; Ctrl or Shift adds";
    const pick = (event) =>
      metric
        ? this.on.flag(name, !isolated)
        : this.isolate(name, only ?? [], event.ctrlKey || event.metaKey || event.shiftKey);
    const told = selected === count ? number(total) : `${number(selected)} / ${number(count)}`;
    const color = classColor(name === null ? -1 : classIndex(key, facet.names, place));
    return h(
      "div",
      { class: `class ${isolated ? "only" : ""} ${away ? "away" : ""}` },
      h(
        "button",
        {
          type: "button",
          class: "class-name",
          "aria-pressed": String(Boolean(isolated)),
          title,
          onclick: pick,
        },
        h("i", { class: "swatch", vars: { "--swatch": css(color) } }),
        h("span", { class: "name", title: label.slice(0, 300) }, label.slice(0, 300)),
        h("span", { class: "count" }, told),
        h("b", {
          class: "bar",
          vars: { "--share": `${(100 * count) / this.most}%`, "--here": `${(100 * selected) / this.most}%` },
        }),
      ),
      button(
        "eye",
        `${hidden.includes(name) ? "Show" : "Hide"} ${label.slice(0, 60)}`,
        () => this.on.hide(key, name, !hidden.includes(name)),
        { class: "hide", "aria-pressed": String(hidden.includes(name)) },
      ),
    );
  }

  isolate(name, only, add) {
    const has = only.includes(name);
    const added = has ? only.filter((n) => n !== name) : [...only, name];
    this.on.values(this.facet.key, add ? added : has && only.length === 1 ? [] : [name]);
  }
}
