// What lies over and under the points: density lines below; lasso, pictures, names and rings above.
import { dark } from "./colors.js";
import { contour, densityOf, levelsOf } from "./density.js";
import { place } from "./placing.js";

const FONT = '12px "Inter", "SF Pro Text", "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif';
const SIDE = 46; // pixels of a picture on the plot
const MOST_PICTURES = 220; // samples on the screen, above which no pictures are drawn
const ROOM = 8; // pixels between two names
const DENSE = 3000; // points from which lines of density are drawn

const kept = new Map(); // address → Image

function pictureOf(address, ready) {
  let image = kept.get(address);
  if (!image) {
    if (kept.size > 1500) kept.clear();
    image = new Image();
    image.onload = ready;
    image.src = address;
    kept.set(address, image);
  }
  return image.complete && image.naturalWidth ? image : null;
}

function pen(canvas, plot) {
  const context = canvas.getContext("2d");
  context.setTransform(plot.ratio, 0, 0, plot.ratio, 0, 0);
  context.clearRect(0, 0, plot.width, plot.height);
  context.globalAlpha = 1;
  return context;
}

export function paintUnder(plot) {
  const context = pen(plot.under, plot);
  if (!plot.showDensity || plot.deep || !plot.points || plot.points.count < DENSE) return;
  if (!plot.lines) {
    const [x0, y0, x1, y1] = plot.extent(),
      mx = 0.04 * (x1 - x0),
      my = 0.04 * (y1 - y0);
    const density = densityOf(plot.points, [x0 - mx, y0 - my, x1 + mx, y1 + my]);
    plot.lines = levelsOf(density.grid).map((level) => contour(density, level));
  }
  context.strokeStyle = dark() ? "#8fa4c8" : "#5a6c8c";
  context.lineWidth = 1;
  plot.lines.forEach((pieces, order) => {
    context.globalAlpha = 0.1 + 0.07 * order;
    context.beginPath();
    for (const [ax, ay, bx, by] of pieces) {
      context.moveTo(...plot.toScreen(ax, ay));
      context.lineTo(...plot.toScreen(bx, by));
    }
    context.stroke();
  });
}

export function paintOver(plot) {
  const context = pen(plot.over, plot),
    style = getComputedStyle(plot.host);
  const accent = style.getPropertyValue("--accent").trim() || "#5b8cff";
  const hot = style.getPropertyValue("--hot").trim() || "#ff8a5c";
  if (!plot.moving) pictures(plot, context);
  names(plot, context);
  for (const stroke of plot.strokes) {
    outline(
      context,
      stroke.points.map(([x, y]) => plot.toScreen(x, y)),
      stroke.how === "subtract" ? hot : accent,
      true,
    );
  }
  if (plot.stroke) outline(context, plot.stroke, plot.strokeHow === "subtract" ? hot : accent, false);
  if (plot.marked !== null && plot.points) {
    const at = plot.points.row.indexOf(plot.marked);
    if (at >= 0) ring(context, plot.screenOf(at), plot.pointSize() / 2 + 5, 2);
  }
  if (plot.hovered >= 0) ring(context, plot.screenOf(plot.hovered), plot.pointSize() / 2 + 3, 1.5);
}

function outline(context, points, color, closed) {
  context.beginPath();
  points.forEach(([x, y], at) => (at ? context.lineTo(x, y) : context.moveTo(x, y)));
  if (closed) context.closePath();
  context.globalAlpha = 0.09;
  context.fillStyle = color;
  context.fill();
  context.globalAlpha = 0.95;
  context.strokeStyle = color;
  context.lineWidth = 1.5;
  context.setLineDash(closed ? [] : [5, 4]);
  context.stroke();
  context.setLineDash([]);
}

function ring(context, [x, y], radius, width) {
  context.globalAlpha = 1;
  context.lineWidth = width + 2;
  context.strokeStyle = dark() ? "#0d0f12" : "#ffffff";
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.stroke();
  context.lineWidth = width;
  context.strokeStyle = dark() ? "#ffffff" : "#14161a";
  context.stroke();
}

// The names that find room, as `{ x, y, text }`: where each text's top left corner is.
function roomFor(plot, context) {
  if (!plot.showNames || plot.deep || !plot.names.length || !plot.points) return null;
  context.font = FONT;
  const wanted = plot.names.map((name) => {
    const [x, y] = plot.toScreen(name.x, name.y),
      text = name.short;
    return { x, y, w: context.measureText(text).width + 8 + ROOM, h: 17 + ROOM };
  });
  return place(wanted, plot.width, plot.height).map(({ index, x, y }) => ({
    x: x + ROOM / 2 + 4,
    y: y + ROOM / 2 + 2,
    text: plot.names[index].short,
  }));
}

// The same with the baselines of the texts, as SVG wants them.
export const placedNames = (plot) =>
  (roomFor(plot, plot.over.getContext("2d")) ?? []).map((name) => ({ ...name, y: name.y + 11 }));

function names(plot, context) {
  const placed = roomFor(plot, context);
  if (!placed) return;
  context.textBaseline = "top";
  context.globalAlpha = plot.stroke ? 0.4 : 1;
  context.lineJoin = "round";
  for (const { x, y, text } of placed) {
    context.lineWidth = 4;
    context.strokeStyle = dark() ? "#0d0f12e0" : "#fbfbfae6";
    context.strokeText(text, x, y);
    context.fillStyle = dark() ? "#f2f4f7" : "#14161a";
    context.fillText(text, x, y);
  }
  plot.host.dataset.names = String(placed.length);
}

// Pictures in place of points, once few enough are on the screen; each where no other is.
function pictures(plot, context) {
  if (!plot.pictures || plot.deep || !plot.points) return;
  const seen = plot.onScreen(MOST_PICTURES + 1);
  plot.host.dataset.pictures = "0";
  if (seen === null || seen.length > MOST_PICTURES) return;
  const spots = seen.map((i) => {
    const [x, y] = plot.screenOf(i);
    return { x, y, w: SIDE + 2, h: SIDE + 2 };
  });
  let drawn = 0;
  for (const { index, x, y } of place(spots, plot.width, plot.height)) {
    const image = pictureOf(plot.pictures(plot.points.row[seen[index]]), () => plot.trace());
    if (!image) continue;
    const fit = SIDE / Math.max(image.naturalWidth, image.naturalHeight);
    const w = image.naturalWidth * fit,
      h = image.naturalHeight * fit;
    context.globalAlpha = 1;
    context.fillStyle = plot.colorOf(seen[index]);
    context.fillRect(x + (SIDE - w) / 2 - 1, y + (SIDE - h) / 2 - 1, w + 4, h + 4);
    context.drawImage(image, x + (SIDE - w) / 2 + 1, y + (SIDE - h) / 2 + 1, w, h);
    drawn++;
  }
  plot.host.dataset.pictures = String(drawn);
}
