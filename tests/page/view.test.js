import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Node } from "./fake_page.js";
import { Plot } from "../../assay/explorer/static/plot.js";

Object.assign(Node.prototype, { getContext: (kind) => (kind === "2d" ? {} : null), setPointerCapture() {} });
globalThis.requestAnimationFrame = () => 0; // nothing is painted
const ABOUT = 1e-6;
let plot, calls;

// A plot of 400 × 300 pixels over `n` points, of which every third is chosen.
function drawn(n, seed = 1) {
  let at = seed;
  const dice = () => (at = (at * 16807) % 2147483647) / 2147483647;
  const column = () => Float32Array.from({ length: n }, () => 20 * dice() - 10);
  const points = {
    count: n,
    x: column(),
    y: column(),
    z: column(),
    row: Uint32Array.from({ length: n }, (_, i) => 7 * i),
  };
  const chosen = Uint8Array.from({ length: n }, (_, i) => (i % 3 ? 0 : 1));
  const host = new Node("div");
  host.getBoundingClientRect = () => ({ left: 0, top: 0, width: 400, height: 300 });
  calls = [];
  const told =
    (name) =>
    (...given) =>
      calls.push([name, ...given]);
  plot = new Plot(host, { hover() {}, open: told("open"), select: told("select"), camera() {}, region() {} });
  plot.over.getBoundingClientRect = host.getBoundingClientRect;
  plot.setData(
    { ...points, slot: Float32Array.from(chosen), chosen },
    Uint8Array.of(0, 0, 0, 255, 9, 8, 7, 255),
  );
  plot.fit(false);
  return points;
}

beforeEach(() => drawn(300));
const press = (name, x, y, more = {}) =>
  plot.over.fire(name, {
    pointerId: 1,
    clientX: x,
    clientY: y,
    button: 0,
    shiftKey: false,
    altKey: false,
    ...more,
  });
const near = (a, b, within = ABOUT) =>
  a.every((value, i) => Math.abs(value - b[i]) <= within * Math.max(1, Math.abs(value)));

test("a place on the screen and in the data are the same place, zoomed and moved as it may be", () => {
  for (const [px, py] of [
    [0, 0],
    [400, 300],
    [123, 45],
  ])
    assert.ok(near(plot.toScreen(...plot.toData(px, py)), [px, py]));
  const [x, y] = plot.toData(100, 80);
  plot.zoom(3, 100, 80);
  assert.ok(near(plot.toScreen(x, y), [100, 80]), "what is under the pointer stays there");
  plot.pan(30, -20);
  assert.ok(near(plot.toScreen(x, y), [70, 100]));
});

test("everything is on the screen after a fit, of one point or none too", () => {
  const inside = (n) => {
    drawn(n);
    for (let i = 0; i < n; i++) {
      const [px, py] = plot.screenOf(i);
      assert.ok(px >= 0 && px <= 400 && py >= 0 && py <= 300);
    }
  };
  [0, 1, 2, 500].forEach(inside);
  assert.ok(Number.isFinite(plot.camera.scale));
});

test("zooming ends before the plot is a speck, or one point of it is all", () => {
  for (let i = 0; i < 99; i++) plot.zoom(0.1, 200, 150);
  assert.ok(near([plot.camera.scale], [plot.home * 0.3]));
  for (let i = 0; i < 99; i++) plot.zoom(10, 200, 150);
  assert.ok(near([plot.camera.scale], [plot.home * 5000]));
});

test("a camera comes back from an address, and a plot that fits needs none", () => {
  assert.equal(plot.where(), null);
  plot.zoom(4, 90, 200);
  const { camera } = plot,
    kept = plot.where();
  drawn(300);
  plot.look(kept);
  assert.ok(
    near([plot.camera.x, plot.camera.y, plot.camera.scale], [camera.x, camera.y, camera.scale], 1e-4),
  );
  plot.look(null);
  assert.equal(plot.where(), null);
});

// The plain version: every point, in the order in which they are kept; a grey one counts as farther away.
function nearest(px, py, reach) {
  let best = -1,
    least = reach * reach;
  for (let i = 0; i < plot.points.count; i++) {
    const [x, y] = plot.screenOf(i),
      d = (x - px) ** 2 + (y - py) ** 2 + (plot.points.chosen[i] ? 0 : 30);
    if (d < least) [least, best] = [d, i];
  }
  return best;
}

test("the point under the pointer is the nearest one, chosen ones first, at any zoom and turned in space", () => {
  for (const deep of [false, true]) {
    plot.deep = deep;
    for (const zoom of [1, 6, 0.2]) {
      plot.zoom(zoom, 150, 100);
      let found = 0;
      for (let px = 5; px < 400; px += 37)
        for (let py = 5; py < 300; py += 31) {
          const [mine, wanted] = [plot.pick(px, py, 14), nearest(px, py, 14)];
          if (mine !== wanted) assert.ok(near(plot.screenOf(mine), plot.screenOf(wanted)), `${px}, ${py}`);
          found += mine >= 0;
        }
      assert.ok(found > 3);
    }
  }
});

