"use strict";
// The map (a canvas: pan, zoom, colour, pictures, tooltips) and sortable tables. Data are text: nothing is set as HTML.

const PALETTE = [
  "#3b7dd8",
  "#e8833a",
  "#2f9e63",
  "#d64550",
  "#8a63d2",
  "#a0694b",
  "#e377c2",
  "#7f8c3a",
  "#17a2b8",
  "#f2b134",
  "#5b6ee1",
  "#f06a6a",
  "#3fbf9f",
  "#b04fc4",
  "#8d99ae",
  "#c77d0a",
  "#0f766e",
  "#be3f8a",
  "#6aa84f",
  "#9a7b4f",
];

function bytes(text) {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}
function words(text) {
  const b = bytes(text);
  return new Uint16Array(b.buffer, 0, b.length / 2);
}
function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes))
    key in node && key !== "list" ? (node[key] = value) : node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function classColor(index, count) {
  if (count <= PALETTE.length) return PALETTE[index % PALETTE.length];
  return `hsl(${(index * 137.508) % 360} ${[68, 52, 80][index % 3]}% ${[52, 44, 62][(index >> 1) % 3]}%)`;
}
function heatColor(value, dark) {
  // from quiet grey-blue to red
  const t = value / 255,
    low = dark ? [74, 84, 99] : [196, 203, 212],
    mid = [240, 164, 60],
    high = [205, 38, 38];
  const [a, b, u] = t < 0.5 ? [low, mid, t * 2] : [mid, high, t * 2 - 1];
  return `rgb(${a.map((x, i) => Math.round(x + (b[i] - x) * u)).join(" ")})`;
}

