// The left column: what colours the plot, the legend, and a histogram with a range slider for every number.
import { debounce, h } from "./dom.js";
import { Histogram } from "./histogram.js";
import { Legend } from "./legend.js";
import { number } from "./words.js";

const CLOSED = ["Measurements", "Parts of other scores"]; // groups that are shut until they are opened
const PARTS = ["knn_distance", "junk_cluster", "off_class"];

export class Facets {
  // on: { color(key), values(key, names), hide(key, name), range(key, range|null), flag(metric), sort(key), wanted() }
  constructor(host, on) {
    this.host = host;
    this.on = on;
    this.legend = new Legend(on);
    this.slots = new Map(); // key → { node, head, histogram }
  }

  // Build the column for one snapshot; later changes of the view only update it.
  build(meta, state) {
    this.meta = meta;
    this.state = state;
    if (this.built !== meta) {
      this.built = meta;
      this.slots.clear();
      const groups = this.groups(meta.columns);
      this.select = h(
        "select",
        { id: "color", onchange: (event) => this.on.color(event.target.value) },
        groups.map(([name, columns]) =>
          h(
            "optgroup",
            { label: name },
            columns.map((column) => h("option", { value: column.key }, column.title)),
          ),
        ),
      );
      this.host.replaceChildren(
        h("label", { class: "field" }, h("span", {}, "Colour by"), this.select),
        this.legend.node,
        ...groups.map((group) => this.section(...group)).filter(Boolean),
      );
    }
    this.select.value = state.color;
    for (const slot of this.slots.values()) this.updateHead(slot);
  }

  groups(columns) {
    const of = (test) => columns.filter(test),
      part = (c) => PARTS.includes(c.metric);
    return [
      ["Samples", of((c) => c.page === "both")],
      ["Labels", of((c) => c.page === "label" && !part(c))],
      ["Data", of((c) => c.page === "data" && !part(c))],
      ["Columns", of((c) => c.page === "column")],
      ["Measurements", of((c) => c.page === "measure")],
      ["Parts of other scores", of(part)],
    ].filter(([, list]) => list.length);
  }

  section(name, columns) {
    const shown = columns.filter((column) => column.kind === "number");
    if (!shown.length) return null;
    const open = CLOSED.includes(name) ? null : true;
    return h(
      "details",
      { class: "group", open, ontoggle: (event) => event.target.open && this.on.wanted() },
      h("summary", {}, name),
      shown.map((column) => this.slot(column)),
    );
  }

  slot(column) {
    const range = debounce(130, (value) => this.on.range(column.key, value));
    const histogram = new Histogram(column, range),
      title = [column.meaning, "Click to sort and colour by it"];
    const name = h(
      "button",
      {
        type: "button",
        class: "metric-name",
        title: title.filter(Boolean).join(". "),
        onclick: () => this.on.sort(column.key),
      },
      column.title,
    );
    const flag =
      column.issues > 0 && column.metric
        ? h(
            "button",
            {
              type: "button",
              class: "flag",
              title: `Only the ${number(column.issues)} that are flagged`,
              onclick: () => this.on.flag(column.metric, flag.getAttribute("aria-pressed") !== "true"),
            },
            number(column.issues),
          )
        : null;
    if (flag) flag.setAttribute("aria-label", `${column.title}: only the ${number(column.issues)} flagged`);
    const node = h(
      "div",
      { class: "metric", data: { key: column.key } },
      h("div", { class: "metric-head" }, name, flag),
      histogram.node,
    );
    this.slots.set(column.key, { column, node, flag, histogram });
    return node;
  }

  updateHead({ column, flag }) {
    if (!flag) return;
    const on = (this.state.filter.flags ?? []).includes(column.metric);
    flag.classList.toggle("on", on);
    flag.setAttribute("aria-pressed", String(on));
  }

  // columns whose counts are visible, the colour first
  wanted() {
    const keys = [this.state.color];
    for (const [key, { node }] of this.slots)
      if (node.closest("details").open && !keys.includes(key)) keys.push(key);
    return keys;
  }

  show(facet) {
    const column = this.meta.columns.find((c) => c.key === facet.key),
      ramp = facet.key === this.state.color;
    if (facet.kind === "number") column.bounds = [facet.low, facet.high];
    if (ramp) this.legend.show(facet, column, this.state.filter, this.meta.columns);
    this.slots.get(facet.key)?.histogram.show(facet, this.state.filter.ranges?.[facet.key], ramp);
  }
}