test("few points on the screen are all found, chosen ones first, and of too many none", () => {
  assert.equal(plot.onScreen(299), null);
  plot.zoom(5, 200, 150);
  const seen = plot.onScreen(300),
    wanted = [...Array(300).keys()].filter((i) => {
      const [px, py] = plot.screenOf(i);
      return px >= 0 && px <= 400 && py >= 0 && py <= 300;
    });
  assert.deepEqual(
    [...seen].sort((a, b) => a - b),
    wanted,
  );
  assert.ok(
    seen.length > 3 &&
      seen.every((i, at) => !at || plot.points.chosen[seen[at - 1]] >= plot.points.chosen[i]),
  );
});

test("turned in space, lengths stay: the axes are at right angles and of length one", () => {
  plot.deep = true;
  plot.turnBy(1.2, 9); // no farther than straight down
  const t = plot.turn(),
    rows = [t.slice(0, 3), t.slice(3, 6), t.slice(6)];
  rows.forEach((a, i) =>
    rows.forEach((b, j) => assert.ok(near([a[0] * b[0] + a[1] * b[1] + a[2] * b[2]], [i === j ? 1 : 0]))),
  );
  assert.equal(plot.angle[1], 1.57);
});

test("the colour of a point is that of its class, and grey where it is not chosen", () => {
  const [grey, chosen] = [0, 1].map((is) => plot.points.chosen.indexOf(is));
  assert.deepEqual([plot.colorOf(grey), plot.colorOf(chosen)], ["#5c636e", "rgb(9 8 7)"]);
});

async function stroke(corners, more) {
  await press("pointerdown", ...corners[0], more);
  for (const corner of corners.slice(1)) await press("pointermove", ...corner);
  await press("pointerup", ...corners.at(-1));
}
const ROUND = [
  [50, 50],
  [150, 50],
  [150, 150],
  [50, 150],
];

test("a lasso gives its corners in the data; Shift adds, Alt takes away", async () => {
  for (const [more, how] of [
    [{}, null],
    [{ shiftKey: true }, "add"],
    [{ altKey: true }, "subtract"],
  ]) {
    await stroke(ROUND, more);
    const [name, { points, matrix }, told] = calls.pop();
    assert.deepEqual([name, matrix, told], ["select", undefined, how]);
    assert.ok(points.every((point, at) => near(plot.toScreen(...point), ROUND[at], 1e-3)));
  }
  assert.equal(plot.stroke, null);
});

test("a box has four corners, wherever it is begun; in space a lasso says how it was turned", async () => {
  plot.tool = "box";
  await stroke([ROUND[2], [100, 90], ROUND[0]]);
  assert.equal(calls.pop()[1].points.length, 4);
  Object.assign(plot, { tool: "lasso", deep: true });
  await stroke(ROUND);
  const { matrix } = calls.pop()[1];
  assert.ok(near(matrix.flat(), plot.turn().slice(0, 6)));
});

test("a click opens the sample under it; beside all, it lifts the lasso; a stroke cut off does nothing", async () => {
  const at = plot.points.chosen.indexOf(1);
  await stroke([plot.screenOf(at)]);
  assert.deepEqual(calls.pop(), ["open", plot.points.row[at]]);
  plot.zoom(0.01, 0, 0);
  await stroke([[390, 290]]);
  assert.deepEqual(calls.pop(), ["select", null]);
  await stroke([[390, 290]], { shiftKey: true });
  await press("pointerdown", 50, 50);
  await press("pointermove", 90, 50);
  await press("pointermove", 90, 90);
  await press("pointercancel", 90, 90);
  assert.deepEqual(calls, []);
});

test("the hand, Space and the right button move; two fingers zoom", async () => {
  const [x, y] = plot.toData(200, 150);
  await stroke(
    [
      [200, 150],
      [230, 140],
    ],
    { button: 2 },
  );
  assert.ok(near(plot.toScreen(x, y), [230, 140]));
  const scale = plot.camera.scale;
  await press("pointerdown", 100, 100);
  await press("pointerdown", 200, 100, { pointerId: 2 });
  await press("pointermove", 300, 100, { pointerId: 2 });
  assert.ok(near([plot.camera.scale], [2 * scale]));
  await press("pointerup", 300, 100, { pointerId: 2 });
  await press("pointerup", 100, 100);
  assert.deepEqual(calls, []);
});

test("keys move, zoom and lift, and others are left to the page", async () => {
  let taken = 0;
  const key = (name) => plot.over.fire("keydown", { key: name, preventDefault: () => taken++ });
  const [x, y] = plot.toData(200, 150);
  await key("ArrowRight");
  assert.ok(near(plot.toScreen(x, y), [140, 150]));
  for (const name of ["+", "-", "0", "Escape", "x"]) await key(name);
  assert.deepEqual([taken, calls.pop()], [5, ["select", null]]);
});
