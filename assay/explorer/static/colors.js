// Colours of classes and numbers, for both themes. Index 0 of a palette is "no value"; classes or ramp steps follow.

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
export const FEW = CLASSES_DARK.length;
const HUES = 12,
  SHADES = 3;

const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

// OKLCH → sRGB (Ottosson 2020): equal steps look equally far apart.
export function oklch(light, chroma, hue) {
  const angle = (hue * Math.PI) / 180,
    a = chroma * Math.cos(angle),
    b = chroma * Math.sin(angle);
  const l = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (light - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  const gamma = (v) => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);
  return linear.map((v) => Math.round(255 * Math.max(0, Math.min(1, gamma(Math.max(0, v))))));
}

// The colours that many classes share out: the twelve, then every hue in three lightnesses.
export function wheel(isDark) {
  const first = (isDark ? CLASSES_DARK : CLASSES_LIGHT).map(rgb),
    shades = isDark ? [0.76, 0.62, 0.88] : [0.58, 0.44, 0.7];
  const more = [];
  for (let shade = 0; shade < SHADES; shade++) {
    for (let hue = 0; hue < HUES; hue++) {
      more.push(oklch(shades[shade], shade === 2 ? 0.1 : 0.15, (hue * 360) / HUES + shade * 10 + 15));
    }
  }
  return [...first, ...more];
}

export const WHEEL_SIZE = FEW + HUES * SHADES;

const farApart = (a, b) => Math.hypot(2 * (a[0] - b[0]), 3 * (a[1] - b[1]), 2 * (a[2] - b[2]));

// Colours for classes on a map: each takes the one that is farthest from those of its neighbours so far.
// places: [{ name, x, y }], the largest first. Gives Map(name → index in the wheel).
export function assigned(places, near = 8) {
  const colors = wheel(true),
    given = [],
    out = new Map(),
    used = new Array(colors.length).fill(0);
  places.forEach((here, order) => {
    let best = order;
    if (places.length > FEW) {
      const around = given
        .map((other) => ({ other, d: Math.hypot(other.x - here.x, other.y - here.y) }))
        .sort((a, b) => a.d - b.d)
        .slice(0, near);
      let most = -Infinity;
      colors.forEach((color, index) => {
        const least = Math.min(Infinity, ...around.map(({ other }) => farApart(color, colors[other.index])));
        const merit = Math.min(least, 400) - 40 * used[index];
        if (merit > most) {
          most = merit;
          best = index;
        }
      });
    }
    used[best]++;
    given.push({ ...here, index: best });
    out.set(here.name, best);
  });
  return out;
}

export const nothing = () => (dark() ? [92, 99, 110] : [176, 180, 186]);

let wheels = {};
export function classColor(index) {
  if (index < 0) return nothing();
  const theme = dark();
  wheels[theme] ??= wheel(theme);
  return wheels[theme][index % WHEEL_SIZE];
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
  outcome: { right: 2, wrong: 7 },
};
const OF_CLASSES = ["label", "suggested", "predicted"]; // a class looks the same wherever its name stands
let ofClass = new Map();

export function setClassColors(map) {
  ofClass = map;
}

export function classIndex(column, names, place) {
  const fixed = FIXED[column]?.[names[place]];
  if (fixed !== undefined) return fixed;
  return (OF_CLASSES.includes(column) ? ofClass.get(names[place]) : undefined) ?? place;
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
