// Which rows of the data in one file pass a filter: what `assay/reading/selection.py` does on the server. No page here.
import { isEmpty, searched } from "./filters.js";

function inside(polygon, x, y) {
  let odd = false;
  for (let i = 0; i < polygon.length; i++) {
    const [x1, y1] = polygon[i],
      [x2, y2] = polygon[(i + 1) % polygon.length];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) odd = !odd;
  }
  return odd;
}

// A column of `names` or of `values`, or a projection, which an address may name though this file lacks it.
export function columnOf(d, key, kind) {
  if (d.columns[key]?.[kind]) return d.columns[key];
  throw new Error(`there is no column ${key} with ${kind} in this file`);
}
export function layoutOf(d, method) {
  if (d.layouts[method]) return d.layouts[method];
  throw new Error(`there is no projection ${method} in this file`);
}

export const named = (column, row) => column.names[column.codes[row]] ?? null;

const PARTS = {
  lasso(d, strokes) {
    const tests = [strokes].flat().map(({ method, points, matrix, how }) => {
      const { x, y, z } = layoutOf(d, method);
      const turned = (row) => matrix.map((m) => m[0] * x[row] + m[1] * y[row] + m[2] * z[row]);
      const test = (row) => (matrix ? inside(points, ...turned(row)) : inside(points, x[row], y[row]));
      return { test, how };
    });
    return (row) =>
      tests.reduce(
        (now, { test, how }, at) => (how === "subtract" && at ? now && !test(row) : now || test(row)),
        false,
      );
  },
  ranges(d, ranges) {
    const all = Object.entries(ranges).map(([key, ends]) => [
      columnOf(d, key, "values").values,
      ...ends.map(Math.fround), // as the values are
    ]);
    return (row) => all.every(([values, low, high]) => values[row] >= low && values[row] <= high);
  },
  values(d, values) {
    const all = Object.entries(values).map(([key, names]) => [columnOf(d, key, "names"), new Set(names)]);
    return (row) => all.every(([column, names]) => names.has(named(column, row)));
  },
  hidden(d, values) {
    const all = Object.entries(values).map(([key, names]) => [columnOf(d, key, "names"), new Set(names)]);
    return (row) => all.every(([column, names]) => !names.has(named(column, row)));
  },
  carries(d, classes) {
    const label = d.columns.label,
      sign = d.meta.label_separator,
      fits = label.names.map((name) => {
        const here = sign ? name.split(sign).filter(Boolean) : [name];
        return classes.every((c) => here.includes(c));
      });
    return (row) => fits[label.codes[row]] ?? false;
  },
  flags(d, metrics) {
    return (row) => metrics.some((metric) => d.issues[row].includes(metric));
  },
  cell(d, [given, suggested]) {
    return (row) =>
      nameAt(d, "label", row) === given &&
      nameAt(d, "suggested", row) === suggested &&
      d.issues[row].includes("label_issue");
  },
  text(d, text) {
    const words = searched(text);
    const all = (row) =>
      [d.ids[row], nameAt(d, "label", row), d.texts?.[row], d.searched[row]].join("\n").toLowerCase();
    return (row) => {
      const told = all(row);
      return words.every((word) => told.includes(word));
    };
  },
  ids(d, ids) {
    const all = new Set(ids);
    return (row) => all.has(d.ids[row]);
  },
  similar: () => () => true,
  words: () => () => true,
  picture: () => () => true,
};

export const nameAt = (d, key, row) => (d.columns[key] ? named(d.columns[key], row) : null);

// Rows, ascending. What is empty is no condition, but no ids are none.
export function select(d, filter) {
  const tests = Object.entries(filter ?? {})
      .filter(([name, value]) => Object.hasOwn(PARTS, name) && (!isEmpty(value) || (name === "ids" && value)))
      .map(([name, value]) => PARTS[name](d, value)),
    rows = [];
  for (let row = 0; row < d.ids.length; row++) if (tests.every((test) => test(row))) rows.push(row);
  return rows;
}
