// The page: wires plot, filters, gallery, sample and lists to one state, which the address holds.
import { api, ServerError } from "./api.js";
import { classPalette, css, rampPalette } from "./colors.js";
import { Compare } from "./compare.js";
import { Detail, sentence } from "./detail.js";
import { button, debounce, figure, h, icon, number, svg, toast, words } from "./dom.js";
import { Facets } from "./facets.js";
import { Gallery, card } from "./gallery.js";
import { showPanel, TABS } from "./panels.js";
import { Plot } from "./plot.js";
import { fresh, read, state, write } from "./state.js";

const at = (id) => document.getElementById(id);
let meta = null,
  listing = null,
  turn = 0,
  opened = -1,
  last = null;

const plot = new Plot(at("plot"), {
  hover,
  open: (row) => openRow(row),
  select: lasso,
  region: () => meta && last && last.there > last.count && drawPoints(),
  camera: () => keepCamera(),
});
const facets = new Facets(at("facets"), {
  color: (key) => change({ color: key }),
  sort: (key) => change({ sort: key, color: key, descending: true, tab: "samples" }),
  values: setValues,
  hide: (key, name, away) =>
    setFilter(
      "hidden",
      withKey(
        state.filter.hidden,
        key,
        away
          ? [...(state.filter.hidden?.[key] ?? []), name]
          : (state.filter.hidden?.[key] ?? []).filter((n) => n !== name),
      ),
    ),
  range: (key, low, high) => applyRange(key, low === null ? null : [low, high]),
  flag: (metric, on) =>
    setFilter(
      "flags",
      on ? [...(state.filter.flags ?? []), metric] : (state.filter.flags ?? []).filter((m) => m !== metric),
    ),
  wanted: () => meta && guard(countFacets()),
});
const applyRange = debounce(130, (key, range) =>
  setFilter("ranges", withKey(state.filter.ranges, key, range)),
);
const lists = at("lists"),
  samplesHost = h("div", { class: "samples" }),
  panelHost = h("div", { class: "panel-host", hidden: true });
lists.append(samplesHost, panelHost);
const gallery = new Gallery(samplesHost, {
  open: (data, index) => {
    opened = index;
    openSample(data.id);
  },
});
const detail = new Detail(at("detail"), {
  close: closeSample,
  open: openSample,
  step,
  decide,
  undo,
  tag,
  similar: (id) => {
    closeSample();
    setFilter("similar", { id, k: 200 }, { sort: "similarity", tab: "samples" });
  },
  values: (key, names) => {
    closeSample();
    setValues(key, names);
  },
});
const compare = new Compare(at("compare"), {
  other: (value) => change({ other: value }),
  openRow: () => 0,
  open: (snapshot, id) =>
    snapshot === meta.number ? openSample(id) : change({ snapshot, page: "data", sample: id }),
});

function withKey(values, key, value) {
  const next = { ...values };
  if (value === null || (Array.isArray(value) && !value.length)) delete next[key];
  else next[key] = value;
  return next;
}
const isEmpty = (value) =>
  value === null ||
  value === undefined ||
  value === "" ||
  (Array.isArray(value) ? !value.length : typeof value === "object" && !Object.keys(value).length);

function setFilter(key, value, more = {}) {
  const filter = { ...state.filter };
  if (isEmpty(value)) delete filter[key];
  else filter[key] = value;
  if (isEmpty(value) && (key === "similar" || key === "words") && state.sort === "similarity")
    more = { sort: defaultSort(), ...more };
  change({ filter, ...more });
}
function setValues(key, names) {
  setFilter("values", withKey(state.filter.values, key, names));
}
function lasso(found) {
  setFilter("lasso", found ? { method: state.method, ...found } : null);
}

const has = (key) => meta.columns.some((column) => column.key === key);
function defaultSort() {
  const tries =
    state.page === "label"
      ? ["label_issues.score"]
      : [
          "scores.outlier",
          ...meta.columns.filter((c) => c.page === "data" && c.kind === "number").map((c) => c.key),
        ];
  return tries.find(has) ?? "position";
}
const defaultColor = () => (state.page === "label" ? "label" : "issue");

