// A filter as the page holds it: what it says in words, and how its parts are changed. No page here.
import { figure, middle, number, words } from "./words.js";

export const isEmpty = (value) =>
  value === null ||
  value === undefined ||
  value === "" ||
  (Array.isArray(value) ? !value.length : typeof value === "object" && !Object.keys(value).length);

// `values` with one key set, or without it where the value is empty.
export function withKey(values, key, value) {
  const next = { ...values };
  if (isEmpty(value)) delete next[key];
  else next[key] = value;
  return next;
}

export function toggled(list, value) {
  const now = list ?? [];
  return now.includes(value) ? now.filter((other) => other !== value) : [...now, value];
}

// A filter without one condition: a key, or one column of `values`, `hidden` or `ranges`.
export function without(filter, key, name = null) {
  if (name === null) return withKey(filter, key, null);
  return withKey(filter, key, withKey(filter[key], name, null));
}

// Strokes of a lasso add up: the first chooses, Shift adds another, Alt takes away.
export function stroked(lasso, stroke, how = null) {
  if (!stroke) return null;
  if (!how || !lasso?.length) return [{ ...stroke }];
  return [...lasso, { ...stroke, how }];
}

const listed = (names) => {
  const shown = names.slice(0, 3).map((name) => (name === null ? "none" : middle(name, 40)));
  return shown.join(" or ") + (names.length > 3 ? ` or ${number(names.length - 3)} more` : "");
};

function ranged(title, [low, high], column) {
  const [least, most] = column?.bounds ?? [-Infinity, Infinity];
  if (low <= least) return `${title} ≤ ${figure(high)}`;
  if (high >= most) return `${title} ≥ ${figure(low)}`;
  return `${title} ${figure(low)} to ${figure(high)}`;
}

// Each condition as `{ key, name, text }`: what the filter bar shows, and what a click on × lifts.
export function conditions(filter, columns) {
  const column = (key) => columns.find((c) => c.key === key);
  const title = (key) => column(key)?.title ?? key;
  const found = [];
  const add = (key, name, text) => found.push({ key, name, text });
  for (const [key, value] of Object.entries(filter)) {
    if (isEmpty(value) && key !== "ids") continue;
    if (key === "lasso") {
      const strokes = value.length ?? 1;
      add(key, null, strokes > 1 ? `in the lasso (${strokes} strokes)` : "in the lasso");
    } else if (key === "ranges") {
      for (const [name, range] of Object.entries(value))
        add(key, name, ranged(title(name), range, column(name)));
    } else if (key === "values") {
      for (const [name, names] of Object.entries(value)) add(key, name, `${title(name)} is ${listed(names)}`);
    } else if (key === "hidden") {
      for (const [name, names] of Object.entries(value))
        add(key, name, `${title(name)} is not ${listed(names)}`);
    } else if (key === "flags") add(key, null, `flagged: ${value.map(words).join(" or ")}`);
    else if (key === "carries") add(key, null, `carries ${value.join(" and ")}`);
    else if (key === "cell")
      add(key, null, `labelled ${middle(value[0], 40)}, looks like ${middle(value[1], 40)}`);
    else if (key === "text")
      add(
        key,
        null,
        `has ${searched(value)
          .map((word) => `“${word}”`)
          .join(" and ")}`,
      );
    else if (key === "similar")
      add(key, null, `like ${middle(value.id, 40)}${value.within ? ", among these" : ""}`);
    else if (key === "words") add(key, null, `means “${middle(value.text, 60)}”`);
    else if (key === "picture") add(key, null, "like the picture");
    else if (key === "ids") add(key, null, `${number(value.length)} chosen`);
  }
  return found;
}

// The parts of a filter that rank samples by likeness to something; the gallery can then be sorted by it.
const LIKENESS = ["similar", "words", "picture"];
export const ranks = (filter) => LIKENESS.some((key) => !isEmpty(filter[key]));
export const isRanking = (key) => LIKENESS.includes(key);
export const withoutRanking = (filter) =>
  Object.fromEntries(Object.entries(filter).filter(([key]) => !isRanking(key)));

const isText = (value) => typeof value === "string";
const areTexts = (value) => Array.isArray(value) && value.every((one) => isText(one) || one === null);
const isRange = (value) => Array.isArray(value) && value.length === 2 && value.every(Number.isFinite);
const isStroke = (value) => isText(value?.method) && Array.isArray(value.points);
const each = (holds) => (value) => !Array.isArray(value) && Object.values(value).every(holds);
const SHAPES = {
  lasso: (value) => Array.isArray(value) && value.every(isStroke),
  ranges: each(isRange),
  values: each(areTexts),
  hidden: each(areTexts),
  carries: areTexts,
  flags: areTexts,
  cell: (value) => areTexts(value) && value.length === 2,
  text: isText,
  similar: (value) => isText(value.id),
  words: (value) => isText(value.text),
  picture: (value) => isText(value.name),
  ids: areTexts,
};

// The conditions of an address, which anybody may have written: those that are none are left out.
export function sound(filter) {
  if (typeof filter !== "object" || filter === null) return {};
  return Object.fromEntries(
    Object.entries(filter).filter(
      ([key, value]) =>
        Object.hasOwn(SHAPES, key) &&
        value !== null &&
        typeof value === (key === "text" ? "string" : "object") &&
        SHAPES[key](value),
    ),
  );
}

// The words and "quoted phrases" of a search, as the server splits them.
export function searched(text) {
  return [
    ...String(text)
      .toLowerCase()
      .matchAll(/"([^"]+)"|(\S+)/g),
  ]
    .map((m) => m[1] ?? m[2])
    .slice(0, 20);
}
