// Colours of classes and numbers, for both themes. Index 0 is "no value"; classes and ramp steps follow.

export const dark = () => !matchMedia("(prefers-color-scheme: light)").matches;

const CLASSES_DARK = [
  "#5b8cff",
  "#ff9f5a",
  "#4ecb9c",
  "#f0679e",
  "#b18cff",
  "#f2ce5b",
  "#4cc9e8",
  "#ff7a6b",
  "#9ed34f",
  "#d88ad9",
  "#8fb3c9",
  "#c9a27a",
];
const CLASSES_LIGHT = [
  "#3166e0",
  "#d9711a",
  "#15915f",
  "#cf2f72",
  "#7d4fd6",
  "#b18a00",
  "#0c8fb3",
  "#d6402f",
  "#5c8f10",
  "#a348a6",
  "#54788f",
  "#8f663a",
];
const RAMP_DARK = ["#2b3a67", "#3f6bb5", "#3fa0c0", "#6cc88f", "#d9cf5a", "#ff9a4d", "#ff5a4d"];
const RAMP_LIGHT = ["#c9d3ea", "#8fb1e0", "#4c97cc", "#2f9e86", "#a79b1d", "#dd7a1f", "#cc2f26"];

const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

function spun(index) {
  // past the twelve hand-picked: golden-angle hues, three lightnesses
  const hue = (index * 137.508) % 360;
  const light = (dark() ? [68, 58, 78] : [42, 34, 52])[index % 3];
  return hsl(hue, 62, light);
}

function hsl(hue, saturation, lightness) {
  const s = saturation / 100,
    l = lightness / 100;
  const f = (n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (l - s * Math.min(l, 1 - l) * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [f(0), f(8), f(4)];
}

export const nothing = () => (dark() ? [92, 99, 110] : [176, 180, 186]);

export function classColor(index) {
  const list = dark() ? CLASSES_DARK : CLASSES_LIGHT;
  return index < 0 ? nothing() : index < list.length ? rgb(list[index]) : spun(index);
}

export function rampColor(share) {
  const stops = (dark() ? RAMP_DARK : RAMP_LIGHT).map(rgb);
  const place = Math.max(0, Math.min(1, share)) * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2),
    mix = place - low;
  return stops[low].map((value, at) => Math.round(value + (stops[low + 1][at] - value) * mix));
}

export const css = (color) => `rgb(${color.join(" ")})`;

const FIXED = {
  // names whose meaning has a colour
  change: { added: 2, new_issue: 7, label_changed: 4, content_changed: 5, moved: 6, worse: 1, resolved: 0 },
  duplicate: { kept: 2, copy: 7 },
};

export function classIndex(column, names, place) {
  const fixed = FIXED[column];
  return fixed ? (fixed[names[place]] ?? place) : place;
}

// RGBA bytes of a palette: slot 0 for null, then one per class or 255 ramp steps.
export function classPalette(column, names) {
  const out = new Uint8Array(4 * (names.length + 1));
  out.set([...nothing(), 255], 0);
  names.forEach((_, place) =>
    out.set([...classColor(classIndex(column, names, place)), 255], 4 * (place + 1)),
  );
  return out;
}

export function rampPalette() {
  const out = new Uint8Array(4 * 256);
  out.set([...nothing(), 255], 0);
  for (let step = 0; step < 255; step++) out.set([...rampColor(step / 254), 255], 4 * (step + 1));
  return out;
}