// one change of state: draw what depends on it
function change(next) {
  const before = { ...state };
  Object.assign(state, next);
  if (next.page && next.page !== before.page)
    Object.assign(state, { tab: "samples", color: null, sort: null, ...next });
  if ("snapshot" in next && next.snapshot !== before.snapshot) {
    state.filter = keepable(state.filter);
    write();
    return start();
  }
  settle();
  write();
  render(before);
}

function keepable(filter) {
  const { lasso: _, ...rest } = filter;
  return rest;
}

function settle() {
  if (!has(state.color)) state.color = defaultColor();
  if (!has(state.sort) && state.sort !== "position" && state.sort !== "similarity")
    state.sort = defaultSort();
  if (state.sort === "similarity" && !state.filter.similar && !state.filter.words) state.sort = defaultSort();
  if (!meta.layouts.some((l) => l.method === state.method)) state.method = meta.layouts[0]?.method ?? null;
  if (state.filter.lasso && state.filter.lasso.method !== state.method) {
    const { lasso: _, ...rest } = state.filter;
    state.filter = rest;
  }
  if (!(TABS[state.page] ?? TABS.data).some(([name]) => name === state.tab)) state.tab = "samples";
  if (state.method !== "pca") state.deep = false;
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function render(before = null) {
  const moved = (key) => !before || !same(before[key], state[key]);
  const comparing = state.page === "compare";
  at("compare").hidden = !comparing;
  document.body.dataset.page = state.page;
  for (const id of ["facets", "stage", "lists", "tabs"]) at(id).hidden = comparing;
  if (moved("page") || moved("snapshot")) header();
  if (comparing) {
    if (moved("page") || moved("other") || moved("method"))
      guard(compare.show({ ...meta, parent: current()?.parent }, listing.snapshots, state));
    sampleShown(before);
    return;
  }
  if (moved("page") || moved("color") || moved("filter")) facets.build(meta, state);
  if (moved("method") || moved("deep") || moved("page")) tools();
  chips();
  tabs();
  showList(moved("filter") || moved("sort") || moved("descending") || moved("tab") || moved("page"));
  const ground = moved("method") || moved("deep");
  if (ground || moved("filter") || moved("color") || moved("page")) guard(drawPoints(ground));
  if (moved("filter") || moved("color") || moved("page")) guard(countFacets());
  sampleShown(before);
}

function sampleShown(before) {
  if (state.sample && (!before || before.sample !== state.sample))
    guard(
      detail.show(meta, meta.number, state.sample).then(() => mark()),
      closeSample,
    );
  else if (!state.sample && !at("detail").hidden) {
    detail.close();
    mark();
  }
  at("side").classList.toggle("detailed", Boolean(state.sample));
}

function guard(promise, otherwise = null) {
  promise.catch((error) => {
    if (error.name === "AbortError") return;
    toast(error.message);
    if (otherwise) otherwise();
  });
}

let drawing = null;
async function drawPoints(ground = false) {
  if (!state.method) {
    at("plot").dataset.state = "none";
    return;
  }
  drawing?.abort();
  const abort = (drawing = new AbortController()),
    column = meta.columns.find((c) => c.key === state.color),
    me = turn;
  const whole = ground || !last || plot.fitted || state.deep || (last.there <= last.count && !last.region);
  const body = {
    method: state.method,
    color: state.color,
    kind: column.kind,
    filter: state.filter,
    limit: meta.most_points,
    deep: state.deep,
    region: whole ? null : plot.bounds(0.5),
  };
  const [points, facet] = await Promise.all([
    api.points(meta.number, body, abort.signal),
    colorFacet(abort.signal),
  ]);
  if (me !== turn) return;
  points.region = body.region;
  points.slot = slots(points.color, facet, column.kind);
  const first = ground || !last;
  last = points;
  plot.deep = state.deep && Boolean(points.z);
  plot.polygon = state.filter.lasso?.points ?? null;
  plot.setData(points, column.kind === "category" ? classPalette(state.color, facet.names) : rampPalette());
  if (first) plot.look(state.camera);
  plot.tool = tool;
  mark();
  at("plot").dataset.selected = String(points.selected);
  at("plot").dataset.state = "drawn";
  status();
}

function slots(values, facet, kind) {
  const out = new Float32Array(values.length);
  if (kind === "category")
    for (let i = 0; i < values.length; i++) out[i] = values[i] === 65535 ? 0 : values[i] + 1;
  else
    for (let i = 0; i < values.length; i++)
      out[i] = Number.isNaN(values[i])
        ? 0
        : 1 +
          Math.round(254 * Math.max(0, Math.min(1, (values[i] - facet.low) / (facet.high - facet.low || 1))));
  return out;
}

const facetCache = new Map();
async function colorFacet(signal) {
  const key = `${meta.number}:${state.color}`;
  if (!facetCache.has(key) || state.color === "decision")
    facetCache.set(
      key,
      (await api.facets(meta.number, { filter: {}, columns: [state.color] }, signal)).facets[0],
    );
  return facetCache.get(key);
}

let counting = null;
async function countFacets() {
  counting?.abort();
  const abort = (counting = new AbortController()),
    keys = facets.wanted();
  for (let from = 0; from < keys.length; from += from ? 4 : 1) {
    const answer = await api.facets(
      meta.number,
      { filter: state.filter, columns: keys.slice(from, from + (from ? 4 : 1)) },
      abort.signal,
    );
    if (abort.signal.aborted) return;
    if (!from) counted(answer);
    if (!from) await gallery.busy?.catch(() => 0); // samples first, histograms after them
    if (abort.signal.aborted) return;
    answer.facets.forEach((facet) => facets.show(facet));
  }
}

function counted(answer) {
  at("plot").dataset.count = String(answer.selected);
  status(answer);
}

let counts = null;
function status(answer = counts) {
  counts = answer;
  if (!answer) return;
  const drawn = last && last.there > last.count ? `, ${number(last.count)} drawn` : "";
  const all = answer.selected === answer.total;
  gallery.head.replaceChildren(
    h(
      "span",
      { class: "grow" },
      h("b", { id: "count" }, number(answer.selected)),
      all ? " samples" : ` of ${number(answer.total)} samples`,
      h("span", { class: "small" }, drawn),
    ),
    sorting(),
    api.offline
      ? ""
      : button(
          "tag",
          "Tag or decide about all of these",
          (event) => menu(event.currentTarget, actions(answer.selected)),
          { class: "quiet" },
        ),
    button(
      "down",
      "Take these samples away",
      (event) => menu(event.currentTarget, exports(answer.selected)),
      { class: "quiet" },
    ),
  );
}

function sorting() {
  const options = [
    ["position", "source order"],
    ...(state.filter.similar || state.filter.words ? [["similarity", "similarity"]] : []),
    ...meta.columns
      .filter((c) => c.kind === "number" && (state.page === "label") === (c.page === "label"))
      .map((c) => [c.key, c.title.toLowerCase()]),
    ...meta.columns
      .filter(
        (c) =>
          c.kind === "number" &&
          c.page !== (state.page === "label" ? "label" : "data") &&
          (c.page !== "label" || state.page !== "label"),
      )
      .map((c) => [c.key, c.title.toLowerCase()]),
  ];
  const once = [...new Map(options)];
  return h(
    "span",
    { class: "sorting" },
    h(
      "select",
      {
        "aria-label": "Sort by",
        onchange: (event) =>
          change({ sort: event.target.value, descending: event.target.value !== "position" }),
      },
      once.map(([key, name]) => h("option", { value: key, selected: key === state.sort }, name)),
    ),
    h(
      "button",
      {
        type: "button",
        class: "quiet",
        title: "Turn the order round",
        "aria-label": state.descending ? "Largest first" : "Smallest first",
        onclick: () => change({ descending: !state.descending }),
      },
      state.descending ? "↓" : "↑",
    ),
  );
}

function showList(changed) {
  const samples = state.tab === "samples";
  samplesHost.hidden = !samples;
  panelHost.hidden = samples;
  if (!changed) return;
  if (samples)
    return guard(
      (gallery.busy = gallery.load(meta.number, meta.has_thumbnails ? "image" : "text", {
        filter: state.filter,
        sort: state.sort,
        descending: state.descending,
      })),
    );
  const tab = state.tab,
    me = turn;
  guard(
    showPanel(panelHost, tab, {
      meta,
      snapshot: meta.number,
      filter: state.filter,
      current: () => tab === state.tab && me === turn,
      on: {
        open: openSample,
        decide,
        cell: (given, suggested) =>
          setFilter("cell", same(state.filter.cell, [given, suggested]) ? null : [given, suggested], {
            tab: "samples",
          }),
        carries: (classes) => setFilter("carries", classes, { tab: "samples" }),
        values: (key, names) =>
          setFilter("values", withKey(state.filter.values, key, names), { tab: "samples" }),
      },
    }),
  );
}

function tabs() {
  at("tabs").replaceChildren(
    ...(TABS[state.page] ?? []).map(([name, title]) =>
      h(
        "button",
        {
          type: "button",
          role: "tab",
          "aria-selected": String(name === state.tab),
          onclick: () => {
            if (state.sample) (Object.assign(state, { sample: null }), detail.close());
            change({ tab: name });
          },
        },
        title,
      ),
    ),
  );
}

// what is filtered, each with a way out
function chips() {
  const f = state.filter,
    made = [],
    chip = (text, away) =>
      made.push(
        h(
          "span",
          { class: "chip" },
          h("span", {}, text),
          button("close", `Remove: ${text.slice(0, 80)}`, away),
        ),
      );
  const title = (key) => meta.columns.find((c) => c.key === key)?.title ?? key,
    name = (n) => (n === null ? "none" : String(n).slice(0, 60));
  if (f.lasso) chip("lasso", () => lasso(null));
  for (const [key, names] of Object.entries(f.values ?? {}))
    chip(
      `${title(key)}: ${names.slice(0, 3).map(name).join(", ")}${names.length > 3 ? ` and ${names.length - 3} more` : ""}`,
      () => setValues(key, []),
    );
  for (const [key, names] of Object.entries(f.hidden ?? {}))
    chip(
      `without ${names.slice(0, 3).map(name).join(", ")}${names.length > 3 ? ` and ${names.length - 3} more` : ""}`,
      () => setFilter("hidden", withKey(f.hidden, key, null)),
    );
  for (const [key, [low, high]] of Object.entries(f.ranges ?? {}))
    chip(`${title(key)} ${figure(low)} to ${figure(high)}`, () =>
      setFilter("ranges", withKey(f.ranges, key, null)),
    );
  if (f.carries?.length)
    chip(`carries ${f.carries.map(name).join(" and ")}`, () => setFilter("carries", null));
  if (f.flags?.length) chip(`flagged: ${f.flags.map(words).join(" or ")}`, () => setFilter("flags", null));
  if (f.cell) chip(`${name(f.cell[0])} → ${name(f.cell[1])}`, () => setFilter("cell", null));
  if (f.text)
    chip(`“${name(f.text)}”`, () => {
      setFilter("text", null);
      header();
    });
  if (f.similar) chip(`similar to ${name(f.similar.id)}`, () => setFilter("similar", null));
  if (f.words) chip(`looks like “${name(f.words.text)}”`, () => setFilter("words", null));
  if (f.ids) chip(`${number(f.ids.length)} chosen samples`, () => setFilter("ids", null));
  if (made.length > 1)
    made.push(
      h("button", { type: "button", class: "quiet", onclick: () => change({ filter: {} }) }, "Clear all"),
    );
  at("chips").replaceChildren(...made);
}

let tool = matchMedia("(pointer: coarse)").matches ? "pan" : "lasso";
function tools() {
  const choose = (name, label, key) =>
    button(
      name,
      `${label} (${key})`,
      () => {
        tool = plot.tool = name;
        tools();
      },
      { "aria-pressed": String(tool === name), class: "tool" },
    );
  const methods = h(
    "div",
    { class: "segment", role: "group", "aria-label": "Projection" },
    meta.layouts.map(({ method }) =>
      h(
        "button",
        {
          type: "button",
          "aria-pressed": String(method === state.method),
          onclick: () => change({ method, camera: null }),
        },
        { umap: "UMAP", tsne: "t-SNE", pca: "PCA" }[method] ?? method,
      ),
    ),
  );
  at("tools").replaceChildren(
    methods,
    h("span", { class: "gap" }),
    choose("lasso", "Lasso", "L"),
    choose("box", "Box", "B"),
    choose("pan", "Hand", "V"),
    h("span", { class: "gap" }),
    button("plus", "Zoom in (+)", () => plot.zoom(1.5, plot.width / 2, plot.height / 2), { class: "tool" }),
    button("minus", "Zoom out (−)", () => plot.zoom(1 / 1.5, plot.width / 2, plot.height / 2), {
      class: "tool",
    }),
    button("fit", "Show everything (0)", () => plot.fit(), { class: "tool" }),
    state.method === "pca"
      ? button(
          "cube",
          "Three dimensions: turn with the hand or the right button",
          () =>
            change({
              deep: !state.deep,
              camera: null,
              ...(state.filter.lasso ? { filter: keepable(state.filter) } : {}),
            }),
          { class: "tool", "aria-pressed": String(state.deep) },
        )
      : "",
  );
}

const current = () => listing.snapshots.find((s) => s.number === meta.number);

function header() {
  const pages = [
    ["data", "Data quality"],
    ["label", "Label quality"],
    ...(api.offline ? [] : [["compare", "Compare"]]),
  ];
  const versions = h(
    "select",
    {
      id: "snapshot",
      "aria-label": "Snapshot",
      onchange: (event) => {
        const chosen = +event.target.value;
        change({ snapshot: chosen === listing.snapshots.at(-1).number ? null : chosen });
      },
    },
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
  const kinds = meta.has_words
    ? h(
        "select",
        { id: "how", "aria-label": "Search in" },
        h("option", { value: "text" }, "in columns"),
        h("option", { value: "words" }, "by meaning"),
      )
    : null;
  const box = h("input", {
    id: "search",
    type: "search",
    placeholder: "Search  /",
    "aria-label": "Search",
    maxlength: "500",
    value: state.filter.text ?? "",
  });
  const search = h(
    "form",
    {
      class: "search",
      role: "search",
      onsubmit: (event) => {
        event.preventDefault();
        const text = box.value.trim();
        if (kinds?.value === "words" && text)
          setFilter("words", { text, k: 200 }, { sort: "similarity", tab: "samples" });
        else setFilter("text", text);
      },
    },
    icon("search"),
    box,
    kinds,
  );
  box.addEventListener("search", () => {
    if (!box.value && state.filter.text) setFilter("text", null);
  });
  const gates = current()?.gates?.filter((gate) => !gate.ok) ?? [];
  at("bar").replaceChildren(
    ...[
      h(
        "a",
        {
          class: "logo",
          href: location.pathname,
          title: "assay",
          onclick: (event) => {
            event.preventDefault();
            change({ ...fresh(), snapshot: state.snapshot, method: state.method });
            plot.fit();
          },
        },
        mark_(),
        h("b", {}, "assay"),
      ),
      h("span", { class: "dataset", title: meta.dataset }, meta.dataset),
      versions,
      gates.length
        ? h(
            "span",
            { class: "gate", title: gates.map((g) => `${g.metric} is ${figure(g.value)}`).join("; ") },
            `${gates.length} gate${gates.length > 1 ? "s" : ""} failed`,
          )
        : null,
      h(
        "nav",
        { class: "pages", "aria-label": "Pages" },
        pages.map(([name, title]) =>
          h(
            "button",
            {
              type: "button",
              "aria-current": name === state.page ? "page" : null,
              onclick: () => change({ page: name, sample: null }),
            },
            title,
          ),
        ),
      ),
      search,
      api.offline
        ? null
        : h(
            "button",
            {
              type: "button",
              class: "quiet",
              title: "Everything that was decided",
              onclick: (event) => decisionsMenu(event.currentTarget),
            },
            icon("list"),
            h("span", { class: "wide-only" }, "Decisions"),
          ),
      button("help", "Keys and gestures (?)", (event) => menu(event.currentTarget, help()), {
        class: "quiet wide-only",
      }),
    ].filter(Boolean),
  );
  at("phone").replaceChildren(
    ...[
      ["facets", "Filters"],
      ["stage", "Plot"],
      ["side", "Samples"],
    ].map(([id, title]) =>
      h(
        "button",
        {
          type: "button",
          onclick: () => phone(id),
          "aria-pressed": String(document.body.dataset.part === id),
        },
        title,
      ),
    ),
  );
  document.title = `${meta.dataset} v${meta.number} · assay`;
}

function mark_() {
  return svg(
    "svg",
    { viewBox: "0 0 24 24", class: "brand", "aria-hidden": "true" },
    ...[
      [6.5, 8, 3, 1],
      [15, 5.5, 2, 0.55],
      [12.5, 14, 2.6, 0.8],
      [18.5, 17.5, 3, 0],
    ].map(([cx, cy, r, o]) => svg("circle", { cx, cy, r, class: o ? "good" : "found", opacity: o || 1 })),
  );
}

function phone(part) {
  document.body.dataset.part = part;
  header();
  plot.resize();
}

// hover: what is under the pointer
let hoverTicket = 0;
const peek = h("div", { id: "peek", hidden: true });
at("stage").append(peek);
const known = new Map();
async function hover(row, x, y) {
  const me = ++hoverTicket;
  if (row === null) {
    peek.hidden = true;
    return;
  }
  let data = known.get(`${meta.number}:${row}`);
  if (!data) {
    await new Promise((done) => setTimeout(done, 45));
    if (me !== hoverTicket) return;
    try {
      data = await api.peek(meta.number, row);
    } catch {
      return;
    }
    known.set(`${meta.number}:${row}`, data);
    if (known.size > 500) known.clear();
  }
  if (me !== hoverTicket) return;
  const column = meta.columns.find((c) => c.key === state.color);
  const wrong = data.suggested && data.suggested !== data.label && data.issues.includes("label_issue");
  peek.replaceChildren(
    meta.has_thumbnails
      ? h("img", { src: api.thumbnail(meta.number, row), alt: "" })
      : h("p", {}, (data.text || "no text").slice(0, 220)),
    h(
      "div",
      { class: "peek-label" },
      h("span", { class: wrong ? "given" : "" }, (data.label ?? "no label").slice(0, 80)),
      wrong ? h("span", { class: "suggested" }, ` → ${data.suggested.slice(0, 80)}`) : null,
    ),
    data.scores?.length
      ? h(
          "div",
          { class: "peek-scores" },
          data.scores.map(([name, score]) =>
            h(
              "div",
              {},
              h("span", {}, words(name)),
              h("i", { vars: { "--share": `${100 * score}%` } }),
              h("span", {}, figure(score)),
            ),
          ),
        )
      : null,
  );
  peek.hidden = false;
  const box = at("stage").getBoundingClientRect(),
    inner = at("plot").getBoundingClientRect(),
    size = peek.getBoundingClientRect();
  const px = x + inner.left - box.left,
    py = y + inner.top - box.top;
  peek.style.left = `${Math.max(4, Math.min(px + 16 + size.width > box.width ? px - size.width - 16 : px + 16, box.width - size.width - 4))}px`;
  peek.style.top = `${Math.max(4, Math.min(py - size.height / 2, box.height - size.height - 4))}px`;
  void column;
}

async function openRow(row) {
  try {
    const data = await api.peek(meta.number, row);
    opened = -1;
    openSample(data.id);
  } catch (error) {
    toast(error.message);
  }
}
function openSample(id) {
  peek.hidden = true;
  if (document.body.dataset.part) phone("side");
  change({ sample: id });
  gallery.opened = id;
  gallery.scrolled(true);
}
function closeSample() {
  const index = opened;
  change({ sample: null });
  gallery.opened = null;
  gallery.scrolled(true);
  if (index >= 0 && state.tab === "samples") gallery.focus(index);
}
async function step(by) {
  const found = await gallery.neighbor(opened + by);
  if (found) {
    opened += by;
    openSample(found.id);
  }
}
function mark() {
  plot.marked = state.sample && detail.data ? detail.data.row : null;
  plot.trace();
}
const keepCamera = debounce(250, () => {
  state.camera = plot.where();
  write();
});

// decisions
async function decided(promise, text) {
  try {
    const { batch, n } = await promise;
    toast(`${text}: ${number(n)} sample${n === 1 ? "" : "s"}.`, { name: "Undo", run: () => undo(batch) });
    await afterDecision();
  } catch (error) {
    toast(error.message);
  }
}
async function afterDecision() {
  known.clear();
  facetCache.delete(`${meta.number}:decision`);
  const keep = gallery.place;
  if (state.tab === "samples") {
    await gallery.load(meta.number, meta.has_thumbnails ? "image" : "text", {
      filter: state.filter,
      sort: state.sort,
      descending: state.descending,
    });
    gallery.go(keep);
  }
  guard(countFacets());
  if (state.sample) guard(detail.show(meta, meta.number, state.sample));
}
function decide(kind, ids, value = null) {
  return decided(
    api.decide(meta.number, { kind, ids, value }),
    {
      accept_label: "Suggestion accepted",
      reject_label: "Label confirmed",
      keep: "Kept",
      drop: "Dropped",
      tag: `Tagged ${value}`,
    }[kind] ?? words(kind),
  );
}
async function undo(batch) {
  try {
    await api.undo(meta.number, batch);
    toast("Undone.");
    await afterDecision();
  } catch (error) {
    toast(error.message);
  }
}
function decideAll(kind, value = null) {
  closeMenu();
  return decided(api.decide(meta.number, { kind, filter: state.filter, value }), words(kind));
}
function tag(ids) {
  ask("Tag", (value) => decide("tag", ids, value));
}

function ask(title, done) {
  const box = h("input", { type: "text", maxlength: "200", "aria-label": title, placeholder: title });
  menu(
    at("bar"),
    h(
      "form",
      {
        class: "ask",
        onsubmit: (event) => {
          event.preventDefault();
          closeMenu();
          if (box.value.trim()) done(box.value.trim());
        },
      },
      box,
      h("button", { type: "submit" }, "Save"),
    ),
  );
  box.focus();
}

function actions(n) {
  const item = (text, run) => h("button", { type: "button", onclick: run }, text),
    box = h("input", { type: "text", placeholder: "Tag", "aria-label": "Tag", maxlength: "200" });
  return h(
    "div",
    { class: "items" },
    h("p", { class: "small" }, `For all ${number(n)} samples:`),
    h(
      "form",
      {
        class: "ask",
        onsubmit: (event) => {
          event.preventDefault();
          if (box.value.trim()) decideAll("tag", box.value.trim());
        },
      },
      box,
      h("button", { type: "submit" }, "Tag"),
    ),
    item("Accept the suggested labels", () => decideAll("accept_label")),
    item("The given labels are right", () => decideAll("reject_label")),
    item("Keep them", () => decideAll("keep")),
    item("Drop them", () => decideAll("drop")),
  );
}

function exports(n) {
  const get = (what, format) => async () => {
    closeMenu();
    try {
      const blob = await api.exported(meta.number, { what, format, filter: state.filter });
      const link = h("a", {
        href: URL.createObjectURL(blob),
        download: `${meta.dataset}-v${meta.number}-${what}.${format}`,
      });
      document.body.append(link);
      link.click();
      link.remove();
      setTimeout(() => URL.revokeObjectURL(link.href), 30_000);
    } catch (error) {
      toast(error.message);
    }
  };
  const item = (text, note, run) =>
    h("button", { type: "button", onclick: run }, text, h("span", { class: "small" }, note));
  if (api.offline)
    return h(
      "div",
      { class: "items" },
      item("CSV", `the ${number(n)} selected samples`, get("selection", "csv")),
    );
  return h(
    "div",
    { class: "items" },
    h("p", { class: "small" }, `The ${number(n)} selected, with what was found`),
    item("Parquet", "every column", get("selection", "parquet")),
    item("CSV", "safe for spreadsheets", get("selection", "csv")),
    item("JSONL", "for a labelling tool", get("selection", "jsonl")),
    h("p", { class: "small" }, "Cleaned: without copies and dropped ones, accepted labels put in"),
    item("Parquet", "to train on", get("cleaned", "parquet")),
    item("CSV", "to train on", get("cleaned", "csv")),
    item("JSONL", "to train on", get("cleaned", "jsonl")),
  );
}

async function decisionsMenu(from) {
  try {
    const { batches, total } = await api.decisions();
    menu(
      from,
      h(
        "div",
        { class: "items log" },
        h(
          "p",
          { class: "small" },
          total
            ? `${number(total)} decision${total === 1 ? "" : "s"}, newest first. They outlive snapshots, and the next run respects them.`
            : "Nothing was decided yet. Open a sample and press A, R, K, D or T.",
        ),
        batches.map((b) =>
          h(
            "div",
            { class: b.undone ? "undone" : "" },
            h(
              "span",
              { class: "grow" },
              `${sentence(b)} · ${number(b.n)} sample${b.n === 1 ? "" : "s"}`,
              h("span", { class: "small block" }, `${b.who}, ${b.at}, v${b.snapshot}`),
            ),
            b.undone
              ? h("span", { class: "small" }, "undone")
              : button("undo", "Undo", () => {
                  closeMenu();
                  undo(b.batch);
                }),
          ),
        ),
      ),
    );
  } catch (error) {
    toast(error.message);
  }
}

function help() {
  const rows = [
    ["Drag", "lasso, box or hand, as chosen (L, B, V)"],
    ["Shift and drag", "box"],
    ["Space or right button and drag", "move"],
    ["Wheel, + and −", "zoom; 0 shows everything"],
    ["Click a class", "isolate it; with Ctrl add to it; the eye hides it"],
    ["/", "search"],
    ["Arrows", "through the gallery; Enter opens"],
    ["A, R", "accept the suggestion; the label is right"],
    ["K, D, T, S", "keep, drop, tag, find similar"],
    ["Esc", "back; clears the lasso"],
  ];
  return h(
    "table",
    { class: "help" },
    rows.map(([keys, what]) => h("tr", {}, h("th", {}, keys), h("td", {}, what))),
  );
}

let returnTo = null;
function menu(from, content) {
  const node = at("menu"),
    box = from.getBoundingClientRect();
  returnTo = document.activeElement;
  node.replaceChildren(content);
  node.hidden = false;
  const size = node.getBoundingClientRect();
  node.style.left = `${Math.max(8, Math.min(box.right - size.width, innerWidth - size.width - 8))}px`;
  node.style.top = `${Math.min(box.bottom + 6, innerHeight - size.height - 8)}px`;
  node.querySelector("button, input")?.focus();
}
function closeMenu() {
  at("menu").hidden = true;
  returnTo?.focus?.();
}
addEventListener("pointerdown", (event) => {
  if (!at("menu").hidden && !at("menu").contains(event.target)) at("menu").hidden = true;
});

addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !at("menu").hidden) {
    closeMenu();
    return;
  }
  if (
    /INPUT|SELECT|TEXTAREA/.test(event.target.tagName) ||
    event.ctrlKey ||
    event.metaKey ||
    event.altKey ||
    !meta
  )
    return;
  const act = {
    "/": () => at("search").focus(),
    l: () => {
      tool = plot.tool = "lasso";
      tools();
    },
    b: () => {
      tool = plot.tool = "box";
      tools();
    },
    v: () => {
      tool = plot.tool = "pan";
      tools();
    },
    "?": () => menu(at("bar"), help()),
    0: () => plot.fit(),
    Escape: () => (state.sample ? closeSample() : state.filter.lasso && lasso(null)),
  }[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});
