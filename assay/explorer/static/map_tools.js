// The row of tools over the plot, and the choice of what the gallery is sorted by.
import { page } from "./context.js";
import { button, h, icon } from "./dom.js";
import { ranks } from "./filters.js";
import { state } from "./state.js";

const METHODS = { umap: "UMAP", tsne: "t-SNE", pca: "PCA", captions: "Captions" };

export function drawTools(plot, pick) {
  const toggle = (name, text, key, on) =>
    button(name, text, () => page.change({ [key]: !on }), { class: "tool", "aria-pressed": String(on) });
  const choose = (name, text, letter) =>
    button(name, `${text} (${letter})`, () => pick(name), {
      class: "tool",
      "aria-pressed": String(plot.tool === name),
    });
  const methods = h(
    "div",
    { class: "segment", role: "group", "aria-label": "Projection" },
    page.meta.layouts.map(({ method }) =>
      h(
        "button",
        {
          type: "button",
          "aria-pressed": String(method === state.method),
          onclick: () => page.change({ method, camera: null, deep: false }),
        },
        METHODS[method] ?? method,
      ),
    ),
  );
  const flagged = page.meta.columns.filter((c) => c.metric && c.issues > 0);
  const rings = h(
    "select",
    {
      id: "ring",
      "aria-label": "Ring round",
      title: "Which flagged samples have a ring",
      onchange: (event) => page.change({ ring: event.target.value }),
    },
    h("option", { value: "none", selected: state.ring === "none" }, "no rings"),
    flagged.map((c) =>
      h("option", { value: c.metric, selected: c.metric === state.ring }, `ring: ${c.title.toLowerCase()}`),
    ),
  );
  const middle_ = () => [plot.width / 2, plot.height / 2],
    gap = () => h("span", { class: "gap" });
  document.getElementById("tools").replaceChildren(
    methods,
    gap(),
    choose("lasso", "Lasso; Shift adds, Alt takes away", "L"),
    choose("box", "Box", "B"),
    choose("pan", "Hand", "V"),
    gap(),
    button("plus", "Zoom in (+)", () => plot.zoom(1.5, ...middle_()), { class: "tool" }),
    button("minus", "Zoom out (−)", () => plot.zoom(1 / 1.5, ...middle_()), { class: "tool" }),
    button("fit", "Show everything (0)", () => plot.fit(), { class: "tool" }),
    gap(),
    toggle("names", "Names on the plot", "names", state.names),
    toggle("waves", "Lines of density", "density", state.density),
    flagged.length ? h("label", { class: "ring-choice" }, icon("rings"), rings) : "",
    state.method === "pca"
      ? button(
          "cube",
          "Three dimensions: turn with the hand or the right button",
          () => page.change({ deep: !state.deep, camera: null }),
          { class: "tool", "aria-pressed": String(state.deep) },
        )
      : "",
  );
}

export function sorting() {
  const numbers = page.meta.columns.filter((c) => c.kind === "number"),
    order = ["label", "data", "column", "measure"];
  const options = [
    ["position", "source order"],
    ...(ranks(state.filter) ? [["similarity", "similarity"]] : []),
    ...order.flatMap((kind) =>
      numbers.filter((c) => c.page === kind).map((c) => [c.key, c.title.toLowerCase()]),
    ),
  ];
  const pick = (event) =>
    page.change({ sort: event.target.value, descending: event.target.value !== "position" });
  const turn = state.descending ? "Largest first: turn round" : "Smallest first: turn round";
  return h(
    "span",
    { class: "sorting" },
    h(
      "select",
      { "aria-label": "Sort by", onchange: pick },
      options.map(([key, name]) => h("option", { value: key, selected: key === state.sort }, name)),
    ),
    h(
      "button",
      {
        type: "button",
        class: "quiet",
        title: turn,
        "aria-label": turn,
        onclick: () => page.change({ descending: !state.descending }),
      },
      state.descending ? "↓" : "↑",
    ),
  );
}
