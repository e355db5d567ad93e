import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import "./fake_page.js";
import {
  assigned,
  classColor,
  classIndex,
  classPalette,
  nothing,
  rampColor,
  rampPalette,
  setClassColors,
  WHEEL_SIZE,
} from "../../assay/explorer/static/colors.js";

const rgb = (palette, slot) => [...palette.slice(4 * slot, 4 * slot + 3)];
const theme = (light) => (globalThis.matchMedia = () => ({ matches: light }));

beforeEach(() => {
  theme(false);
  setClassColors(new Map());
});

test("a class has one colour, wherever its name stands and however often it occurs there", () => {
  setClassColors(assigned(["cat", "dog", "cow"].map((name, x) => ({ name, x, y: 0 }))));
  const colour = (column, names, name) => rgb(classPalette(column, names), 1 + names.indexOf(name));
  const cow = colour("label", ["cat", "dog", "cow"], "cow");
  assert.deepEqual(colour("suggested", ["cow", "cat"], "cow"), cow);
  assert.deepEqual(colour("predicted", ["dog", "cow"], "cow"), cow);
  assert.notDeepEqual(colour("columns.farm", ["dog", "cow"], "cow"), cow); // a name of something else
});

test("names whose meaning has a colour have it in any order, and what is none is grey", () => {
  assert.equal(classIndex("duplicate", ["copy", "kept"], 0), classIndex("duplicate", ["kept", "copy"], 1));
  assert.notEqual(classIndex("outcome", ["right"], 0), classIndex("outcome", ["wrong"], 0));
  assert.equal(classIndex("split", ["train", "test"], 1), 1);
  assert.deepEqual(classColor(-1), nothing());
  assert.deepEqual(rgb(classPalette("label", []), 0), nothing());
});

test("a class that is new since the map was made takes a colour of the wheel, as do ever so many", () => {
  assert.deepEqual(classColor(WHEEL_SIZE + 3), classColor(3));
  const palette = classPalette(
    "label",
    Array.from({ length: 5000 }, (_, n) => `c${n}`),
  );
  assert.equal(palette.length, 4 * 5001);
  assert.ok(palette.every((value, at) => at % 4 < 3 || value === 255));
});

test("both themes have colours of their own, and none that vanishes on its ground", () => {
  const light = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
  const all = () => Array.from({ length: WHEEL_SIZE }, (_, at) => classColor(at));
  const dark = all();
  theme(true);
  const bright = all();
  assert.notDeepEqual(dark, bright);
  assert.ok(dark.every((color) => light(color) > 70) && bright.every((color) => light(color) < 215));
  assert.notDeepEqual(nothing(), [92, 99, 110]);
});

test("a ramp goes from its first stop to its last without a jump, and stays there beyond them", () => {
  assert.deepEqual([rampColor(-1), rampColor(2)], [rampColor(0), rampColor(1)]);
  const palette = rampPalette();
  assert.deepEqual([rgb(palette, 1), rgb(palette, 255)], [rampColor(0), rampColor(1)]);
  for (let slot = 2; slot < 256; slot++)
    rgb(palette, slot).forEach((value, at) => assert.ok(Math.abs(value - rgb(palette, slot - 1)[at]) <= 6));
});
