// The left column: what colours the plot, the legend, and a histogram with a range slider for every number.
import { classColor, classIndex, css, rampColor } from "./colors.js";
import { button, figure, h, icon, number, svg, words } from "./dom.js";

const FEW = 14; // classes shown before "show all"

export class Facets {
  // on: { color(key), values(key, names), hide(key, name, hidden), range(key, low, high), flag(metric, on), sort(key) }
  constructor(host, on) {
    this.host = host;
    this.on = on;
    this.counts = new Map();
    this.open = new Set();
    this.wide = false;
    this.find = "";
  }

  build(meta, state) {
    this.meta = meta;
    this.state = state;
    const groups = this.groups(state.page),
      option = (column) =>
        h("option", { value: column.key, selected: column.key === state.color }, column.title);
    const select = h(
      "select",
      { id: "color", onchange: (event) => this.on.color(event.target.value) },
      groups.map(([name, columns]) => h("optgroup", { label: name }, columns.map(option))),
    );
    this.legend = h("div", { class: "legend" });
    this.lists = new Map();
    const sections = groups.map(([name, columns]) => {
      const shown = columns.filter((column) => column.kind === "number");
      if (!shown.length) return null;
      return h(
        "details",
        {
          class: "group",
          open: name !== "Measurements" && name !== "Other scores" ? true : undefined,
          ontoggle: (event) => event.target.open && this.on.wanted(),
        },
        h("summary", {}, name),
        shown.map((column) => this.slot(column)),
      );
    });
    this.host.replaceChildren(
      h("label", { class: "field" }, h("span", {}, "Colour by"), select),
      this.legend,
      ...sections.filter(Boolean),
    );
  }

  groups(page) {
    const columns = this.meta.columns,
      of = (test) => columns.filter(test);
    const mine = page === "label" ? "label" : "data",
      other = page === "label" ? "data" : "label";
    const found = [
      ["Samples", of((c) => c.page === "both")],
      [page === "label" ? "Label quality" : "Data quality", of((c) => c.page === mine)],
      ["Columns", of((c) => c.page === "column")],
      ["Measurements", of((c) => c.page === "measure")],
      ["Other scores", of((c) => c.page === other)],
    ];
    return found.filter(([, list]) => list.length);
  }

  slot(column) {
    const node = h("div", { class: "metric", data: { key: column.key } });
    this.lists.set(column.key, node);
    node.append(this.head(column), h("div", { class: "histogram empty" }));
    return node;
  }

  head(column) {
    const flagged = column.issues > 0 && column.metric;
    const on = flagged && (this.state.filter.flags ?? []).includes(column.metric);
    return h(
      "div",
      { class: "metric-head" },
      h(
        "button",
        {
          type: "button",
          class: "metric-name",
          title: [column.meaning, "Click to sort and colour by it"].filter(Boolean).join(". "),
          onclick: () => this.on.sort(column.key),
        },
        column.title,
      ),
      flagged
        ? h(
            "button",
            {
              type: "button",
              class: `flag ${on ? "on" : ""}`,
              "aria-pressed": String(Boolean(on)),
              title: "Only the flagged ones",
              onclick: () => this.on.flag(column.metric, !on),
            },
            number(column.issues),
          )
        : null,
    );
  }

  // columns whose counts are visible, the colour first
  wanted() {
    const keys = [this.state.color];
    for (const [key, node] of this.lists)
      if (node.closest("details")?.open && !keys.includes(key)) keys.push(key);
    for (const key of Object.keys({ ...this.state.filter.values, ...this.state.filter.hidden }))
      if (!keys.includes(key)) keys.push(key);
    return keys;
  }

  show(facet) {
    this.counts.set(facet.key, facet);
    if (facet.key === this.state.color) this.showLegend(facet);
    const node = this.lists.get(facet.key),
      column = this.meta.columns.find((c) => c.key === facet.key);
    if (node && facet.kind === "number")
      node.replaceChildren(this.head(column), this.histogram(facet, column));
  }

