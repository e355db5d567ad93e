// The scatter plot: WebGL2 (a 2-D canvas where there is none), pan, zoom, lasso, box, hover, 3-D turning.
import { h, debounce } from "./dom.js";
import { dark } from "./colors.js";

const VERTEX = `#version 300 es
in vec3 place; in float color; in float chosen;
uniform vec4 camera; uniform mat3 turn; uniform float size, pass, slots, ratio;
out float slot; out float strong;
void main() {
  bool mine = pass < 0.5 ? chosen < 0.5 : chosen > 0.5 && (color > 0.5) == (pass > 1.5);
  vec3 p = turn * place;
  gl_Position = mine ? vec4((p.xy - camera.xy) * camera.zw, 0.0, 1.0) : vec4(2.0, 2.0, 2.0, 1.0);
  gl_PointSize = pass < 0.5 ? max(1.5 * ratio, size * 0.72) : size;
  slot = color; strong = chosen;
}`;
const FRAGMENT = `#version 300 es
precision highp float;
in float slot; in float strong;
uniform sampler2D palette; uniform vec4 context; uniform float alpha, pass, width, smooth_;
out vec4 pixel;
void main() {
  float edge = 1.0;
  if (smooth_ > 0.5) {
    float far = length(gl_PointCoord - 0.5);
    edge = 1.0 - smoothstep(0.40, 0.5, far);
    if (edge <= 0.0) discard;
  }
  float at = floor(slot + 0.5);
  vec4 own = texelFetch(palette, ivec2(int(mod(at, width)), int(at / width)), 0);
  pixel = pass < 0.5 ? vec4(context.rgb, context.a * edge) : vec4(own.rgb, alpha * edge);
  pixel.rgb *= pixel.a;
}`;
const WIDE = 256;

