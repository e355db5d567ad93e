// What every part of the page needs of the whole: the open snapshot, and how to change the view. Filled by app.js.

export const page = {
  meta: null, // the open snapshot, as /meta gives it
  listing: null, // all snapshots
  classes: [], // [name, count] of every class, the most frequent first
  tags: [], // [name, count]
  change: () => {}, // (part of the state) → draw what depends on it
  setFilter: () => {}, // (key, value, further state)
  openSample: () => {}, // (id)
  guard: () => {}, // (promise) → its error is shown
  decided: () => {}, // after a decision: what depends on it is read anew
};
