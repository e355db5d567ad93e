// The page: one state, which the address holds; a change of it draws what depends on it.
import { api, ServerError } from "./api.js";
import { assigned, setClassColors } from "./colors.js";
import { Compare } from "./compare.js";
import { page } from "./context.js";
import { undo } from "./decide.js";
import { Detail } from "./detail.js";
import { h, isWriting, toast } from "./dom.js";
import { showEvaluation } from "./evaluation.js";
import { isEmpty, isRanking, ranks, withKey } from "./filters.js";
import { drawHeader, openHelp } from "./header.js";
import { MapPage, TABS } from "./map_page.js";
import { closeMenu } from "./menu.js";
import { showOverview } from "./overview.js";
import { listenForPictures } from "./picture.js";
import { Review } from "./review.js";
import { read, same, state, write } from "./state.js";
import { showTables } from "./tables.js";

const PAGES = ["overview", "map", "review", "tables", "evaluation", "compare"];
const STEPS = [
  "page",
  "tab",
  "sheet",
  "queue",
  "grid",
  "filter",
  "sample",
  "color",
  "method",
  "deep",
  "sort",
  "snapshot",
  "other",
];
const NEW_SNAPSHOT_MS = 10_000;
const at = (id) => document.getElementById(id);

let turn = 0;
const map = new MapPage();
const review = new Review(at("review"));
const compare = new Compare(at("compare"));
const detail = new Detail(at("detail"), {
  close: closeSample,
  open: openSample,
  step: (by) => map.step(by),
  values: (key, names) =>
    page.change({
      page: "map",
      sample: null,
      tab: "samples",
      filter: { ...state.filter, values: withKey(state.filter.values, key, names) },
    }),
});

Object.assign(page, { change, setFilter, openSample, guard, decided, restart: start });

function setFilter(key, value, more = {}) {
  const filter = withKey(state.filter, key, value);
  const lifted = isEmpty(value) && isRanking(key) && state.sort === "similarity";
  change({ filter, ...(lifted ? { sort: null } : {}), ...more });
}

// One change of the state: it is a step that the browser's Back takes back, unless only the camera moved.
function change(next) {
  const before = { ...state };
  Object.assign(state, next);
  if (state.snapshot !== before.snapshot) {
    state.camera = null;
    write(true);
    return start();
  }
  settle();
  write(STEPS.some((key) => !same(before[key], state[key])));
  render(before);
}

const has = (key) => page.meta.columns.some((column) => column.key === key);
const firstOf = (tries, otherwise) => tries.find(has) ?? otherwise;

// Whatever the address leaves open, or names that is not there, gets its usual value.
function settle() {
  const { meta } = page,
    flagged = meta.columns.filter((c) => c.metric && c.issues > 0).map((c) => c.metric);
  if (
    !PAGES.includes(state.page) ||
    (api.offline && ["review", "evaluation", "compare"].includes(state.page))
  )
    state.page = "overview";
  if (!has(state.color)) state.color = page.classes.length > 1 ? "label" : "issue";
  if (!state.ring || (state.ring !== "none" && !flagged.includes(state.ring))) {
    state.ring = ["label_issue", "outlier", ...flagged].find((metric) => flagged.includes(metric)) ?? "none";
  }
  const searching = ranks(state.filter);
  if (!has(state.sort) && state.sort !== "position" && !(state.sort === "similarity" && searching)) {
    const numbers = meta.columns.filter((c) => c.page === "data" && c.kind === "number").map((c) => c.key);
    state.sort = searching
      ? "similarity"
      : firstOf(["label_issues.score", "scores.outlier", ...numbers], "position");
  }
  if (!meta.layouts.some((layout) => layout.method === state.method))
    state.method = meta.layouts[0]?.method ?? null;
  if (!TABS.some(([name]) => name === state.tab)) state.tab = "samples";
  if (state.method !== "pca") state.deep = false;
}

function render(before = null) {
  const moved = (...keys) => !before || keys.some((key) => !same(before[key], state[key]));
  document.body.dataset.page = state.page;
  for (const name of PAGES) at(name).hidden = name !== state.page;
  if (moved("page")) drawHeader();
  drawPhone();
  const draw = {
    overview: () => moved("page") && guard(showOverview(at("overview"))),
    map: () => map.render(before),
    review: () => moved("page", "queue", "grid", "filter") && guard(review.show()),
    tables: () => moved("page", "sheet", "filter") && guard(showTables(at("tables"))),
    evaluation: () => moved("page", "filter") && guard(showEvaluation(at("evaluation"))),
    compare: () => moved("page", "other", "method") && guard(compare.show()),
  };
  draw[state.page]();
  showSample(before);
}

function showSample(before) {
  const open = Boolean(state.sample);
  document.body.classList.toggle("detailed", open);
  if (open && (!before || before.sample !== state.sample)) {
    guard(
      detail.show(page.meta, state.sample).then(() => map.mark(detail.data?.row ?? null)),
      closeSample,
    );
  } else if (!open && !at("detail").hidden) {
    detail.close();
    map.mark(null);
  }
}

