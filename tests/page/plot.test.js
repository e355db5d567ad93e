import assert from "node:assert/strict";
import { test } from "node:test";
import { assigned, FEW, oklch, wheel, WHEEL_SIZE } from "../../assay/explorer/static/colors.js";
import { contour, densityOf, levelsOf } from "../../assay/explorer/static/density.js";
import {
  gridNear,
  gridOf,
  ordered,
  paintOrder,
  shuffled,
  simplify,
} from "../../assay/explorer/static/geometry.js";
import { busiest } from "../../assay/explorer/static/matrix.js";
import { place } from "../../assay/explorer/static/placing.js";
import { linePath } from "../../assay/explorer/static/sparkline.js";
import { address, fresh, unpacked } from "../../assay/explorer/static/state.js";

test("a hundred classes on a lattice: no two neighbours look alike", () => {
  const places = Array.from({ length: 100 }, (_, i) => ({ name: `c${i}`, x: i % 10, y: Math.floor(i / 10) }));
  const colors = assigned(places),
    rgb = wheel(true);
  for (const a of places) {
    for (const b of places) {
      if (a === b || Math.hypot(a.x - b.x, a.y - b.y) > 1.01) continue;
      const [p, q] = [rgb[colors.get(a.name)], rgb[colors.get(b.name)]];
      assert.ok(Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]) > 60, `${a.name} and ${b.name}`);
    }
  }
  assert.ok(new Set(colors.values()).size > 30);
});

test("few classes keep their twelve colours in order", () => {
  const colors = assigned(Array.from({ length: FEW }, (_, i) => ({ name: `c${i}`, x: 0, y: i })));
  assert.deepEqual(
    [...colors.values()],
    Array.from({ length: FEW }, (_, i) => i),
  );
  assert.equal(wheel(false).length, WHEEL_SIZE);
  assert.deepEqual(oklch(1, 0, 0), [255, 255, 255]);
});

test("names never cover each other, and the first one wins", () => {
  const wanted = Array.from({ length: 60 }, (_, i) => ({
    x: 50 + (i % 6) * 20,
    y: 50 + Math.floor(i / 6) * 8,
    w: 50,
    h: 16,
  }));
  const placed = place(wanted, 300, 200);
  assert.equal(placed[0].index, 0);
  for (const a of placed) {
    for (const b of placed) {
      if (a.index >= b.index) continue;
      assert.ok(a.x + 50 <= b.x || b.x + 50 <= a.x || a.y + 16 <= b.y || b.y + 16 <= a.y);
    }
  }
  assert.equal(place([{ x: -500, y: 5, w: 40, h: 16 }], 300, 200).length, 0);
});

test("lines of density close round the one crowd there is", () => {
  const n = 4000,
    x = new Float32Array(n),
    y = new Float32Array(n);
  for (let i = 0; i < n; i++)
    [x[i], y[i]] = [
      0.3 * Math.cos(i) * Math.sqrt((i % 97) / 97),
      0.3 * Math.sin(i) * Math.sqrt((i % 97) / 97),
    ];
  const density = densityOf({ count: n, x, y }, [-1, -1, 1, 1]),
    levels = levelsOf(density.grid);
  assert.ok(levels.every((level, at) => at === 0 || level > levels[at - 1]));
  const pieces = contour(density, levels[0]);
  assert.ok(pieces.length > 20 && pieces.flat().every((v) => Math.abs(v) < 0.5));
});

test("the nearest points are found in the grid", () => {
  const points = { count: 4, x: Float32Array.of(0, 1, 5, 9), y: Float32Array.of(0, 1, 5, 9) },
    found = [];
  gridNear(gridOf(points), 0.9, 0.9, 0.3, (i) => found.push(i));
  assert.ok(found.includes(1) && !found.includes(3));
});

test("any beginning of the drawing order is an even sample", () => {
  const order = shuffled(10_000),
    first = order.slice(0, 1000);
  assert.equal(new Set(order).size, 10_000);
  assert.ok(Math.abs(first.reduce((sum, v) => sum + v, 0) / 1000 - 5000) < 400);
});

test("a straight stroke keeps its ends only", () => {
  assert.deepEqual(
    simplify(
      [
        [0, 0],
        [1, 0],
        [2, 0],
        [3, 0],
        [3, 4],
      ],
      0.5,
    ),
    [
      [0, 0],
      [3, 0],
      [3, 4],
    ],
  );
});

test("a missing night leaves a gap in its line", () => {
  assert.equal((linePath([1, null, 3], 100, 30).match(/M/g) ?? []).length, 2);
  assert.equal(linePath([], 100, 30), "");
});

test("a matrix shows the busiest classes in their order", () => {
  assert.deepEqual(
    busiest(
      ["a", "b", "c"],
      [
        ["a", "c", 5],
        ["b", "c", 1],
      ],
      2,
    ),
    ["a", "c"],
  );
});

test("an address holds a view and gives it back, old ones too", () => {
  const view = { ...fresh(), page: "map", filter: { text: "ä b" }, sample: "s/1" };
  assert.deepEqual(unpacked(JSON.parse(decodeURIComponent(address(view).slice(1)))), view);
  assert.equal(address(fresh()), "");
  const old = unpacked({ p: "label", f: { lasso: { method: "umap", points: [] } } });
  assert.deepEqual([old.page, old.filter.lasso.length], ["map", 1]);
  assert.deepEqual(unpacked({ f: [] }).filter, {});
});

test("points are painted ground first, then what is chosen, coloured ones on top", () => {
  const chosen = Uint8Array.of(1, 0, 1, 1, 0),
    slot = Float32Array.of(2, 1, 0, 1, 0);
  const { order, ranges } = paintOrder(chosen, slot);
  assert.deepEqual(ranges, [
    [0, 2],
    [2, 1],
    [3, 2],
  ]);
  assert.deepEqual([...order.slice(0, 2)].sort(), [1, 4]);
  assert.equal(order[2], 2);
  assert.deepEqual([...ordered(Float32Array.of(5, 6, 7, 8, 9), order).slice(2, 3)], [7]);
});