  showLegend(facet) {
    const column = this.meta.columns.find((c) => c.key === facet.key);
    if (facet.kind === "number") {
      const stops = Array.from({ length: 9 }, (_, i) => css(rampColor(i / 8))).join(", ");
      this.legend.replaceChildren(
        h(
          "div",
          { class: "ramp" },
          h("i", { vars: { "--ramp": `linear-gradient(90deg, ${stops})` } }),
          h("span", {}, figure(facet.low)),
          h("span", {}, column.meaning || column.title),
          h("span", {}, figure(facet.high)),
        ),
      );
      return;
    }
    const only = this.state.filter.values?.[facet.key],
      hidden = this.state.filter.hidden?.[facet.key] ?? [];
    const most = Math.max(1, ...facet.counts, facet.none);
    const row = (name, place, count, selected) => {
      const isolated = only?.includes(name),
        away = hidden.includes(name) || (only && !isolated);
      const label =
        name === null ? "none" : facet.key === "issue" || facet.key === "change" ? words(name) : name;
      return h(
        "div",
        { class: `class ${isolated ? "only" : ""} ${away ? "away" : ""}` },
        h(
          "button",
          {
            type: "button",
            class: "class-name",
            "aria-pressed": String(Boolean(isolated)),
            title: isolated ? "Show every class again" : "Show only this; Ctrl or Shift adds",
            onclick: (event) =>
              this.isolate(facet.key, name, only ?? [], event.ctrlKey || event.metaKey || event.shiftKey),
          },
          h("i", {
            class: "swatch",
            vars: {
              "--swatch": css(classColor(name === null ? -1 : classIndex(facet.key, facet.names, place))),
            },
          }),
          h("span", { class: "name" }, label.slice(0, 300)),
          h(
            "span",
            { class: "count" },
            selected === count ? number(count) : `${number(selected)} / ${number(count)}`,
          ),
          h("b", {
            class: "bar",
            vars: { "--share": `${(100 * count) / most}%`, "--here": `${(100 * selected) / most}%` },
          }),
        ),
        button(
          "eye",
          `${hidden.includes(name) ? "Show" : "Hide"} ${label.slice(0, 60)}`,
          () => this.on.hide(facet.key, name, !hidden.includes(name)),
          { class: "hide", "aria-pressed": String(hidden.includes(name)) },
        ),
      );
    };
    const all = facet.names
      .map((name, place) => [name, place])
      .filter(([name]) => name.toLowerCase().includes(this.find));
    const narrowed = facet.selected.some((n, place) => n !== facet.counts[place]) && !only && !hidden.length;
    if (narrowed && facet.key !== "change")
      all.sort((a, b) => facet.selected[b[1]] - facet.selected[a[1]] || a[1] - b[1]); // what is selected, first
    const shown = this.wide || this.find ? all.slice(0, 2000) : all.slice(0, FEW);
    const rows = shown.map(([name, place]) => row(name, place, facet.counts[place], facet.selected[place]));
    if (facet.none && !this.find) rows.push(row(null, -1, facet.none, facet.none_selected));
    const search =
      facet.names.length > FEW
        ? h("input", {
            type: "search",
            class: "find",
            placeholder: `Find among ${number(facet.names.length)}`,
            "aria-label": "Find a class",
            value: this.find,
            oninput: (event) => {
              this.find = event.target.value.toLowerCase();
              this.showLegend(facet);
              this.legend.querySelector(".find").focus();
            },
          })
        : null;
    const more =
      all.length > shown.length || this.wide
        ? h(
            "button",
            {
              type: "button",
              class: "more",
              onclick: () => {
                this.wide = !this.wide;
                this.showLegend(facet);
              },
            },
            this.wide ? "Show fewer" : `Show all ${number(all.length)}`,
          )
        : null;
    const top = this.legend.querySelector(".classes")?.scrollTop ?? 0;
    this.legend.replaceChildren(
      ...[search, h("div", { class: "classes" }, rows), facet.names.length > FEW ? more : null].filter(
        Boolean,
      ),
    );
    this.legend.querySelector(".classes").scrollTop = top;
  }