class Plot {
  constructor(data) {
    this.data = data;
    this.canvas = document.getElementById("plot");
    this.tip = document.getElementById("tip");
    this.context = this.canvas.getContext("2d");
    this.layouts = data.methods.map((method) => words(method.xy));
    this.fields = {
      class: words(data.classes),
      split: bytes(data.split),
      suspicion: bytes(data.suspicion),
      outlier: bytes(data.outlier),
    };
    this.flags = bytes(data.flags);
    this.state = { layout: 0, mode: data.labels.length ? "class" : "outlier", only: null, pictures: false };
    this.view = { k: 1, x: 0.5, y: 0.5 };
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.cells = new Map();
    this.extents = [];
    this.flagged = Array.from({ length: data.n }, (_, i) => i).filter((i) => this.flags[i] & 1);
    if (data.pictures) {
      words(data.pictures.points).forEach((point, cell) => this.cells.set(point, cell));
      this.sheet = new Image();
      this.sheet.onload = () => this.draw();
      this.sheet.src = data.pictures.image;
    }
    this.controls();
    this.listen();
    this.legend();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  controls() {
    const bar = document.getElementById("map-bar");
    const modes = [];
    if (this.data.labels.length) modes.push(["class", "Class"]);
    if (this.fields.suspicion.some((v) => v)) modes.push(["suspicion", "Label suspicion"]);
    if (this.fields.outlier.some((v) => v)) modes.push(["outlier", "Outlier score"]);
    if (this.data.splits.length > 1) modes.push(["split", "Split"]);
    if (!modes.some(([key]) => key === this.state.mode))
      this.state.mode = modes.length ? modes[0][0] : "class";
    this.buttons(
      bar,
      "Colour",
      modes,
      (key) => key === this.state.mode,
      (key) => {
        this.state.mode = key;
        this.state.only = null;
        this.legend();
      },
    );
    if (this.layouts.length > 1)
      this.buttons(
        bar,
        "Layout",
        this.data.methods.map((m, i) => [i, m.name]),
        (i) => i === this.state.layout,
        (i) => {
          this.state.layout = i;
          this.view = { k: 1, x: 0.5, y: 0.5 };
        },
      );
    if (this.sheet)
      this.buttons(
        bar,
        "Draw",
        [
          [false, "Points"],
          [true, "Pictures"],
        ],
        (on) => on === this.state.pictures,
        (on) => {
          this.state.pictures = on;
        },
      );
    bar.hidden = false;
    const zoom = document.getElementById("zoom");
    zoom.hidden = false;
    zoom.addEventListener("click", (event) => {
      const by = Number(event.target.dataset.zoom);
      if (by) this.zoom(by);
      else {
        this.view = { k: 1, x: 0.5, y: 0.5 };
        this.draw();
      }
    });
  }

  buttons(bar, name, choices, isOn, choose) {
    if (choices.length < 2) return;
    const set = element("span", { className: "set", role: "group", "aria-label": name });
    const refresh = () =>
      [...set.children].forEach((b, i) => b.setAttribute("aria-pressed", isOn(choices[i][0])));
    for (const [key, label] of choices) {
      set.append(
        element("button", {
          type: "button",
          textContent: label,
          onclick: () => {
            choose(key);
            refresh();
            this.draw();
          },
        }),
      );
    }
    refresh();
    bar.append(set);
  }

  legend() {
    const place = document.getElementById("legend"),
      mode = this.state.mode;
    place.replaceChildren();
    if (mode === "suspicion" || mode === "outlier") {
      const ramp = element("canvas", { className: "ramp", width: 180, height: 12 }),
        g = ramp.getContext("2d");
      for (let i = 0; i < 180; i++) {
        g.fillStyle = heatColor((i / 179) * 255, this.dark.matches);
        g.fillRect(i, 0, 1, 12);
      }
      place.append(element("span", { className: "scale" }, "0 clean", ramp, "1 surely an issue"));
      if (mode === "suspicion")
        place.append(
          element("span", { className: "quiet", textContent: "Ringed: flagged as a label issue." }),
        );
      return;
    }
    const names = mode === "class" ? this.data.labels : this.data.splits,
      field = this.fields[mode];
    const counts = new Array(names.length + 1).fill(0);
    field.forEach((v) => counts[Math.min(v, names.length)]++);
    const shown = names.slice(0, 60).map((_, i) => i);
    if (names.length <= 30)
      shown.sort((a, b) => names[a].localeCompare(names[b], undefined, { numeric: true }));
    for (const i of shown) {
      const name = names[i];
      const dot = element("i");
      dot.style.background = classColor(i, names.length);
      const button = element(
        "button",
        { type: "button", "aria-pressed": "false", title: "Show only this" },
        dot,
        element("bdi", { className: "name", textContent: name }),
        element("span", { className: "n", textContent: counts[i].toLocaleString("en") }),
      );
      button.onclick = () => {
        this.state.only = this.state.only === i ? null : i;
        [...place.children].forEach((b, j) => b.setAttribute("aria-pressed", this.state.only === shown[j]));
        this.draw();
      };
      place.append(button);
    }
    if (names.length > 60)
      place.append(element("span", { className: "quiet", textContent: `and ${names.length - 60} more` }));
  }

  color(i) {
    const mode = this.state.mode,
      value = this.fields[mode][i];
    if (mode === "suspicion" || mode === "outlier") return heatColor(value & 0xf8, this.dark.matches);
    const names = mode === "class" ? this.data.labels : this.data.splits;
    return value < names.length ? classColor(value, names.length) : "#9a9a9a";
  }

  frame() {
    // pixels per unit in x and y: a layout has no true aspect, so it may stretch a little to fill its place
    const box = this.canvas.getBoundingClientRect(),
      { w, h } = this.extent(),
      pad = 44;
    const fitX = (box.width - pad) / w,
      fitY = (box.height - pad) / h,
      least = Math.min(fitX, fitY);
    return {
      w: box.width,
      h: box.height,
      sx: Math.min(fitX, least * 1.7) * this.view.k,
      sy: Math.min(fitY, least * 1.7) * this.view.k,
      ratio: Math.min(window.devicePixelRatio || 1, 2),
    };
  }

  extent() {
    // of the current layout, in units of the box
    const layout = this.state.layout;
    if (!this.extents[layout]) {
      const xy = this.layouts[layout],
        low = [65535, 65535],
        high = [0, 0];
      xy.forEach((v, i) => {
        low[i % 2] = Math.min(low[i % 2], v);
        high[i % 2] = Math.max(high[i % 2], v);
      });
      this.extents[layout] = {
        w: Math.max(high[0] - low[0], 600) / 65535,
        h: Math.max(high[1] - low[1], 600) / 65535,
      };
    }
    return this.extents[layout];
  }

  at(i, frame) {
    const xy = this.layouts[this.state.layout];
    return [
      (xy[2 * i] / 65535 - this.view.x) * frame.sx + frame.w / 2,
      (this.view.y - xy[2 * i + 1] / 65535) * frame.sy + frame.h / 2,
    ];
  }

  order() {
    // suspicious ones last, so that they lie on top
    const { mode, only } = this.state,
      key = `${mode}/${only}`;
    if (this.ordered && this.orderedFor === key) return this.ordered;
    const all = Array.from({ length: this.data.n }, (_, i) => i),
      field = this.fields[mode];
    if (mode === "suspicion" || mode === "outlier") all.sort((a, b) => field[a] - field[b] || a - b);
    else if (only !== null) all.sort((a, b) => (field[a] === only) - (field[b] === only) || a - b);
    this.orderedFor = key;
    return (this.ordered = all);
  }

  draw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = null;
      this.paint();
    });
  }

  paint() {
    const frame = this.frame(),
      g = this.context,
      { mode, only } = this.state;
    this.canvas.width = Math.round(frame.w * frame.ratio);
    this.canvas.height = Math.round(frame.h * frame.ratio);
    g.setTransform(frame.ratio, 0, 0, frame.ratio, 0, 0);
    const radius =
      Math.max(1.4, Math.min(6, 90 / Math.sqrt(this.data.n) + 0.6)) * Math.min(1.8, Math.sqrt(this.view.k));
    const graded = mode === "suspicion" || mode === "outlier",
      field = this.fields[mode];
    for (const i of this.order()) {
      const [x, y] = this.at(i, frame);
      if (x < -9 || y < -9 || x > frame.w + 9 || y > frame.h + 9) continue;
      const faded = only !== null && field[i] !== only;
      g.globalAlpha = faded ? 0.12 : graded ? 0.55 + 0.45 * (field[i] / 255) : 0.82;
      g.fillStyle = faded ? "#8a8a8a" : this.color(i);
      g.beginPath();
      g.arc(x, y, graded ? radius * (0.85 + 0.7 * (field[i] / 255)) : radius, 0, 6.2832);
      g.fill();
    }
    g.globalAlpha = 1;
    this.paintRings(frame, radius);
    if (mode === "class" && !this.state.pictures) this.paintNames(frame);
    if (this.state.pictures && this.sheet.complete) this.paintPictures(frame);
  }

  paintRings(frame, radius) {
    // around the samples whose label is flagged
    const g = this.context,
      { mode, only } = this.state;
    if (mode === "outlier") return;
    g.strokeStyle = this.dark.matches ? "#fff" : "#111";
    g.lineWidth = 1.3;
    for (const i of this.flagged) {
      if (only !== null && this.fields[mode][i] !== only) continue;
      const [x, y] = this.at(i, frame);
      g.beginPath();
      g.arc(x, y, radius + 2, 0, 6.2832);
      g.stroke();
    }
  }

  paintNames(frame) {
    // each class's name where its middle is, where there are few enough and they do not collide
    const g = this.context,
      names = this.data.labels,
      taken = [];
    if (names.length > 120) return;
    g.font = `600 ${names.length > 20 ? 11.5 : 14}px system-ui, sans-serif`;
    g.textAlign = "center";
    g.textBaseline = "middle";
    g.lineJoin = "round";
    for (const [code, x0, y0] of this.middles()) {
      if (this.state.only !== null && this.state.only !== code) continue;
      const x = (x0 - this.view.x) * frame.sx + frame.w / 2,
        y = (this.view.y - y0) * frame.sy + frame.h / 2;
      const name = names[code].length > 18 ? names[code].slice(0, 17) + "…" : names[code],
        half = g.measureText(name).width / 2 + 3;
      if (taken.some(([tx, ty, th]) => Math.abs(tx - x) < th + half && Math.abs(ty - y) < 18)) continue;
      taken.push([x, y, half]);
      g.lineWidth = 4;
      g.strokeStyle = this.dark.matches ? "rgb(20 21 24 / .85)" : "rgb(255 255 255 / .9)";
      g.strokeText(name, x, y);
      g.fillStyle = this.dark.matches ? "#fff" : "#111";
      g.fillText(name, x, y);
    }
  }

  middles() {
    // [class, x, y]: the medoid-like point nearest to the median of each class
    const layout = this.state.layout;
    this.middle ??= [];
    if (this.middle[layout]) return this.middle[layout];
    const xy = this.layouts[layout],
      members = this.data.labels.map(() => []);
    this.fields.class.forEach((code, i) => {
      if (code < members.length) members[code].push(i);
    });
    const median = (list, axis) => list.map((i) => xy[2 * i + axis]).sort((a, b) => a - b)[list.length >> 1];
    return (this.middle[layout] = members.map((list, code) => {
      const mx = median(list, 0),
        my = median(list, 1);
      const near = list.reduce(
        (best, i) => {
          const d = (xy[2 * i] - mx) ** 2 + (xy[2 * i + 1] - my) ** 2;
          return d < best[0] ? [d, i] : best;
        },
        [Infinity, list[0]],
      )[1];
      return [code, xy[2 * near] / 65535, xy[2 * near + 1] / 65535];
    }));
  }

  paintPictures(frame) {
    // one picture a cell of a grid: as many as fit without covering each other
    const g = this.context,
      { cell, columns } = this.data.pictures,
      side = Math.min(44, 26 + 6 * this.view.k),
      taken = new Set();
    const field = this.fields[this.state.mode],
      only = this.state.only;
    for (const i of [...this.order()].reverse()) {
      if (!this.cells.has(i) || (only !== null && field[i] !== only)) continue;
      const [x, y] = this.at(i, frame),
        column = Math.floor(x / side),
        row = Math.floor(y / side),
        key = `${column},${row}`;
      if (taken.has(key) || x < 0 || y < 0 || x > frame.w || y > frame.h) continue;
      taken.add(key);
      const index = this.cells.get(i),
        left = column * side + 1.5,
        top = row * side + 1.5,
        inner = side - 3;
      g.fillStyle = this.color(i);
      g.fillRect(left - 1.5, top - 1.5, inner + 3, inner + 3);
      g.drawImage(
        this.sheet,
        (index % columns) * cell,
        Math.floor(index / columns) * cell,
        cell,
        cell,
        left,
        top,
        inner,
        inner,
      );
    }
  }

  nearest(x, y) {
    const frame = this.frame();
    let best = null,
      least = 14 * 14;
    for (let i = 0; i < this.data.n; i++) {
      const [px, py] = this.at(i, frame),
        d = (px - x) ** 2 + (py - y) ** 2;
      if (d < least) {
        least = d;
        best = i;
      }
    }
    return best;
  }

  show(i, x, y) {
    this.tip.hidden = i === null;
    if (i === null) return;
    const d = this.data,
      label = d.labels[this.fields.class[i]],
      lines = [];
    if (this.cells.has(i)) {
      const { cell, columns } = d.pictures,
        index = this.cells.get(i),
        picture = element("canvas", { width: 88, height: 88 });
      picture
        .getContext("2d")
        .drawImage(
          this.sheet,
          (index % columns) * cell,
          Math.floor(index / columns) * cell,
          cell,
          cell,
          0,
          0,
          88,
          88,
        );
      lines.push(picture);
    }
    const flagged = this.flags[i] & 1;
    if (flagged && d.suggested[i] !== null)
      lines.push(
        element(
          "p",
          { className: "swap" },
          element("s", {}, element("bdi", { textContent: label ?? "" })),
          " → ",
          element("b", {}, element("bdi", { textContent: d.suggested[i] })),
        ),
      );
    else if (label !== undefined) lines.push(element("b", {}, element("bdi", { textContent: label })));
    if (d.captions[i])
      lines.push(element("div", { className: "quiet" }, element("bdi", { textContent: d.captions[i] })));
    const notes = [];
    if (this.fields.suspicion[i]) notes.push(`suspicion ${(this.fields.suspicion[i] / 255).toFixed(2)}`);
    if (this.fields.outlier[i]) notes.push(`outlier ${(this.fields.outlier[i] / 255).toFixed(2)}`);
    ["", "", "outlier", "", "duplicate", "", "", "", "leak"].forEach((name, bit) => {
      if (name && this.flags[i] & bit && name !== "outlier") notes.push(name);
    });
    if (notes.length) lines.push(element("div", { className: "quiet", textContent: notes.join(" · ") }));
    this.tip.replaceChildren(...lines);
    const frame = this.frame(),
      w = this.tip.offsetWidth,
      h = this.tip.offsetHeight;
    this.tip.style.left = `${Math.max(4, x + 16 + w > frame.w ? x - w - 12 : x + 16)}px`;
    this.tip.style.top = `${Math.max(4, Math.min(y + 12, frame.h - h - 6))}px`;
  }

  zoom(by, x, y) {
    const before = this.frame(),
      cx = (x ?? before.w / 2) - before.w / 2,
      cy = (y ?? before.h / 2) - before.h / 2;
    const k = Math.min(60, Math.max(0.7, this.view.k * by)),
      grow = k / this.view.k;
    this.view.x += (cx / before.sx) * (1 - 1 / grow);
    this.view.y -= (cy / before.sy) * (1 - 1 / grow);
    this.view.k = k;
    this.draw();
  }

  move(dx, dy) {
    const frame = this.frame();
    this.view.x -= dx / frame.sx;
    this.view.y += dy / frame.sy;
    this.draw();
  }

  listen() {
    const canvas = this.canvas;
    let last = null;
    canvas.addEventListener("pointerdown", (e) => {
      last = e;
      canvas.focus({ preventScroll: true });
      if (e.pointerType === "mouse") {
        canvas.setPointerCapture(e.pointerId);
        canvas.classList.add("drag");
      }
    });
    canvas.addEventListener("pointermove", (e) => {
      if (last && e.pointerType === "mouse" && e.buttons) {
        this.move(e.clientX - last.clientX, e.clientY - last.clientY);
        last = e;
        this.show(null);
        return;
      }
      this.show(this.nearest(e.offsetX, e.offsetY), e.offsetX, e.offsetY);
    });
    canvas.addEventListener("pointerup", (e) => {
      last = null;
      canvas.classList.remove("drag");
      if (e.pointerType !== "mouse") this.show(this.nearest(e.offsetX, e.offsetY), e.offsetX, e.offsetY);
    });
    canvas.addEventListener("pointerleave", () => this.show(null));
    canvas.addEventListener("dblclick", (e) => this.zoom(1.8, e.offsetX, e.offsetY));
    canvas.addEventListener(
      "wheel",
      (e) => {
        if (!e.ctrlKey && !e.metaKey && document.activeElement !== canvas) return;
        e.preventDefault();
        this.zoom(Math.exp(-e.deltaY / 300), e.offsetX, e.offsetY);
      },
      { passive: false },
    );
    canvas.addEventListener("keydown", (e) => {
      const step = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[e.key];
      if (step) this.move(...step);
      else if (e.key === "+" || e.key === "=") this.zoom(1.4);
      else if (e.key === "-") this.zoom(1 / 1.4);
      else if (e.key === "Escape") canvas.blur();
      else return;
      e.preventDefault();
    });
    this.dark.addEventListener("change", () => {
      this.legend();
      this.draw();
    });
  }
}

