// The scatter plot: points, camera and what is under the pointer. Painted by WebGL2, or by a 2-D canvas without it.
import { dark } from "./colors.js";
import { debounce, h } from "./dom.js";
import { extentOf, gridNear, gridOf, ordered, paintOrder, project } from "./geometry.js";
import { FlatPainter } from "./plot_flat.js";
import { GlPainter } from "./plot_gl.js";
import { listen } from "./plot_input.js";
import { paintOver, paintUnder } from "./plot_overlay.js";

const MOVING = 20_000; // points drawn while the camera moves
const SAMPLED = 4_000; // points that are looked at before a grid of all is made
const KEYS =
  "Arrow keys move, plus and minus zoom, 0 shows everything, L, B and V choose lasso, box or hand, " +
  "Escape clears the lasso.";

export class Plot {
  // on: { hover(row|null, x, y), open(row), select(stroke|null, how), region(bounds), camera() }
  constructor(host, on, { label = "Plot of all samples" } = {}) {
    Object.assign(this, {
      host,
      on,
      tool: "lasso",
      points: null,
      strokes: [],
      camera: { x: 0, y: 0, scale: 1 },
      angle: [0.5, -0.6],
      deep: false,
      hovered: -1,
      marked: null,
      names: [],
      showNames: true,
      showDensity: true,
      pictures: null,
      moving: false,
    });
    this.under = h("canvas", { class: "under", "aria-hidden": "true" });
    this.canvas = h("canvas", { class: "ink", "aria-hidden": "true" });
    this.over = h("canvas", {
      class: "over",
      tabindex: "0",
      role: "application",
      "aria-label": `${label}. ${KEYS}`,
    });
    host.append(this.under, this.canvas, this.over);
    this.start();
    this.settled = debounce(160, () => {
      this.moving = false;
      this.draw();
      this.on.region?.(this.bounds(0.5));
    });
    new ResizeObserver(() => this.resize()).observe(host);
    listen(this);
    this.resize();
  }

