// The same questions, answered in the browser from one file's own data: the page that `assay report --output` writes.
import { csvOf } from "./csv.js";
import { isEmpty, without } from "./filters.js";
import { columnOf, layoutOf, named, nameAt, select } from "./offline_select.js";

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const floats = (text) => new Float32Array(bytes(text).buffer);
const integers = (text) => new Int32Array(bytes(text).buffer);

let loaded = null;

function data() {
  if (loaded) return loaded;
  loaded = JSON.parse(document.getElementById("assay-data").textContent);
  for (const layout of Object.values(loaded.layouts))
    for (const axis of ["x", "y", "z"]) layout[axis] = layout[axis] ? floats(layout[axis]) : null;
  for (const column of Object.values(loaded.columns)) {
    if (column.codes) column.codes = integers(column.codes);
    else column.values = floats(column.values);
  }
  loaded.neighbors = integers(loaded.neighbors);
  loaded.nearness = floats(loaded.nearness);
  loaded.row = new Map(loaded.ids.map((id, row) => [id, row]));
  loaded.flags = loaded.flags.map((rows) => integers(rows));
  loaded.issues = loaded.ids.map(() => []);
  loaded.flags.forEach((rows, place) =>
    rows.forEach((row) => loaded.issues[row].push(loaded.metrics[place])),
  );
  return loaded;
}

let last = { key: null };
function chosen(filter) {
  const key = JSON.stringify(filter ?? {});
  if (last.key === key) return last.rows;
  const rows = select(data(), filter);
  last = { key, rows };
  return rows;
}

const figured = (value) => (Number.isFinite(value) ? +value.toPrecision(7) : null);
const rounded = (value) => (Number.isFinite(value) ? +value.toFixed(6) : null);

function card(row, sort = null) {
  const d = data();
  return {
    row,
    id: d.ids[row],
    label: nameAt(d, "label", row),
    split: nameAt(d, "split", row),
    suggested: nameAt(d, "suggested", row),
    suspicion: rounded(d.columns["label_issues.score"]?.values[row]),
    issues: d.issues[row],
    duplicate: nameAt(d, "duplicate", row),
    decision: nameAt(d, "decision", row),
    value: rounded(d.columns[sort]?.values?.[row]),
    text: d.texts?.[row]?.slice(0, 600),
    ...(d.captions ? { caption: d.captions[row] } : {}), // a sample without captions is no sample with an empty one
  };
}

// `[metric, score]`, the highest first; `more` are scores that have a column of another name.
function scores(row, more = []) {
  return Object.entries(data().columns)
    .filter(([key]) => key.startsWith("scores."))
    .map(([key, column]) => [key.slice(7), rounded(column.values[row])])
    .concat(more)
    .filter(([, score]) => score !== null)
    .sort((a, b) => b[1] - a[1]);
}

// What a night says of a sample.
function told(id) {
  const { label, suspicion, issues } = card(data().row.get(id));
  return { label, suspicion, issues };
}

// The columns of the catalogue of which the names begin so.
const listed = (beginning) => data().meta.columns.filter((column) => column.key.startsWith(beginning));

const EXACT = 2 ** 24; // whole numbers up to which a float32 holds each

// The source's further columns, as far as this file holds them: few enough names, and numbers as they were.
const fromSource = (row) =>
  Object.fromEntries(
    listed("columns.")
      .map(({ key }) => [key.slice(8), data().columns[key]])
      .map(([name, column]) => [name, column.names ? named(column, row) : figured(column.values[row])])
      .filter(([, value]) => !(Math.abs(value) > EXACT)),
  );

