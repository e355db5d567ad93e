// The whole view as one small object; the address holds it, so that it can be sent to a colleague.

export const fresh = () => ({
  page: "data",
  tab: "samples",
  snapshot: null,
  other: null,
  method: null,
  color: null,
  sort: null,
  descending: true,
  filter: {},
  camera: null,
  deep: false,
  sample: null,
});

export const state = fresh();

const SHORT = {
  page: "p",
  tab: "t",
  snapshot: "s",
  other: "a",
  method: "m",
  color: "c",
  sort: "o",
  descending: "d",
  filter: "f",
  camera: "v",
  deep: "3",
  sample: "i",
};

export function write() {
  const plain = fresh(),
    out = {};
  for (const [name, short] of Object.entries(SHORT)) {
    if (JSON.stringify(state[name]) !== JSON.stringify(plain[name])) out[short] = state[name];
  }
  const text = Object.keys(out).length
    ? `#${encodeURIComponent(JSON.stringify(out))}`
    : location.pathname + location.search;
  if (text !== location.hash) history.replaceState(null, "", text);
}

export function read() {
  Object.assign(state, fresh());
  try {
    const given = JSON.parse(decodeURIComponent(location.hash.slice(1)) || "{}");
    for (const [name, short] of Object.entries(SHORT)) if (short in given) state[name] = given[short];
  } catch {
    /* an address somebody cut short: the plain view */
  }
  if (typeof state.filter !== "object" || state.filter === null) state.filter = {};
}