  isolate(key, name, only, add) {
    const has = only.includes(name);
    const next = add
      ? has
        ? only.filter((n) => n !== name)
        : [...only, name]
      : has && only.length === 1
        ? []
        : [name];
    this.on.values(key, next);
  }

  histogram(facet, column) {
    const high = Math.max(1, ...facet.counts.map(Math.sqrt)),
      n = facet.counts.length,
      [low, top] = [facet.low, facet.high];
    const range = this.state.filter.ranges?.[facet.key],
      ramp = facet.key === this.state.color;
    const bar = (count, at, name) =>
      svg("rect", {
        x: at + 0.06,
        width: 0.88,
        y: 32 - (Math.sqrt(count) / high) * 32,
        height: (Math.sqrt(count) / high) * 32,
        class: name,
        ...(ramp && name === "here" ? { fill: css(rampColor((at + 0.5) / n)) } : {}),
      });
    const bars = svg(
      "svg",
      { viewBox: `0 0 ${n} 32`, preserveAspectRatio: "none", class: "bars", "aria-hidden": "true" },
      ...facet.counts.map((count, at) => bar(count, at, "all")),
      ...facet.selected.map((count, at) => bar(count, at, "here")),
    );
    const step = (top - low) / 400 || 1,
      now = range ?? [low, top];
    const slider = (side) =>
      h("input", {
        type: "range",
        min: low,
        max: top,
        step: "any",
        value: now[side],
        "aria-label": `${column.title}, ${side ? "at most" : "at least"}`,
        class: side ? "upper" : "lower",
        onkeydown: (event) => {
          const by = { ArrowLeft: -4, ArrowDown: -4, ArrowRight: 4, ArrowUp: 4 }[event.key];
          if (by) {
            event.preventDefault();
            event.target.value = +event.target.value + by * step;
            event.target.dispatchEvent(new Event("input"));
          }
        },
      });
    const lower = slider(0),
      upper = slider(1),
      text = h(
        "div",
        { class: "ends" },
        h("span", {}, figure(now[0])),
        h("span", { class: "unit" }, facet.none ? `${number(facet.none)} without` : ""),
        h("span", {}, figure(now[1])),
      );
    const node = h(
      "div",
      { class: `histogram ${range ? "ranged" : ""}` },
      bars,
      h("div", { class: "shade left" }),
      h("div", { class: "shade right" }),
      lower,
      upper,
      text,
    );
    const paint = () => {
      const share = (v) => `${(100 * (v - low)) / (top - low || 1)}%`;
      node.style.setProperty("--from", share(+lower.value));
      node.style.setProperty("--to", share(+upper.value));
      text.firstChild.textContent = figure(+lower.value);
      text.lastChild.textContent = figure(+upper.value);
    };
    const move = (event) => {
      if (+lower.value > +upper.value)
        (event.target === lower ? lower : upper).value = event.target === lower ? upper.value : lower.value;
      paint();
      if (+lower.value <= low + step / 2 && +upper.value >= top - step / 2)
        this.on.range(facet.key, null, null);
      else
        this.on.range(
          facet.key,
          +(+lower.value).toPrecision(6),
          +upper.value >= top - step / 2 ? top : +(+upper.value).toPrecision(6),
        );
    };
    lower.addEventListener("input", move);
    upper.addEventListener("input", move);
    bars.addEventListener("click", (event) => {
      const box = bars.getBoundingClientRect(),
        at = low + ((event.clientX - box.left) / box.width) * (top - low);
      lower.value = at;
      upper.value = top;
      move({ target: lower });
    });
    paint();
    return node;
  }
}