function facet(key, rows) {
  const d = data(),
    column = d.columns[key],
    mine = new Set(rows);
  if (column.codes) {
    const counts = new Array(column.names.length).fill(0),
      selected = counts.slice();
    let none = 0,
      none_selected = 0;
    column.codes.forEach((code, row) => {
      const here = mine.has(row);
      if (code < 0) {
        none++;
        none_selected += here;
      } else {
        counts[code]++;
        selected[code] += here;
      }
    });
    return { key, kind: "category", names: column.names, counts, selected, none, none_selected };
  }
  const { low, high } = column,
    { fround } = Math, // as exact as the server, or a value at the edge of a bin falls into another one
    wide = fround(48 / Math.max(high - low, 1e-30)),
    counts = new Array(48).fill(0),
    selected = counts.slice();
  let none = 0,
    none_selected = 0;
  column.values.forEach((value, row) => {
    const here = mine.has(row);
    if (!Number.isFinite(value)) {
      none++;
      none_selected += here;
      return;
    }
    const bin = Math.max(0, Math.min(47, Math.floor(fround(fround(value - fround(low)) * wide))));
    counts[bin]++;
    selected[bin] += here;
  });
  return { key, kind: "number", low, high, counts, selected, none, none_selected };
}

const missing = async () => {
  throw new Error("this file holds thumbnails only");
};

