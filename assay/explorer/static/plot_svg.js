// The plot as it is seen, as SVG: circles that a drawing program can take apart, names as text.
import { placedNames } from "./plot_overlay.js";

const MOST = 20_000; // circles; where more are on the screen, an even sample of them is drawn

const escaped = (text) =>
  String(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replace(/[^\x09\x0a\x0d\x20-\ud7ff\ue000-\ufffd]/g, "\ufffd"); // what XML does not allow

// look: { width, height, ground, ink }; circles: [{ x, y, r, color, opacity, ring }]; names: [{ x, y, text }]
export function svgOf(look, circles, names) {
  const round = (value) => +value.toFixed(2);
  const dots = circles.map(
    ({ x, y, r, color, opacity, ring }) =>
      `<circle cx="${round(x)}" cy="${round(y)}" r="${round(r)}" fill="${color}" fill-opacity="${opacity}"` +
      (ring ? ` stroke="${ring}" stroke-width="1.5"/>` : "/>"),
  );
  const texts = names.map(({ x, y, text }) => `<text x="${round(x)}" y="${round(y)}">${escaped(text)}</text>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${look.width}" height="${look.height}"`,
    ` viewBox="0 0 ${look.width} ${look.height}">`,
    `<rect width="100%" height="100%" fill="${look.ground}"/>`,
    `<g>${dots.join("")}</g>`,
    `<g font-family="sans-serif" font-size="12" fill="${look.ink}" stroke="${look.ground}" stroke-width="4"`,
    ` paint-order="stroke" stroke-linejoin="round">${texts.join("")}</g>`,
    "</svg>",
  ].join("");
}

// Points are kept in the order in which they are painted, and that is the order of the circles.
export function plotSvg(plot) {
  const style = getComputedStyle(document.body),
    { count, chosen, flagged } = plot.points,
    circles = [];
  const step = Math.max(1, count / MOST),
    radius = [plot.pointSize(false) * 0.36, plot.pointSize() / 2];
  for (let at = 0; at < count; at += step) {
    const i = Math.floor(at),
      [x, y] = plot.screenOf(i),
      r = radius[chosen[i] ? 1 : 0];
    if (x < -r || y < -r || x > plot.width + r || y > plot.height + r) continue;
    const ring = chosen[i] && flagged[i] ? "#c7400d" : null;
    circles.push({ x, y, r, color: plot.colorOf(i), opacity: chosen[i] ? 0.88 : 0.34, ring });
  }
  const look = {
    width: plot.width,
    height: plot.height,
    ground: style.backgroundColor,
    ink: style.color,
  };
  return new Blob([svgOf(look, circles, placedNames(plot))], { type: "image/svg+xml" });
}
