// Numbers and names as a person would write them. No page here: these run under Node as well.

// Characters that turn the direction of text could make one label look like another: they are shown, not obeyed.
const TURNING = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
export const seen = (text) => (typeof text === "string" ? text.replace(TURNING, "\ufffd") : text);

const missing = (value) => value === null || value === undefined || Number.isNaN(value);

export const number = (value) => (missing(value) ? "–" : value.toLocaleString("en"));

const minus = (text) => text.replace("-", "−");

// Three figures or so; whole numbers whole.
export function figure(value) {
  if (missing(value)) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return number(value);
  const size = Math.abs(value);
  if (size >= 1000) return number(Math.round(value));
  if (size >= 100) return minus(value.toFixed(0));
  if (size >= 10) return minus(value.toFixed(1));
  if (Math.abs(size - Math.round(size)) < 0.005 && size > 0.5) return minus(String(Math.round(value))); // as 1 is
  return minus(size >= 0.1 ? value.toFixed(2) : value.toPrecision(2));
}

// A score of −1 or 0 to 1, always with two digits, so that 1 and 0.97 line up.
export const score = (value) => (missing(value) ? "–" : minus(value.toFixed(2)).replace("−0.00", "0.00"));

// A share; 0% and 100% are said of none and all alone.
export function percent(value) {
  if (missing(value)) return "–";
  if (value <= 0 || value >= 1) return `${(100 * value).toFixed(0)}%`;
  const shown = (100 * value).toFixed(value < 0.1 || value > 0.99 ? 1 : 0);
  return { "0.0": "under 0.1%", "100.0": "over 99.9%" }[shown] ?? `${shown}%`;
}

const SPELT = { umap: "UMAP", pca: "PCA", tsne: "t-SNE", nan: "NaN" };

export function words(name) {
  const text = String(name)
    .split("_")
    .map((word) => SPELT[word] ?? word)
    .join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

// What ties a copy to the one that is kept.
const TIES = {
  bytes: "the same file",
  pixels: "the same pixels",
  text: "the same text",
  perceptual: "look the same",
  minhash: "almost the same words",
  altered: "altered",
  mirrored: "mirrored",
  rotated: "turned",
  embedding: "near in the vectors",
  contained: "one holds the other",
  waveform: "sound the same",
};
export const tie = (tier) => TIES[tier] ?? words(tier).toLowerCase();

// "All 8 are cat", "6 of 8 are cat, 1 is dog, none is cow": how many of `n` are each.
export function shares(n, counts) {
  const [[first, most] = [], ...others] = counts;
  if (first === undefined || !n) return "";
  if (most === n) return `All ${n} are ${first}.`;
  const rest = others.map(([name, k]) => `${k || "none"} ${k > 1 ? "are" : "is"} ${name}`);
  return `${[`${most || "None"} of ${n} ${most > 1 ? "are" : "is"} ${first}`, ...rest].join(", ")}.`;
}

export const counted = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

// Shortened in the middle: names of classes often differ at their ends.
export function middle(text, most) {
  const plain = [...String(text ?? "")]; // whole characters
  if (plain.length <= most) return plain.join("");
  const head = Math.ceil((most - 1) / 2);
  return [...plain.slice(0, head), "…", ...plain.slice(plain.length - (most - 1 - head))].join("");
}