function openSample(id) {
  map.peek.hide();
  if (state.page === "map" && document.body.dataset.part) document.body.dataset.part = "side";
  change({ sample: id });
}

function closeSample() {
  change({ sample: null });
  if (state.page === "map") map.back();
}

function guard(promise, otherwise = null) {
  promise.catch((error) => {
    if (error.name === "AbortError") return;
    toast(error.message);
    otherwise?.();
  });
}

// Somebody decided: classes and tags may be new, cards and progress are.
async function decided() {
  const { classes, tags } = await api.classes(page.meta.number);
  Object.assign(page, { classes, tags });
  await Promise.all([
    map.decided(),
    review.refresh(),
    state.page === "overview" ? showOverview(at("overview")) : null,
  ]);
  if (state.sample) await detail.show(page.meta, state.sample);
}

function drawPhone() {
  const parts = [
    ["facets", "Filters"],
    ["stage", "Plot"],
    ["side", "Samples"],
  ];
  at("phone").hidden = state.page !== "map";
  at("phone").replaceChildren(
    ...parts.map(([id, title]) =>
      h(
        "button",
        {
          type: "button",
          "aria-pressed": String(document.body.dataset.part === id),
          onclick: () => {
            document.body.dataset.part = id;
            drawPhone();
            map.plot.resize();
            map.gallery.layout();
          },
        },
        title,
      ),
    ),
  );
}

listenForPictures();
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && closeMenu()) return;
  if (!page.meta) return;
  if (
    (event.ctrlKey || event.metaKey) &&
    event.key.toLowerCase() === "z" &&
    !isWriting(event) &&
    !api.offline
  ) {
    event.preventDefault();
    return undo();
  }
  if (isWriting(event) || event.ctrlKey || event.metaKey || event.altKey) return;
  const onMap = state.page === "map",
    tool = (name) => () => onMap && !state.sample && map.pickTool(name);
  const act = {
    "/": () => {
      if (!onMap) change({ page: "map" });
      map.bar.box.focus();
    },
    l: tool("lasso"),
    b: tool("box"),
    v: tool("pan"),
    0: () => onMap && map.plot.fit(),
    "?": () => openHelp(at("bar")),
    Escape: () => (state.sample ? closeSample() : onMap && state.filter.lasso && setFilter("lasso", null)),
  }[event.key];
  if (!act || (state.page === "review" && !state.sample && event.key === "l")) return;
  event.preventDefault();
  act();
});

// Back and forward, or an address that was typed.
addEventListener("popstate", () => {
  const before = { ...state };
  read();
  if (!page.meta || state.snapshot !== before.snapshot) return start();
  settle();
  render(before);
});

matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => page.meta && render());

at("skip").addEventListener("click", (event) => {
  event.preventDefault();
  const target = { map: at("gallery") }[state.page] ?? at(state.page);
  target.tabIndex = -1;
  target.focus();
});

async function start() {
  const me = ++turn;
  try {
    const listing = await api.snapshots();
    if (!listing.snapshots.length) throw new ServerError("There is no readable snapshot yet.", 404);
    if (listing.broken.length)
      toast(`Left out, because they cannot be read: ${listing.broken.map((n) => `v${n}`).join(", ")}.`);
    const newest = listing.snapshots.at(-1).number,
      known = listing.snapshots.some((s) => s.number === state.snapshot);
    const chosen = known ? state.snapshot : newest;
    if (state.snapshot !== null && !known)
      toast(`There is no snapshot v${state.snapshot}; this is v${chosen}.`);
    const [meta, named, { names }] = await Promise.all([
      api.meta(chosen),
      api.classes(chosen),
      api.names(chosen, ""),
    ]);
    if (me !== turn) return;
    Object.assign(page, { meta, listing, ...named });
    map.reset();
    detail.close();
    setClassColors(assigned(names.filter((name) => name.kind === "class"))); // one colour a class, everywhere
    settle();
    render();
    document.body.dataset.started = "1";
  } catch (error) {
    failed(error);
  }
}

function failed(error) {
  at("busy").textContent = "";
  at("plot").dataset.state = "failed";
  at("bar").replaceChildren(
    h("h1", { class: "dataset" }, "assay"),
    h("span", { class: "gate" }, error.message),
  );
  toast(error.message);
}

// A click whose question fails, and for which nobody waited, says so too.
addEventListener("unhandledrejection", ({ reason }) => guard(Promise.reject(reason)));

// A new snapshot, published while the page is open.
setInterval(async () => {
  if (document.hidden || !page.listing || api.offline) return;
  try {
    const now = await api.snapshots(),
      newest = now.snapshots.at(-1)?.number;
    if (!(newest > page.listing.snapshots.at(-1).number)) return; // none at all is none that is new
    page.listing = now;
    drawHeader();
    toast(`Snapshot v${newest} was published.`, {
      name: "Open it",
      run: () => {
        state.snapshot = null;
        start();
      },
    });
  } catch {
    // the next look will tell
  }
}, NEW_SNAPSHOT_MS);

document.body.dataset.part = "stage";
read();
start();
