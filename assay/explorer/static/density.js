// Where points lie thick: counts on a grid, smoothed, and the lines of equal density through it. No page here.

const SIDE = 96;

// Counts of the points in SIDE × SIDE cells over [x0, y0, x1, y1], blurred three times by a box of three.
export function densityOf(points, [x0, y0, x1, y1]) {
  let grid = new Float32Array(SIDE * SIDE);
  const { count, x, y } = points,
    sx = SIDE / (x1 - x0 || 1),
    sy = SIDE / (y1 - y0 || 1);
  for (let i = 0; i < count; i++) {
    const column = Math.floor((x[i] - x0) * sx),
      row = Math.floor((y[i] - y0) * sy);
    if (column >= 0 && row >= 0 && column < SIDE && row < SIDE) grid[row * SIDE + column]++;
  }
  for (let time = 0; time < 3; time++) grid = blurred(grid);
  return { grid, side: SIDE, box: [x0, y0, x1, y1] };
}

function blurred(grid) {
  const out = new Float32Array(grid.length);
  for (let row = 0; row < SIDE; row++) {
    for (let column = 0; column < SIDE; column++) {
      let sum = 0;
      for (let dr = -1; dr <= 1; dr++) {
        for (let dc = -1; dc <= 1; dc++) {
          const r = row + dr,
            c = column + dc;
          if (r >= 0 && c >= 0 && r < SIDE && c < SIDE) sum += grid[r * SIDE + c];
        }
      }
      out[row * SIDE + column] = sum / 9;
    }
  }
  return out;
}

// Levels between the density of a sparse region and the densest one, evenly in the square root.
export function levelsOf(grid, n = 5) {
  let top = 0;
  for (const value of grid) if (value > top) top = value;
  return Array.from({ length: n }, (_, i) => top * ((i + 0.6) / (n + 0.4)) ** 2);
}

// Marching squares: the line at `level` as pieces [x1, y1, x2, y2] in data units.
export function contour({ grid, side, box: [x0, y0, x1, y1] }, level) {
  const pieces = [],
    wx = (x1 - x0) / side,
    wy = (y1 - y0) / side;
  const at = (column, row) => grid[row * side + column];
  const cross = (a, b) => (level - a) / (b - a || 1e-9);
  for (let row = 0; row < side - 1; row++) {
    for (let column = 0; column < side - 1; column++) {
      const [a, b, c, d] = [
        at(column, row),
        at(column + 1, row),
        at(column + 1, row + 1),
        at(column, row + 1),
      ];
      const ends = [];
      if (a > level !== b > level) ends.push([column + cross(a, b), row]);
      if (b > level !== c > level) ends.push([column + 1, row + cross(b, c)]);
      if (d > level !== c > level) ends.push([column + cross(d, c), row + 1]);
      if (a > level !== d > level) ends.push([column, row + cross(a, d)]);
      for (let e = 0; e + 1 < ends.length; e += 2) {
        const [[px, py], [qx, qy]] = [ends[e], ends[e + 1]];
        pieces.push([x0 + (px + 0.5) * wx, y0 + (py + 0.5) * wy, x0 + (qx + 0.5) * wx, y0 + (qy + 0.5) * wy]);
      }
    }
  }
  return pieces;
}