export class Plot {
  // on: { hover(point|null, x, y), open(point), select(polygon), region(bounds), camera() }
  constructor(host, on, { label = "Plot of all samples" } = {}) {
    this.host = host;
    this.on = on;
    this.tool = "lasso";
    this.points = null;
    this.polygon = null;
    this.camera = { x: 0, y: 0, scale: 1 };
    this.angle = [0.5, -0.6];
    this.deep = false;
    this.hovered = -1;
    this.marked = null;
    this.canvas = h("canvas", { class: "ink" });
    this.over = h("canvas", {
      class: "over",
      tabindex: "0",
      role: "application",
      "aria-label": `${label}. Arrow keys move, plus and minus zoom, 0 shows everything, L, B and V choose lasso, box or hand, Escape clears the lasso.`,
    });
    host.append(this.canvas, this.over);
    this.gl = new URLSearchParams(location.search).has("nogl")
      ? null
      : this.canvas.getContext("webgl2", {
          antialias: false,
          premultipliedAlpha: true,
          preserveDrawingBuffer: true,
        });
    if (this.gl) this.prepare();
    else this.flat = this.canvas.getContext("2d");
    host.dataset.renderer = this.gl ? "webgl2" : "canvas";
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => {
      this.prepare();
      if (this.points) this.upload();
      this.draw();
    });
    this.settled = debounce(180, () => this.on.region?.(this.bounds(0.5)));
    new ResizeObserver(() => this.resize()).observe(host);
    this.listen();
    this.resize();
  }

  prepare() {
    const gl = this.gl,
      program = gl.createProgram();
    for (const [kind, source] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    ["place", "color", "chosen"].forEach((name, at) => gl.bindAttribLocation(program, at, name));
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS))
      throw new Error(gl.getProgramInfoLog(program) || "the plot's shader does not link");
    this.program = program;
    this.uniforms = {};
    for (const name of [
      "camera",
      "turn",
      "size",
      "pass",
      "palette",
      "context",
      "alpha",
      "width",
      "smooth_",
      "ratio",
    ])
      this.uniforms[name] = gl.getUniformLocation(program, name);
    this.buffers = [gl.createBuffer(), gl.createBuffer(), gl.createBuffer()];
    this.texture = gl.createTexture();
  }

  // points: { count, x, y, z?, row, slot (palette slots, Float32), chosen (Uint8) }; palette: RGBA bytes
  setData(points, palette) {
    this.points = points;
    this.palette = palette;
    this.grid = null;
    this.hovered = -1;
    this.chosen = points.chosen.reduce((sum, v) => sum + (v ? 1 : 0), 0);
    this.allSelected = this.chosen === points.count;
    if (this.gl) this.upload();
    this.draw();
  }

  upload() {
    const gl = this.gl,
      { count, x, y, z, slot, chosen } = this.points;
    const place = new Float32Array(3 * count);
    for (let i = 0; i < count; i++) {
      place[3 * i] = x[i];
      place[3 * i + 1] = y[i];
      place[3 * i + 2] = z ? z[i] : 0;
    }
    [
      [place, 3, gl.FLOAT],
      [slot, 1, gl.FLOAT],
      [chosen, 1, gl.UNSIGNED_BYTE],
    ].forEach(([data, parts, kind], at) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[at]);
      gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, parts, kind, false, 0, 0);
    });
    const slots = this.palette.length / 4,
      rows = Math.max(1, Math.ceil(slots / WIDE));
    const pixels = new Uint8Array(4 * WIDE * rows);
    pixels.set(this.palette);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, WIDE, rows, 0, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  }

  resize() {
    const ratio = Math.min(devicePixelRatio || 1, 2),
      box = this.host.getBoundingClientRect();
    const width = Math.max(1, Math.round(box.width)),
      height = Math.max(1, Math.round(box.height));
    if (width === this.width && height === this.height && ratio === this.ratio) return;
    const first = !this.width;
    Object.assign(this, { width, height, ratio });
    for (const canvas of [this.canvas, this.over]) {
      canvas.width = width * ratio;
      canvas.height = height * ratio;
    }
    if (!first && this.fitted) this.fit(false);
    else this.draw();
  }

  // where everything is, in data units, as drawn
  extent() {
    const { count, x, y, z } = this.points ?? { count: 0 };
    if (!count) return [-1, -1, 1, 1];
    let x0 = Infinity,
      y0 = Infinity,
      x1 = -Infinity,
      y1 = -Infinity;
    const turn = this.turn();
    for (let i = 0; i < count; i++) {
      const [px, py] = this.deep && z ? project(turn, x[i], y[i], z[i]) : [x[i], y[i]];
      if (px < x0) x0 = px;
      if (px > x1) x1 = px;
      if (py < y0) y0 = py;
      if (py > y1) y1 = py;
    }
    return [x0, y0, x1, y1];
  }

  fit(tell = true) {
    const [x0, y0, x1, y1] = this.extent(),
      margin = Math.min(this.width, this.height) < 300 ? 16 : 36;
    const scale = Math.min(
      (this.width - 2 * margin) / Math.max(x1 - x0, 1e-6),
      (this.height - 2 * margin) / Math.max(y1 - y0, 1e-6),
    );
    this.camera = { x: (x0 + x1) / 2, y: (y0 + y1) / 2, scale: Math.max(scale, 1e-6) };
    this.home = this.camera.scale;
    this.fitted = true;
    this.draw();
    if (tell) this.moved(true);
  }

  // a camera from the address: centre and how far it is zoomed in
  look(camera) {
    if (!camera) return this.fit(false);
    this.fit(false);
    this.camera = { x: camera[0], y: camera[1], scale: this.home * camera[2] };
    this.fitted = false;
    this.draw();
  }

  where() {
    return this.fitted || !this.home
      ? null
      : [
          +this.camera.x.toPrecision(6),
          +this.camera.y.toPrecision(6),
          +(this.camera.scale / this.home).toPrecision(5),
        ];
  }

  moved(home = false) {
    if (!home) this.fitted = false;
    this.on.camera?.();
    this.settled();
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
    const base = Math.min(7, Math.max(2.2, 0.36 * Math.sqrt((this.width * this.height) / n)));
    const zoom = this.home ? Math.max(1, this.camera.scale / this.home) : 1;
    return Math.min(base * zoom ** 0.35, 16);
  }

  draw() {
    this.stale = true;
    this.trace();
  }

  // only what lies over the points: the lasso, the rings
  trace() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      if (this.stale) {
        this.stale = false;
        this.paint();
      }
      this.overlay();
    });
  }

  paint() {
    if (!this.points || !this.width) return;
    if (this.gl) this.paintGl();
    else this.paintFlat();
    this.host.dataset.drawn = String(this.points.count);
    this.host.dataset.camera = JSON.stringify(this.camera);
  }

  paintGl() {
    const gl = this.gl,
      u = this.uniforms,
      c = this.camera,
      t = this.turn(),
      size = this.pointSize() * this.ratio,
      grounds = this.pointSize(false) * this.ratio;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.useProgram(this.program);
    gl.uniform4f(u.camera, c.x, c.y, (2 * c.scale) / this.width, (2 * c.scale) / this.height);
    gl.uniformMatrix3fv(u.turn, true, new Float32Array(t));
    gl.uniform1f(u.width, WIDE);
    gl.uniform1f(u.ratio, this.ratio);
    gl.uniform1f(u.alpha, this.points.count > 60_000 ? 0.62 : 0.88);
    const grey = dark() ? [0.36, 0.39, 0.44, 0.38] : [0.6, 0.62, 0.65, 0.34];
    gl.uniform4f(u.context, ...grey);
    for (const pass of this.allSelected ? [1, 2] : [0, 1, 2]) {
      const wide = pass ? size : grounds;
      gl.uniform1f(u.size, wide);
      gl.uniform1f(u.smooth_, wide > 2.5 ? 1 : 0);
      gl.uniform1f(u.pass, pass);
      gl.drawArrays(gl.POINTS, 0, this.points.count);
    }
  }

  paintFlat() {
    const context = this.flat,
      { count, x, y, z, slot, chosen } = this.points,
      size = this.pointSize(),
      r = this.ratio,
      turn = this.turn();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const colors = [];
    for (let s = 0; s < this.palette.length / 4; s++)
      colors.push(`rgb(${this.palette[4 * s]} ${this.palette[4 * s + 1]} ${this.palette[4 * s + 2]})`);
    for (const pass of [0, 1]) {
      context.globalAlpha = pass ? 0.85 : 0.35;
      const side = Math.max(1, (pass ? size : this.pointSize(false) * 0.72) * r * 0.9);
      if (!pass) context.fillStyle = dark() ? "#5c636e" : "#9a9ea6";
      for (let i = 0; i < count; i++) {
        if ((chosen[i] ? 1 : 0) !== pass) continue;
        const [px, py] = this.deep && z ? project(turn, x[i], y[i], z[i]) : [x[i], y[i]];
        const [sx, sy] = this.toScreen(px, py);
        if (sx < -9 || sy < -9 || sx > this.width + 9 || sy > this.height + 9) continue;
        if (pass) context.fillStyle = colors[slot[i]];
        context.fillRect(sx * r - side / 2, sy * r - side / 2, side, side);
      }
    }
  }

  overlay() {
    const context = this.over.getContext("2d"),
      style = getComputedStyle(this.host);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    const accent = style.getPropertyValue("--accent").trim() || "#5b8cff";
    const outline = (points, closed) => {
      context.beginPath();
      points.forEach(([x, y], at) => (at ? context.lineTo(x, y) : context.moveTo(x, y)));
      if (closed) context.closePath();
      context.globalAlpha = 0.09;
      context.fillStyle = accent;
      context.fill();
      context.globalAlpha = 0.95;
      context.strokeStyle = accent;
      context.lineWidth = 1.5;
      context.setLineDash(closed ? [] : [5, 4]);
      context.stroke();
      context.setLineDash([]);
    };
    if (this.stroke) outline(this.stroke, false);
    else if (this.polygon)
      outline(
        this.polygon.map(([x, y]) => this.toScreen(x, y)),
        true,
      );
    const ring = (index, radius, width) => {
      const [x, y] = this.screenOf(index);
      context.globalAlpha = 1;
      context.lineWidth = width + 2;
      context.strokeStyle = dark() ? "#0d0f12" : "#ffffff";
      context.beginPath();
      context.arc(x, y, radius, 0, 7);
      context.stroke();
      context.lineWidth = width;
      context.strokeStyle = dark() ? "#ffffff" : "#14161a";
      context.stroke();
    };
    if (this.marked !== null && this.points) {
      const at = this.points.row.indexOf(this.marked);
      if (at >= 0) ring(at, this.pointSize() / 2 + 5, 2);
    }
    if (this.hovered >= 0) ring(this.hovered, this.pointSize() / 2 + 3, 1.5);
  }

  screenOf(index) {
    const { x, y, z } = this.points;
    const [px, py] =
      this.deep && z ? project(this.turn(), x[index], y[index], z[index]) : [x[index], y[index]];
    return this.toScreen(px, py);
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
    const [dx, dy] = this.toData(px, py),
      wide = reach / this.camera.scale;
    gridNear(this.grid, dx, dy, wide, (i) => weigh(i, ...this.toScreen(x[i], y[i])));
    return best;
  }

  listen() {
    const over = this.over,
      at = (event) => {
        const box = over.getBoundingClientRect();
        return [event.clientX - box.left, event.clientY - box.top];
      };
    let drag = null;
    const fingers = new Map();
    over.addEventListener("pointerdown", (event) => {
      over.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, at(event));
      if (fingers.size === 2) {
        drag = { kind: "pinch" };
        this.stroke = null;
        return;
      }
      const moving = this.tool === "pan" || event.button === 1 || event.button === 2 || this.space;
      const kind = moving
        ? this.deep && event.button !== 1 && !this.space
          ? "turn"
          : "pan"
        : event.shiftKey
          ? "box"
          : this.tool;
      drag = { kind, start: at(event), last: at(event), far: 0, shift: event.shiftKey };
      if (!moving) this.stroke = [at(event)];
    });
    over.addEventListener("pointermove", (event) => {
      const here = at(event);
      if (fingers.has(event.pointerId)) {
        if (drag?.kind === "pinch") return this.pinch(fingers, event.pointerId, here);
        fingers.set(event.pointerId, here);
      }
      if (!drag) return this.hover(here);
      const dx = here[0] - drag.last[0],
        dy = here[1] - drag.last[1];
      drag.far += Math.abs(dx) + Math.abs(dy);
      if (drag.kind === "pan") {
        this.camera.x -= dx / this.camera.scale;
        this.camera.y += dy / this.camera.scale;
        this.moved();
      } else if (drag.kind === "turn") {
        this.angle = [this.angle[0] + dx / 160, Math.max(-1.57, Math.min(1.57, this.angle[1] + dy / 160))];
        this.polygon = null;
      } else if (drag.kind === "box")
        this.stroke = [drag.start, [here[0], drag.start[1]], here, [drag.start[0], here[1]]];
      else if (Math.hypot(here[0] - this.stroke.at(-1)[0], here[1] - this.stroke.at(-1)[1]) > 2.5)
        this.stroke.push(here);
      drag.last = here;
      if (this.stroke) this.trace();
      else this.draw();
    });
    const up = (event) => {
      fingers.delete(event.pointerId);
      if (!drag) return;
      const done = drag,
        stroke = this.stroke;
      drag = null;
      this.stroke = null;
      if (event.type === "pointercancel") return this.trace();
      if (done.kind === "pinch") return;
      if (done.far < 4) {
        const found = this.pick(...at(event), 14);
        if (found >= 0) this.on.open?.(this.points.row[found]);
        else if (done.kind !== "pan" && done.kind !== "turn") this.on.select?.(null);
      } else if (stroke && stroke.length >= 3) this.finish(stroke);
      this.trace();
    };
    over.addEventListener("pointerup", up);
    over.addEventListener("pointercancel", up);
    over.addEventListener("pointerleave", () => {
      if (!drag) {
        this.hovered = -1;
        this.on.hover?.(null);
        this.trace();
      }
    });
    over.addEventListener("contextmenu", (event) => event.preventDefault());
    over.addEventListener("dblclick", (event) => this.zoom(2, ...at(event)));
    over.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.04 : 0.0016)), ...at(event));
      },
      { passive: false },
    );
    over.addEventListener("keydown", (event) => this.key(event));
    over.addEventListener("keyup", (event) => {
      if (event.key === " ") this.space = false;
    });
    over.addEventListener("blur", () => {
      this.space = false;
    });
  }

  pinch(fingers, id, here) {
    const other = [...fingers].find(([key]) => key !== id)[1],
      before = fingers.get(id);
    const factor =
      Math.hypot(here[0] - other[0], here[1] - other[1]) /
      Math.max(Math.hypot(before[0] - other[0], before[1] - other[1]), 1);
    this.camera.x -= (here[0] - before[0]) / 2 / this.camera.scale;
    this.camera.y += (here[1] - before[1]) / 2 / this.camera.scale;
    fingers.set(id, here);
    this.zoom(factor, (here[0] + other[0]) / 2, (here[1] + other[1]) / 2);
  }

  key(event) {
    const step = 60 / this.camera.scale,
      move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[
        event.key
      ];
    if (move) {
      this.camera.x += move[0];
      this.camera.y += move[1];
      this.moved();
      this.draw();
    } else if (event.key === "+" || event.key === "=") this.zoom(1.4, this.width / 2, this.height / 2);
    else if (event.key === "-") this.zoom(1 / 1.4, this.width / 2, this.height / 2);
    else if (event.key === "0") this.fit();
    else if (event.key === " ") this.space = true;
    else if (event.key === "Escape") this.on.select?.(null);
    else return;
    event.preventDefault();
  }

  zoom(factor, px, py) {
    const [x, y] = this.toData(px, py),
      c = this.camera;
    c.scale = Math.max(
      (this.home ?? c.scale) * 0.3,
      Math.min(c.scale * factor, (this.home ?? c.scale) * 5000),
    );
    const [nx, ny] = this.toData(px, py);
    c.x += x - nx;
    c.y += y - ny;
    this.moved();
    this.draw();
  }

  hover([px, py]) {
    const found = this.pick(px, py);
    if (found === this.hovered) return;
    this.hovered = found;
    this.on.hover?.(
      found < 0 ? null : this.points.row[found],
      ...(found < 0 ? [0, 0] : this.screenOf(found)),
    );
    this.trace();
  }

  finish(stroke) {
    const points = simplify(stroke, 0.7).map(([x, y]) => this.toData(x, y).map((v) => +v.toPrecision(7)));
    if (points.length < 3) return;
    const turn = this.turn();
    this.polygon = points;
    this.on.select?.({
      points,
      ...(this.deep && this.points?.z
        ? { matrix: [turn.slice(0, 3), turn.slice(3, 6)].map((line) => line.map((v) => +v.toPrecision(7))) }
        : {}),
    });
  }
}

