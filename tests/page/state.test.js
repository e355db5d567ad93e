import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import "./fake_page.js";
import { conditions, sound } from "../../assay/explorer/static/filters.js";
import { address, fresh, packed, read, state, unpacked, write } from "../../assay/explorer/static/state.js";

const HOSTILE = [
  null,
  5,
  "x",
  true,
  [],
  {},
  [5],
  [[]],
  { a: 5 },
  { a: [5] },
  [{}],
  { id: 5 },
  [null, {}],
  { length: 2 },
];
let steps;

beforeEach(() => {
  steps = [];
  Object.assign(location, { hash: "", pathname: "/", search: "?nogl" });
  history.pushState = (_, __, where) => steps.push(["step", where]);
  history.replaceState = (_, __, where) => steps.push(["over", where]);
  Object.assign(state, fresh());
});

test("whatever an address holds, the page can say what it filters by", () => {
  const keys = [
    "lasso",
    "ranges",
    "values",
    "hidden",
    "carries",
    "flags",
    "cell",
    "text",
    "similar",
    "words",
  ];
  for (const key of [...keys, "picture", "ids", "constructor", "no_such"])
    for (const value of HOSTILE) {
      const { filter } = unpacked({ f: { [key]: value } });
      assert.doesNotThrow(() => conditions(filter, []), `${key}: ${JSON.stringify(value)}`);
    }
  for (const given of HOSTILE) assert.deepEqual(unpacked(given).filter, {});
});

test("what is a condition stays as it is", () => {
  const filter = {
    lasso: [{ method: "umap", points: [[0, 0]], how: "add" }],
    ranges: { "scores.dark": [0, 0.5] },
    values: { label: ["cat", null] },
    hidden: { split: ["test"] },
    carries: ["dog"],
    flags: ["outlier"],
    cell: ["a", "b"],
    text: "x",
    similar: { id: "s", k: 200 },
    words: { text: "y", k: 200 },
    picture: { name: "z", k: 200 },
    ids: [],
  };
  assert.deepEqual(sound(filter), filter);
  assert.deepEqual(sound({ flags: [5], ids: ["a", {}], values: { label: [true] } }), {});
  assert.deepEqual(sound({ ...filter, ranges: { "scores.dark": [0, null] } }).ranges, undefined);
});

test("an address that is none, or was cut short, is the plain view", () => {
  for (const hash of ["#5", "#null", "#%22x%22", "#gallery", "#%7B%22p%22", "#%E0%A4%A", "#true", ""]) {
    location.hash = hash;
    read();
    assert.deepEqual({ ...state }, fresh(), hash);
  }
  for (const v of [[1], "abc", { 0: 1 }, [1, 2, null]]) assert.equal(unpacked({ v }).camera, null);
  assert.deepEqual(unpacked({ v: [1, -2, 3.5] }).camera, [1, -2, 3.5]);
});

test("a change is a step that Back takes back, a movement of the camera is none, and no change is nothing", () => {
  state.page = "map";
  write(true);
  location.hash = steps[0][1];
  write(true);
  state.camera = [0, 0, 2];
  write();
  assert.deepEqual(
    steps.map(([how]) => how),
    ["step", "over"],
  );
  Object.assign(state, fresh());
  write(true);
  assert.deepEqual(steps.at(-1), ["step", "/?nogl"]); // the plain view has a plain address
});

test("names of any characters go through the address and come back", () => {
  const view = {
    ...fresh(),
    filter: { values: { label: ['"#%&?', "\u2028é😀", "\ud800"] } },
    sample: "a/b#c",
  };
  assert.deepEqual(unpacked(JSON.parse(decodeURIComponent(address(view).slice(1)))), view);
  assert.deepEqual(Object.keys(packed(view)).sort(), ["f", "i"]);
});