  start() {
    const flat = new URLSearchParams(location.search).has("nogl");
    const options = { antialias: false, premultipliedAlpha: true, preserveDrawingBuffer: true };
    const gl = flat ? null : this.canvas.getContext("webgl2", options);
    this.painter = gl ? new GlPainter(this.canvas, gl) : new FlatPainter(this.canvas);
    this.host.dataset.renderer = gl ? "webgl2" : "canvas";
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => {
      this.painter.prepare();
      if (this.points) this.painter.upload(this.points, this.palette);
      this.draw();
    });
  }

  // points: { count, x, y, z?, row, slot (palette slots, Float32), chosen, flagged (Uint8), ground (the name of the
  // places: where it is the same, only what is chosen or how it is coloured differs) }; palette: RGBA bytes.
  // They are kept in the order in which they are painted: the grey ground, chosen ones without a colour, chosen ones
  // with one; within each shuffled, so that any beginning of it is an even sample.
  setData(points, palette) {
    const { order, ranges } = paintOrder(points.chosen, points.slot),
      pick = (values) => values && ordered(values, order);
    const flagged = points.flagged ?? new Uint8Array(points.count);
    this.points = { count: points.count, ranges };
    for (const name of ["x", "y", "z", "row", "slot", "chosen"]) this.points[name] = pick(points[name]);
    this.points.flagged = pick(flagged);
    if (!points.ground || points.ground !== this.ground) this.lines = null;
    Object.assign(this, { palette, grid: null, hovered: -1, ground: points.ground });
    this.chosen = points.count - ranges[0][1];
    this.painter.upload(this.points, palette);
    this.draw();
  }

  resize() {
    const ratio = Math.min(devicePixelRatio || 1, 2),
      box = this.host.getBoundingClientRect();
    const width = Math.max(1, Math.round(box.width)),
      height = Math.max(1, Math.round(box.height));
    if (width === this.width && height === this.height && ratio === this.ratio) return;
    const first = !this.width;
    Object.assign(this, { width, height, ratio });
    for (const canvas of [this.under, this.canvas, this.over]) {
      canvas.width = width * ratio;
      canvas.height = height * ratio;
    }
    if (!first && this.fitted) this.fit(false);
    else this.draw();
  }

  // where everything is, in data units, as drawn
  extent() {
    if (!this.points?.count) return [-1, -1, 1, 1];
    const { count, x, y, z } = this.points;
    if (!this.deep || !z) return extentOf(this.points);
    const turn = this.turn(),
      turned = { count, x: new Float32Array(count), y: new Float32Array(count) };
    for (let i = 0; i < count; i++) [turned.x[i], turned.y[i]] = project(turn, x[i], y[i], z[i]);
    return extentOf(turned);
  }

  fit(tell = true) {
    const [x0, y0, x1, y1] = this.extent(),
      margin = this.width < 300 ? 16 : 36;
    const wide = (this.width - 2 * margin) / Math.max(x1 - x0, 1e-6);
    const scale = Math.max(Math.min(wide, (this.height - 2 * margin) / Math.max(y1 - y0, 1e-6)), 1e-6);
    this.camera = { x: (x0 + x1) / 2, y: (y0 + y1) / 2, scale };
    Object.assign(this, { home: scale, fitted: true });
    this.draw();
    if (tell) this.moved(true);
  }

  // a camera from the address: centre and how far it is zoomed in
  look(camera) {
    this.fit(false);
    if (!camera) return;
    this.camera = { x: camera[0], y: camera[1], scale: this.home * camera[2] };
    this.fitted = false;
    this.draw();
  }

  where() {
    if (this.fitted || !this.home) return null;
    const { x, y, scale } = this.camera;
    return [+x.toPrecision(6), +y.toPrecision(6), +(scale / this.home).toPrecision(5)];
  }

  moved(home = false) {
    if (!home) this.fitted = false;
    this.on.camera?.();
    this.moving = (this.points?.count ?? 0) > MOVING;
    this.settled();
  }

  pan(dx, dy) {
    this.camera.x += dx / this.camera.scale;
    this.camera.y -= dy / this.camera.scale;
    this.moved();
    this.draw();
  }

  turnBy(across, down) {
    this.angle = [this.angle[0] + across, Math.max(-1.57, Math.min(1.57, this.angle[1] + down))];
    this.strokes = [];
    this.moved();
    this.draw();
  }

  zoom(factor, px, py) {
    const [x, y] = this.toData(px, py),
      c = this.camera,
      home = this.home ?? c.scale;
    c.scale = Math.max(home * 0.3, Math.min(c.scale * factor, home * 5000));
    const [nx, ny] = this.toData(px, py);
    c.x += x - nx;
    c.y += y - ny;
    this.moved();
    this.draw();
  }

  turn() {
    if (!this.deep) return [1, 0, 0, 0, 1, 0, 0, 0, 1];
    const [a, b] = this.angle,
      ca = Math.cos(a),
      sa = Math.sin(a),
      cb = Math.cos(b),
      sb = Math.sin(b);
    return [ca, 0, sa, sa * sb, cb, -ca * sb, -sa * cb, sb, ca * cb]; // rows
  }

  toScreen(x, y) {
    const c = this.camera;
    return [(x - c.x) * c.scale + this.width / 2, this.height / 2 - (y - c.y) * c.scale];
  }

  toData(px, py) {
    const c = this.camera;
    return [(px - this.width / 2) / c.scale + c.x, (this.height / 2 - py) / c.scale + c.y];
  }

  bounds(margin = 0) {
    const [x0, y1] = this.toData(0, 0),
      [x1, y0] = this.toData(this.width, this.height);
    const mx = (x1 - x0) * margin,
      my = (y1 - y0) * margin;
    return [x0 - mx, y0 - my, x1 + mx, y1 + my];
  }

  // of the chosen points, or of the grey ones: a few chosen among many are drawn larger
  pointSize(chosen = true) {
    const n = Math.max(chosen ? Math.max(this.chosen ?? 1, 2500) : (this.points?.count ?? 1), 1);
    const base = Math.min(9, Math.max(2.4, 0.42 * Math.sqrt((this.width * this.height) / n)));
    const zoom = this.home ? Math.max(1, this.camera.scale / this.home) : 1;
    return Math.min(base * zoom ** 0.35, 18);
  }

  draw() {
    this.stale = true;
    this.trace();
  }

  // only what lies over the points: the lasso, names, rings
  trace() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      if (this.stale) {
        this.stale = false;
        this.paint();
        paintUnder(this);
      }
      paintOver(this);
    });
  }

  paint() {
    if (!this.points || !this.width) return;
    const isDark = dark();
    this.painter.paint({
      camera: this.camera,
      turn: this.turn(),
      deep: this.deep,
      width: this.width,
      height: this.height,
      ratio: this.ratio,
      size: this.pointSize(),
      ground: this.pointSize(false),
      alpha: this.points.count > 60_000 ? 0.62 : 0.88,
      context: isDark ? [0.36, 0.39, 0.44, 0.38] : [0.6, 0.62, 0.65, 0.34],
      ring: isDark ? [1, 0.54, 0.36, 0.95] : [0.78, 0.25, 0.05, 0.95],
      rings: !this.moving,
      share: this.moving ? Math.min(1, MOVING / this.points.count) : 1,
    });
    this.host.dataset.drawn = String(this.points.count);
    this.host.dataset.camera = JSON.stringify(this.camera);
  }

  screenOf(index) {
    const { x, y, z } = this.points;
    const [px, py] =
      this.deep && z ? project(this.turn(), x[index], y[index], z[index]) : [x[index], y[index]];
    return this.toScreen(px, py);
  }

  colorOf(index) {
    if (!this.points.chosen[index]) return dark() ? "#5c636e" : "#a6a9ae";
    const at = 4 * this.points.slot[index];
    return `rgb(${this.palette[at]} ${this.palette[at + 1]} ${this.palette[at + 2]})`;
  }

  // Indices of the points on the screen, chosen ones first; null where there are more than `most`.
  onScreen(most) {
    const { x, y, chosen } = this.points,
      [x0, y0, x1, y1] = this.bounds(),
      there = (i) => x[i] >= x0 && x[i] <= x1 && y[i] >= y0 && y[i] <= y1;
    let found = [];
    for (let i = 0; i < Math.min(x.length, SAMPLED); i++) if (there(i)) found.push(i);
    if (found.length > most) return null; // a beginning of the points is enough to know
    found = [];
    this.grid ??= gridOf(this.points);
    const see = (i) => {
      if (found.length <= most && there(i)) found.push(i);
    };
    gridNear(this.grid, (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, see, (y1 - y0) / 2);
    if (found.length > most) return null;
    return found.sort((a, b) => chosen[b] - chosen[a]);
  }

  // the drawn point nearest to a place on the screen, within reach; selected ones first
  pick(px, py, reach = 12) {
    if (!this.points) return -1;
    const { count, x, y, z, chosen } = this.points;
    let best = -1,
      least = reach * reach;
    const weigh = (i, sx, sy) => {
      const d = (sx - px) ** 2 + (sy - py) ** 2 + (chosen[i] ? 0 : 30);
      if (d < least) {
        least = d;
        best = i;
      }
    };
    if (this.deep && z) {
      const turn = this.turn();
      for (let i = 0; i < count; i++) weigh(i, ...this.toScreen(...project(turn, x[i], y[i], z[i])));
      return best;
    }
    this.grid ??= gridOf(this.points);
    const [dx, dy] = this.toData(px, py);
    gridNear(this.grid, dx, dy, reach / this.camera.scale, (i) => weigh(i, ...this.toScreen(x[i], y[i])));
    return best;
  }

  hover(place) {
    const found = place ? this.pick(...place) : -1;
    if (place && found === this.hovered) return;
    this.hovered = found;
    this.on.hover?.(
      found < 0 ? null : this.points.row[found],
      ...(found < 0 ? [0, 0] : this.screenOf(found)),
    );
    this.trace();
  }

  // The plot as it is seen, as a PNG.
  async png() {
    const out = h("canvas", { width: this.canvas.width, height: this.canvas.height }),
      pen = out.getContext("2d");
    pen.fillStyle = getComputedStyle(document.body).backgroundColor;
    pen.fillRect(0, 0, out.width, out.height);
    for (const canvas of [this.under, this.canvas, this.over]) pen.drawImage(canvas, 0, 0);
    return new Promise((done) => out.toBlob(done, "image/png"));
  }
}
