// The whole view as one small object; the address holds it, so that it can be sent, saved, and gone back from.
import { sound } from "./filters.js";

export const fresh = () => ({
  page: "overview",
  tab: "samples",
  snapshot: null,
  other: null,
  method: null,
  color: null,
  ring: null,
  sort: null,
  descending: true,
  filter: {},
  camera: null,
  deep: false,
  sample: null,
  queue: null,
  grid: false,
  sheet: "classes",
  names: true,
  density: true,
});

export const state = fresh();

const SHORT = {
  page: "p",
  tab: "t",
  snapshot: "s",
  other: "a",
  method: "m",
  color: "c",
  ring: "r",
  sort: "o",
  descending: "d",
  filter: "f",
  camera: "v",
  deep: "3",
  sample: "i",
  queue: "q",
  grid: "g",
  sheet: "h",
  names: "n",
  density: "y",
};
const OLD_PAGES = { data: "map", label: "map" };

export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// What differs from the plain view, under short names.
export function packed(view) {
  const plain = fresh(),
    out = {};
  for (const [name, short] of Object.entries(SHORT))
    if (!same(view[name], plain[name])) out[short] = view[name];
  return out;
}

export function unpacked(given) {
  const view = fresh();
  if (typeof given !== "object" || given === null) return view;
  for (const [name, short] of Object.entries(SHORT)) if (short in given) view[name] = given[short];
  view.page = OLD_PAGES[view.page] ?? view.page;
  if (view.filter?.lasso && !Array.isArray(view.filter.lasso)) view.filter.lasso = [view.filter.lasso];
  view.filter = sound(view.filter);
  if (!(Array.isArray(view.camera) && view.camera.length === 3 && view.camera.every(Number.isFinite)))
    view.camera = null;
  return view;
}

export function address(view) {
  const out = packed(view);
  return Object.keys(out).length ? `#${encodeURIComponent(JSON.stringify(out))}` : "";
}

// `step`: the browser's Back returns from it; otherwise the place in its history is only written over.
export function write(step = false) {
  const text = address(state);
  if (text === location.hash) return;
  const where = text || location.pathname + location.search;
  if (step) history.pushState(null, "", where);
  else history.replaceState(null, "", where);
}

export function read() {
  let given = {};
  try {
    given = JSON.parse(decodeURIComponent(location.hash.slice(1)) || "{}");
  } catch {
    // an address somebody cut short: the plain view
  }
  Object.assign(state, unpacked(given));
}