function sortable(table) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    if (!head.textContent.trim()) return;
    const button = element("button", { type: "button", textContent: head.textContent });
    head.replaceChildren(button);
    button.onclick = () => {
      const down = head.getAttribute("aria-sort")
        ? head.getAttribute("aria-sort") === "ascending"
        : head.classList.contains("r");
      table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => {
        const cell = row.cells[column];
        return cell.dataset.v !== undefined ? Number(cell.dataset.v) : cell.textContent.trim();
      };
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => {
        const x = value(a),
          y = value(b);
        return (
          (typeof x === "number" ? x - y : x.localeCompare(y, undefined, { numeric: true })) * (down ? -1 : 1)
        );
      });
      table.tBodies[0].append(...rows);
    };
  });
}

const source = document.getElementById("map-data");
if (source) new Plot(JSON.parse(source.textContent));
document.querySelectorAll("table.sortable").forEach(sortable);
// A link to a section that is folded opens it; so does an address that names one.
function unfold() {
  const section = location.hash && document.getElementById(location.hash.slice(1));
  const fold = section && section.querySelector("details.fold");
  if (fold) fold.open = true;
}
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  const fold = link && document.querySelector(`${link.getAttribute("href")} details.fold`);
  if (fold) fold.open = true;
});
addEventListener("hashchange", unfold);
unfold();
addEventListener("beforeprint", () =>
  document.querySelectorAll("details").forEach((d) => {
    d.open = true;
  }),
);