const project = (t, x, y, z) => [t[0] * x + t[1] * y + t[2] * z, t[3] * x + t[4] * y + t[5] * z];

const SIDE = 200;

// points by cell of a uniform grid, for finding the nearest
function gridOf({ count, x, y }) {
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

const clampCell = (value) => Math.max(0, Math.min(SIDE - 1, Math.floor(value)));

function gridNear(grid, x, y, wide, visit) {
  const c0 = clampCell((x - wide - grid.x0) * grid.sx),
    c1 = clampCell((x + wide - grid.x0) * grid.sx);
  const r0 = clampCell((y - wide - grid.y0) * grid.sy),
    r1 = clampCell((y + wide - grid.y0) * grid.sy);
  for (let c = c0; c <= c1; c++)
    for (let at = grid.start[c * SIDE + r0]; at < grid.start[c * SIDE + r1 + 1]; at++) visit(grid.items[at]);
}

// Douglas and Peucker: the stroke within `within` pixels, with fewer corners
export function simplify(points, within) {
  if (points.length < 4) return points;
  const keep = new Uint8Array(points.length),
    stack = [[0, points.length - 1]];
  keep[0] = keep[points.length - 1] = 1;
  while (stack.length) {
    const [a, b] = stack.pop(),
      [ax, ay] = points[a],
      [bx, by] = points[b],
      long = Math.hypot(bx - ax, by - ay) || 1e-9;
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