addEventListener("hashchange", () => {
  read();
  start();
});
matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => meta && render());

async function start() {
  turn++;
  const me = turn;
  try {
    listing = await api.snapshots();
    if (!listing.snapshots.length) throw new ServerError("There is no readable snapshot yet.", 404);
    if (listing.broken.length)
      toast(`Left out, because they cannot be read: ${listing.broken.map((n) => `v${n}`).join(", ")}.`);
    const newest = listing.snapshots.at(-1).number;
    const chosen = listing.snapshots.some((s) => s.number === state.snapshot) ? state.snapshot : newest;
    if (state.snapshot !== null && chosen !== state.snapshot)
      toast(`There is no snapshot v${state.snapshot}; this is v${chosen}.`);
    const found = await api.meta(chosen);
    if (me !== turn) return;
    meta = found;
    last = null;
    counts = null;
    known.clear();
    detail.close();
    settle();
    render();
  } catch (error) {
    at("busy").textContent = "";
    at("plot").dataset.state = "failed";
    toast(error.message);
    at("bar").append(h("span", { class: "gate" }, error.message));
  }
}

// a new snapshot, published while the page is open
setInterval(async () => {
  if (document.hidden || !listing || api.offline) return;
  try {
    const now = await api.snapshots(),
      newest = now.snapshots.at(-1)?.number;
    if (newest > listing.snapshots.at(-1).number) {
      listing = now;
      header();
      toast(`Snapshot v${newest} was published.`, {
        name: "Open it",
        run: () => change({ snapshot: null, page: state.page }) || start(),
      });
    }
  } catch {
    /* the next look will tell */
  }
}, 10_000);

document.body.dataset.part = "stage";
read();
start();
