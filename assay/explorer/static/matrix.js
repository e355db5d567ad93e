// A confusion matrix that can be read with a hundred classes: the busiest rows, names in full, and the list beside it.
import { h } from "./dom.js";
import { middle, number } from "./words.js";

const STEPS = [12, 24, 60]; // classes shown

// answer: { classes, cells: [given, other, n], total, left_out }; words: { says, none, pick, on, verb }
export function confusionSheet({ classes, cells, total, left_out }, about) {
  if (!total) return h("p", { class: "nothing" }, about.none);
  const sizes = STEPS.filter((n, at) => at === 0 || STEPS[at - 1] < classes.length);
  let size = sizes.find((n) => n >= Math.min(classes.length, 24)) ?? sizes.at(-1);
  const frame = h("div", {
    class: "matrix-frame",
    tabindex: "0",
    role: "region",
    "aria-label": "Given label by the other one",
  });
  const choices = h("div", { class: "segment" });
  const draw = () => {
    choices.replaceChildren(
      ...(sizes.length > 1
        ? sizes.map((n) =>
            h(
              "button",
              {
                type: "button",
                "aria-pressed": String(n === size),
                onclick: () => {
                  size = n;
                  draw();
                },
              },
              `${Math.min(n, classes.length)} classes`,
            ),
          )
        : []),
    );
    frame.replaceChildren(matrix(busiest(classes, cells, size), cells, about));
  };
  draw();
  const left = left_out ? ` ${number(left_out)} classes with fewer are left out.` : "";
  const worst = cells
    .slice(0, 60)
    .map(([given, other, n]) =>
      h(
        "button",
        { type: "button", class: "confused", onclick: () => about.pick(given, other) },
        h("span", { class: "given", title: given.slice(0, 200) }, middle(given, 40)),
        h("span", {}, "→"),
        h("span", { class: "suggested", title: other.slice(0, 200) }, middle(other, 40)),
        h("b", {}, number(n)),
      ),
    );
  return h(
    "div",
    {},
    h("p", { class: "lead" }, about.says(total) + left),
    h(
      "div",
      { class: "confusion-page" },
      h("div", {}, choices, frame),
      h("div", { class: "confusions" }, h("h2", {}, "Most frequent"), worst),
    ),
  );
}

// The classes with the most in their rows and columns, in the order given.
export function busiest(classes, cells, most) {
  const sum = new Map(classes.map((name) => [name, 0]));
  for (const [given, other, n] of cells)
    for (const name of [given, other]) sum.set(name, (sum.get(name) ?? 0) + n);
  const chosen = new Set([...classes].sort((a, b) => sum.get(b) - sum.get(a)).slice(0, most));
  return classes.filter((name) => chosen.has(name));
}

function matrix(classes, cells, { pick, on, verb }) {
  const at = new Map(classes.map((name, place) => [name, place]));
  const inside = cells.filter(([given, other]) => at.has(given) && at.has(other)),
    most = Math.max(1, ...inside.map((cell) => cell[2]));
  const grid = h("div", {
    class: "matrix",
    vars: { "--n": classes.length, "--gutter": `${gutter(classes)}px` },
  });
  classes.forEach((name, place) => {
    const short = middle(name, 22),
      title = name.slice(0, 300);
    grid.append(
      h("span", { class: "row-name", title, vars: { "--row": place + 2 } }, short),
      h("span", { class: "column-name", title, vars: { "--column": place + 2 } }, h("span", {}, short)),
      h("i", { class: "diagonal", vars: { "--row": place + 2, "--column": place + 2 } }),
    );
  });
  for (const [given, other, n] of inside) {
    const pressed = on(given, other),
      title = `${n} labelled ${given.slice(0, 80)} that ${verb} ${other.slice(0, 80)}`;
    grid.append(
      h(
        "button",
        {
          type: "button",
          class: `cell ${pressed ? "on" : ""} ${n / most > 0.5 ? "strong" : ""}`,
          "aria-pressed": String(pressed),
          title,
          "aria-label": title,
          vars: {
            "--row": at.get(given) + 2,
            "--column": at.get(other) + 2,
            "--share": 0.16 + 0.84 * Math.sqrt(n / most),
          },
          onclick: () => pick(given, other),
        },
        String(n),
      ),
    );
  }
  return grid;
}

// Pixels for the names: as the longest needs, within reason.
const gutter = (classes) => 26 + 6.5 * Math.min(22, Math.max(...classes.map((name) => name.length), 1));
