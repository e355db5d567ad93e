// A table whose heads sort and say what they mean; and the keys that walk a row of tabs.
import { h } from "./dom.js";

// Arrow keys walk a row of tabs.
export function walk(event) {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key],
    tabs = [...event.currentTarget.querySelectorAll("[role=tab]")];
  if (!by) return;
  event.preventDefault();
  const next = tabs[(tabs.indexOf(document.activeElement) + by + tabs.length) % tabs.length];
  next.focus();
  next.click();
}

// Lines by one of their values, those without it last; equal ones keep their order.
export function sortedBy(lines, key, down) {
  const empty = (line) => line[key] === null || line[key] === undefined,
    order = ([{ [key]: a }, { [key]: b }]) =>
      typeof a === "string" && typeof b === "string"
        ? a.localeCompare(b, undefined, { numeric: true })
        : (a > b) - (a < b);
  return lines
    .slice()
    .sort((a, b) => (empty(a) || empty(b) ? empty(a) - empty(b) : order([a, b]) * (down ? -1 : 1)));
}

// columns: { name, key (to sort by), num, title, show(line) }; lines are sorted by a click on a head
export function table(columns, lines, { by = null, down = true } = {}) {
  const body = h("tbody", {}),
    heads = columns.map((c) => h("th", { class: c.num ? "num" : "", title: c.title, scope: "col" }));
  const draw = () => {
    const sorted = by ? sortedBy(lines, by, down) : lines;
    body.replaceChildren(
      ...sorted.map((line) =>
        h(
          "tr",
          {},
          columns.map((c) => h("td", { class: c.num ? "num" : "" }, c.show(line))),
        ),
      ),
    );
    heads.forEach((th, at) => {
      const c = columns[at];
      if (!c.key) return th.replaceChildren(c.name);
      th.setAttribute("aria-sort", by === c.key ? (down ? "descending" : "ascending") : "none");
      th.replaceChildren(
        h(
          "button",
          {
            type: "button",
            class: "sort",
            onclick: () => {
              down = by === c.key ? !down : true;
              by = c.key;
              draw();
            },
          },
          c.name,
          by === c.key ? (down ? " ↓" : " ↑") : "",
        ),
      );
    });
  };
  draw();
  const meant = columns.filter((c) => c.title);
  return h(
    "div",
    { class: "wide" },
    h("table", { class: "grid" }, h("thead", {}, h("tr", {}, heads)), body),
    meant.length
      ? h(
          "details",
          { class: "meant" },
          h("summary", {}, "What the columns mean"),
          h(
            "dl",
            {},
            meant.map((c) => [h("dt", {}, c.name), h("dd", {}, `${c.title}.`)]),
          ),
        )
      : null,
  );
}
