// The bar at the top: dataset and snapshot, the pages, what was decided, help.
import { api } from "./api.js";
import { page } from "./context.js";
import { sentence, undo } from "./decide.js";
import { button, h, icon, svg, toast } from "./dom.js";
import { closeMenu, openMenu } from "./menu.js";
import { state } from "./state.js";
import { counted } from "./words.js";

const PAGES = [
  ["overview", "Overview"],
  ["map", "Map"],
  ["review", "Review"],
  ["tables", "Tables"],
  ["evaluation", "Evaluation"],
  ["compare", "Compare"],
];
const ONLINE = ["review", "evaluation", "compare"]; // pages that need the server

export function drawHeader() {
  const { meta, listing } = page,
    newest = listing.snapshots.at(-1).number;
  const pick = (event) =>
    page.change({ snapshot: +event.target.value === newest ? null : +event.target.value });
  const versions = h(
    "select",
    { id: "snapshot", "aria-label": "Snapshot", onchange: pick },
    listing.snapshots
      .slice()
      .reverse()
      .map((s) =>
        h(
          "option",
          { value: s.number, selected: s.number === meta.number },
          `v${s.number} · ${s.created_at.slice(0, 16).replace("T", " ")}`,
        ),
      ),
  );
  const pages = PAGES.filter(([name]) => !api.offline || !ONLINE.includes(name));
  document.getElementById("bar").replaceChildren(
    h(
      "a",
      { class: "logo", href: location.pathname, title: "assay: the overview", onclick: home },
      brand(),
      h("b", {}, "assay"),
    ),
    h("h1", { class: "dataset", title: meta.dataset }, meta.dataset),
    versions,
    h(
      "nav",
      { class: "pages", "aria-label": "Pages" },
      pages.map(([name, text]) =>
        h(
          "button",
          {
            type: "button",
            "aria-current": name === state.page ? "page" : null,
            onclick: () => page.change({ page: name, sample: null }),
          },
          text,
        ),
      ),
    ),
    api.offline
      ? ""
      : h(
          "button",
          {
            type: "button",
            class: "quiet",
            title: "Everything that was decided",
            onclick: (event) => openDecisions(event.currentTarget),
          },
          icon("list"),
          h("span", { class: "wide-only" }, "Decisions"),
        ),
    button("help", "Keys and gestures (?)", (event) => openHelp(event.currentTarget), { class: "quiet" }),
  );
  document.title = `${meta.dataset} v${meta.number} · assay`;
}

function home(event) {
  event.preventDefault();
  page.change({ page: "overview", filter: {}, sample: null, camera: null });
}

function brand() {
  const dots = [
    [6.5, 8, 3, 1],
    [15, 5.5, 2, 0.55],
    [12.5, 14, 2.6, 0.8],
    [18.5, 17.5, 3, 0],
  ];
  return svg(
    "svg",
    { viewBox: "0 0 24 24", class: "brand", "aria-hidden": "true" },
    ...dots.map(([cx, cy, r, o]) =>
      svg("circle", { cx, cy, r, class: o ? "good" : "found", opacity: o || 1 }),
    ),
  );
}

async function openDecisions(from) {
  try {
    const { batches, total } = await api.decisions();
    const lead = total
      ? `${counted(total, "decision")}, newest first. They outlive snapshots, and the next run respects them.`
      : "Nothing was decided yet. Review, or open a sample and press A, R, K, D or T.";
    openMenu(
      from,
      h(
        "div",
        { class: "items log" },
        h("p", { class: "small" }, lead),
        batches.map((batch) =>
          h(
            "div",
            { class: batch.undone ? "undone" : "" },
            h(
              "span",
              { class: "grow" },
              `${sentence(batch)} · ${counted(batch.n, "sample")}`,
              h("span", { class: "small block" }, `${batch.who}, ${batch.at}, v${batch.snapshot}`),
            ),
            batch.undone
              ? h("span", { class: "small" }, "undone")
              : button("undo", "Undo", () => {
                  closeMenu();
                  undo(batch.batch);
                }),
          ),
        ),
      ),
      { label: "Decisions" },
    );
  } catch (error) {
    toast(error.message);
  }
}

const HELP = {
  Everywhere: [
    ["Ctrl Z", "undo the last decision"],
    ["/", "search"],
    ["Esc", "back; clears the lasso"],
    ["?", "these keys"],
  ],
  Review: [
    ["A", "accept the suggestion"],
    ["R", "the label is right"],
    ["L", "another label"],
    ["K, D", "keep, drop"],
    ["→, ←", "skip, go back"],
    ["1 … 9", "of copies: keep this one"],
  ],
  Map: [
    ["L, B, V", "lasso, box, hand"],
    ["Shift, Alt and drag", "add to the lasso, take away from it"],
    ["Space or right button and drag", "move"],
    ["Wheel, + and −, 0", "zoom; everything"],
    ["Click a class", "isolate it; with Ctrl add to it; the eye hides it"],
  ],
  Samples: [
    ["Arrows, Enter", "walk the gallery, open"],
    ["Ctrl or Shift click, Space", "choose several"],
    ["T, S", "tag, find similar"],
  ],
};

export function openHelp(from) {
  openMenu(
    from,
    h(
      "div",
      { class: "help" },
      Object.entries(HELP).map(([part, rows]) =>
        h(
          "table",
          {},
          h("caption", {}, part),
          h(
            "tbody",
            {},
            rows.map(([keys, what]) => h("tr", {}, h("th", { scope: "row" }, keys), h("td", {}, what))),
          ),
        ),
      ),
    ),
    { label: "Keys and gestures" },
  );
}
