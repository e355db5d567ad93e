// A line through the values of a headline number, a dot on the last. `linePath` runs anywhere.
import { svg } from "./dom.js";

// An SVG path of values in a box; values that are missing leave a gap.
export function linePath(values, width, height, pad = 3) {
  const known = values.filter((v) => Number.isFinite(v));
  if (!known.length) return "";
  const low = Math.min(...known),
    high = Math.max(...known),
    n = Math.max(values.length - 1, 1);
  const x = (i) => pad + (i * (width - 2 * pad)) / n;
  const y = (v) =>
    high === low ? height / 2 : height - pad - ((v - low) * (height - 2 * pad)) / (high - low);
  let path = "",
    down = false;
  values.forEach((value, i) => {
    if (!Number.isFinite(value)) {
      down = false;
      return;
    }
    path += `${down ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
    down = true;
  });
  return path;
}

export function sparkline(values, label) {
  const width = 120,
    height = 30,
    path = linePath(values, width, height);
  const last = path.match(/([\d.]+) ([\d.]+)$/);
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, class: "spark", role: "img", "aria-label": label },
    svg("path", {
      d: path,
      fill: "none",
      stroke: "currentColor",
      "stroke-width": "1.5",
      "stroke-linejoin": "round",
    }),
    ...(last ? [svg("circle", { cx: last[1], cy: last[2], r: "2.5", fill: "currentColor" })] : []),
  );
}
