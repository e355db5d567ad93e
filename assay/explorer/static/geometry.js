// Points and polygons on the plane: the nearest point, and a stroke with fewer corners. No page here.

export const project = (t, x, y, z) => [t[0] * x + t[1] * y + t[2] * z, t[3] * x + t[4] * y + t[5] * z];

const SIDE = 200;
const clampCell = (value) => Math.max(0, Math.min(SIDE - 1, Math.floor(value)));

export function extentOf({ count, x, y }) {
  let x0 = Infinity,
    y0 = Infinity,
    x1 = -Infinity,
    y1 = -Infinity;
  for (let i = 0; i < count; i++) {
    if (x[i] < x0) x0 = x[i];
    if (x[i] > x1) x1 = x[i];
    if (y[i] < y0) y0 = y[i];
    if (y[i] > y1) y1 = y[i];
  }
  return [x0, y0, x1, y1];
}

// Points by cell of a uniform grid, for finding the nearest.
export function gridOf(points) {
  const { count, x, y } = points,
    [x0, y0, x1, y1] = extentOf(points);
  const grid = {
    x0,
    y0,
    sx: SIDE / Math.max(x1 - x0, 1e-12),
    sy: SIDE / Math.max(y1 - y0, 1e-12),
    start: new Uint32Array(SIDE * SIDE + 1),
    items: new Uint32Array(count),
  };
  const cell = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    cell[i] = clampCell((x[i] - x0) * grid.sx) * SIDE + clampCell((y[i] - y0) * grid.sy);
    grid.start[cell[i] + 1]++;
  }
  for (let c = 0; c < SIDE * SIDE; c++) grid.start[c + 1] += grid.start[c];
  const next = grid.start.slice();
  for (let i = 0; i < count; i++) grid.items[next[cell[i]]++] = i;
  return grid;
}

// `visit(index)` for every point in the cells within `wide` of a place, and perhaps some farther ones.
export function gridNear(grid, x, y, wide, visit, tall = wide) {
  const c0 = clampCell((x - wide - grid.x0) * grid.sx),
    c1 = clampCell((x + wide - grid.x0) * grid.sx);
  const r0 = clampCell((y - tall - grid.y0) * grid.sy),
    r1 = clampCell((y + tall - grid.y0) * grid.sy);
  for (let c = c0; c <= c1; c++) {
    for (let at = grid.start[c * SIDE + r0]; at < grid.start[c * SIDE + r1 + 1]; at++) visit(grid.items[at]);
  }
}

// A permutation of 0 … n − 1, the same each time: any beginning of it is an even sample.
export function shuffled(n) {
  const order = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  let seed = 12345;
  for (let i = n - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((seed / 2 ** 32) * (i + 1)),
      kept = order[i]; // its high bits are the random ones
    order[i] = order[j];
    order[j] = kept;
  }
  return order;
}

// The order in which points are painted, and where each part of it begins and how many it has: the ground, chosen ones
// without a colour (slot 0), chosen ones with one; shuffled within each.
export function paintOrder(chosen, slot) {
  const parts = [[], [], []];
  for (const i of shuffled(chosen.length)) parts[chosen[i] ? (slot[i] > 0.5 ? 2 : 1) : 0].push(i);
  const order = new Uint32Array(chosen.length),
    ranges = [];
  let start = 0;
  for (const part of parts) {
    order.set(part, start);
    ranges.push([start, part.length]);
    start += part.length;
  }
  return { order, ranges };
}

export function ordered(values, order) {
  const out = new values.constructor(values.length);
  for (let i = 0; i < order.length; i++) out[i] = values[order[i]];
  return out;
}

// Douglas and Peucker: the stroke within `within` pixels, with fewer corners.
export function simplify(points, within) {
  if (points.length < 4) return points;
  const keep = new Uint8Array(points.length),
    stack = [[0, points.length - 1]];
  keep[0] = keep[points.length - 1] = 1;
  while (stack.length) {
    const [a, b] = stack.pop(),
      [ax, ay] = points[a],
      [bx, by] = points[b];
    const long = Math.hypot(bx - ax, by - ay) || 1e-9;
    let far = within,
      at = -1;
    for (let i = a + 1; i < b; i++) {
      const [px, py] = points[i];
      const d =
        long < 1e-6
          ? Math.hypot(px - ax, py - ay)
          : Math.abs((bx - ax) * (ay - py) - (ax - px) * (by - ay)) / long;
      if (d > far) {
        far = d;
        at = i;
      }
    }
    if (at >= 0) {
      keep[at] = 1;
      stack.push([a, at], [at, b]);
    }
  }
  return points.filter((_, i) => keep[i]);
}