export const offline = {
  offline: true,
  snapshots: async () => ({ dataset: data().meta.dataset, snapshots: [data().snapshot], broken: [] }),
  meta: async () => data().meta,
  async points(_, { method, color, kind, filter, deep, ring }) {
    const d = data(),
      layout = layoutOf(d, method),
      column = columnOf(d, color, kind === "category" ? "names" : "values"),
      mine = new Set(chosen(filter)),
      rows = [];
    for (let row = 0; row < d.ids.length; row++)
      if (Number.isFinite(layout.x[row] + layout.y[row])) rows.push(row);
    const pick = (values) => Float32Array.from(rows, (row) => values[row]);
    return {
      count: rows.length,
      there: rows.length,
      selected: mine.size,
      x: pick(layout.x),
      y: pick(layout.y),
      z: deep && layout.z ? pick(layout.z) : null,
      row: Uint32Array.from(rows),
      color:
        kind === "category"
          ? Uint16Array.from(rows, (row) => (column.codes[row] < 0 ? 65535 : column.codes[row]))
          : pick(column.values),
      chosen: Uint8Array.from(rows, (row) => (mine.has(row) ? 1 : 0)),
      flagged: Uint8Array.from(rows, (row) => (d.issues[row].includes(ring) ? 1 : 0)),
    };
  },
  overview: async () => data().overview,
  names: async (_, method) => ({ names: data().names[method || data().meta.layouts[0]?.method] ?? [] }),
  async classes() {
    const { names, codes } = data().columns.label,
      counts = new Array(names.length).fill(0);
    for (const code of codes) if (code >= 0) counts[code]++;
    return { classes: names.map((name, at) => [name, counts[at]]), tags: [] };
  },
  async lifts(_, filter) {
    const named = (key) => (["ranges", "values", "hidden"].includes(key) ? Object.keys(filter[key]) : [null]);
    const keys = Object.keys(filter).filter((key) => !isEmpty(filter[key]));
    const lifts = keys.flatMap((key) =>
      named(key).map((name) => ({ key, name, n: chosen(without(filter, key, name)).length })),
    );
    return { lifts };
  },
  async facets(_, { filter, columns }) {
    const rows = chosen(filter);
    return {
      total: data().ids.length,
      selected: rows.length,
      facets: columns.map((key) => facet(key, rows)),
    };
  },
  async gallery(_, { filter, sort, descending, offset, limit }) {
    const rows = chosen(filter).slice(),
      column = data().columns[sort];
    if (column) {
      const turn = descending ? -1 : 1,
        last = (value, there) => (there ? value : Infinity), // what has none
        value = column.values
          ? (row) => last(turn * column.values[row], !Number.isNaN(column.values[row]))
          : (row) => last(column.codes[row], column.codes[row] >= 0);
      rows.sort((a, b) => value(a) - value(b) || a - b);
    } else if (sort === "position" && descending) rows.reverse();
    return { total: rows.length, cards: rows.slice(offset, offset + limit).map((row) => card(row, sort)) };
  },
  async duplicates(_, { filter, offset, limit }) {
    const mine = new Set(chosen(filter)),
      groups = data().duplicates.filter((group) => group.some(([row]) => mine.has(row)));
    return {
      total: groups.length,
      groups: groups.slice(offset, offset + limit).map((group) => ({
        id: data().ids[group[0][0]],
        n: group.length,
        members: group
          .slice(0, 24)
          .map(([row, keep, tier, similarity]) => ({ ...card(row), keep, tier, similarity })),
      })),
    };
  },
  async leaks(_, { filter, pair, offset, limit }) {
    const mine = new Set(chosen(filter)),
      counts = new Map();
    for (const leak of data().leaks) counts.set(leak[4], (counts.get(leak[4]) ?? 0) + 1);
    const found = data().leaks.filter(
      ([a, b, , , name]) => (!pair || pair === name) && (mine.has(a) || mine.has(b)),
    );
    return {
      total: found.length,
      pairs: [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)),
      leaks: found
        .slice(offset, offset + limit)
        .map(([a, b, tier, similarity]) => ({ a: card(a), b: card(b), tier, similarity })),
    };
  },
  confusion: async () => data().confusion,
  table: async (_, name) => data().tables[name] ?? { total: 0, columns: [], rows: [] },
  peek: async (_, row) => ({ ...card(row), scores: scores(row).slice(0, 4) }),
  async sample(_, id) {
    const d = data(),
      row = d.row.get(id),
      k = d.k;
    if (row === undefined) throw new Error(`there is no sample ${id.slice(0, 100)} in this file`);
    const mine = card(row),
      near = [];
    for (let at = row * k; at < row * k + k; at++)
      if (d.neighbors[at] >= 0) near.push({ ...card(d.neighbors[at]), similarity: d.nearness[at] });
    const group = d.duplicates.find((members) => members.some(([member]) => member === row)) ?? [];
    return {
      ...mine,
      text: d.texts?.[row] ?? null,
      source: { sample_id: id, label: mine.label, split: mine.split, ...fromSource(row) },
      scores: scores(row, [["label_issue", mine.suspicion]]).map(([metric, score]) => ({
        metric,
        score,
        value: null,
        is_issue: mine.issues.includes(metric),
        title: d.titles[metric]?.[0] ?? metric,
        meaning: d.titles[metric]?.[1] ?? "",
      })),
      label_issue:
        mine.suspicion === null
          ? null
          : {
              suggested_label: mine.suggested,
              score: mine.suspicion,
              confidence: rounded(d.columns["label_issues.confidence"]?.values[row]),
              is_issue: mine.issues.includes("label_issue"),
            },
      facts: listed("facts.").map((c) => ({
        name: c.title,
        value: rounded(d.columns[c.key].values[row]),
        unit: c.meaning,
      })),
      neighbors: near,
      group: group.map(([member, keep, tier, similarity]) => ({ ...card(member), keep, tier, similarity })),
      decisions: [],
      proposals: [],
    };
  },
  history: async (_, id) => ({
    history: [
      {
        snapshot: data().meta.number,
        created_at: data().meta.created_at,
        there: true,
        ...told(id),
      },
    ],
  }),
  async exported(_, { filter }) {
    const names = ["sample_id", "label", "split", "suggested_label", "suspicion", "issues"],
      rows = chosen(filter)
        .map((row) => card(row))
        .map((c) => [c.id, c.label, c.split, c.suggested, c.suspicion, c.issues.join(" ")]);
    return new Blob([csvOf(names, rows)], { type: "text/csv" });
  },
  raw: missing,
  decide: missing,
  undo: missing,
  decisions: missing,
  compare: missing,
  comparePlots: missing,
  evaluation: missing,
  bring: missing,
  queue: missing,
  views: missing,
  saveView: missing,
  thumbnail: (_, row) => (data().thumbnails?.[row] ? `data:image/jpeg;base64,${data().thumbnails[row]}` : ""),
};
