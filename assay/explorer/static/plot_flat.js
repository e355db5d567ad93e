// The points on a plain 2-D canvas, where there is no WebGL. The same `look` as the other painter's.
import { project } from "./geometry.js";

export class FlatPainter {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
  }

  prepare() {}

  upload(points, palette) {
    this.points = points;
    this.colors = [];
    for (let s = 0; s < palette.length / 4; s++) {
      this.colors.push(`rgb(${palette[4 * s]} ${palette[4 * s + 1]} ${palette[4 * s + 2]})`);
    }
  }

  paint(look) {
    const pen = this.pen,
      { x, y, z, slot, chosen, flagged, ranges } = this.points,
      { camera: c, ratio: r } = look;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const css = ([red, green, blue]) => `rgb(${255 * red} ${255 * green} ${255 * blue})`;
    for (const pass of look.rings ? [0, 1, 2, 3] : [0, 1, 2]) {
      pen.globalAlpha = pass ? 0.85 : 0.35;
      const side = Math.max(1, (pass ? look.size : look.ground * 0.72) * r * 0.9);
      if (!pass) pen.fillStyle = css(look.context);
      pen.strokeStyle = css(look.ring);
      pen.lineWidth = 1.5 * r;
      const [start, n] = pass === 3 ? [ranges[1][0], chosen.length - ranges[1][0]] : ranges[pass];
      for (let i = start; i < start + Math.ceil(n * look.share); i++) {
        if (pass === 3 && !flagged[i]) continue;
        const [px, py] = look.deep && z ? project(look.turn, x[i], y[i], z[i]) : [x[i], y[i]];
        const sx = (px - c.x) * c.scale + look.width / 2,
          sy = look.height / 2 - (py - c.y) * c.scale;
        if (sx < -9 || sy < -9 || sx > look.width + 9 || sy > look.height + 9) continue;
        if (pass === 3) {
          pen.beginPath();
          pen.arc(sx * r, sy * r, side / 2 + 2 * r, 0, 7);
          pen.stroke();
        } else {
          if (pass) pen.fillStyle = this.colors[slot[i]];
          pen.fillRect(sx * r - side / 2, sy * r - side / 2, side, side);
        }
      }
    }
  }
}
