// Small ways to build the page. Text is only ever set as text.

// Characters that turn the direction of text could make one label look like another: they are shown, not obeyed.
const TURNING = /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
export const seen = (text) => (typeof text === "string" ? text.replace(TURNING, "\ufffd") : text);

export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "vars") for (const [key, v] of Object.entries(value)) node.style.setProperty(key, v);
    else if (name === "checked" || name === "value" || name === "selected") node[name] = value;
    else node.setAttribute(name, value === true ? "" : seen(value));
  }
  node.append(
    ...children
      .flat()
      .filter((child) => child !== null && child !== undefined && child !== false)
      .map(seen),
  );
  return node;
}

export function svg(tag, props = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(props)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const ICONS = {
  lasso:
    "M12 4c5 0 9 2.500 9 6s-4 6-9 6c-1.500 0-2.800-.2-4-.6M12 4C7 4 3 6.500 3 10c0 2.200 1.600 4 4 5.100M8 15.500a2 2 0 1 0-2 2.500c2 0 1.500 3-1 3",
  box: "M4 4h3M10 4h4M17 4h3v3M20 10v4M20 17v3h-3M14 20h-4M7 20H4v-3M4 14v-4M4 7V4",
  pan: "M12 3v18M3 12h18M12 3l-2.500 2.500M12 3l2.500 2.500M12 21l-2.500-2.500M12 21l2.500-2.500M3 12l2.500-2.500M3 12l2.500 2.500M21 12l-2.500-2.500M21 12l-2.500 2.500",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  eye: "M2 12s3.600-6.500 10-6.500S22 12 22 12s-3.600 6.500-10 6.500S2 12 2 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  back: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l5 5",
  check: "M5 12.500l4.500 4.500L19 7.500",
  undo: "M8 5L4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3",
  tag: "M3 12V4h8l10 10-8 8L3 12zM8 8.500h.01",
  down: "M12 4v11M7 11l5 5 5-5M5 20h14",
  cube: "M12 3l8 4.500v9L12 21l-8-4.500v-9L12 3zM12 12l8-4.500M12 12v9M12 12L4 7.500",
  list: "M4 6h16M4 12h16M4 18h10",
  help: "M9.500 9a2.500 2.500 0 1 1 3.500 2.300c-.7.3-1 .9-1 1.700v.5M12 17h.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
};

export function icon(name) {
  const path = svg("path", {
    d: ICONS[name],
    fill: "none",
    stroke: "currentColor",
    "stroke-width": "1.700",
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
  });
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, path);
}

export function button(name, label, onclick, props = {}) {
  const { text, ...rest } = props;
  return h(
    "button",
    { type: "button", title: label, "aria-label": text ? null : label, onclick, ...rest },
    name ? icon(name) : null,
    text || null,
  );
}

export const number = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en"));

export function figure(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value)) return number(value);
  const size = Math.abs(value);
  if (size >= 1000) return number(Math.round(value));
  return size >= 100
    ? value.toFixed(0)
    : size >= 10
      ? value.toFixed(1)
      : size >= 0.1 || size === 0
        ? value.toFixed(2)
        : value.toPrecision(2);
}

export const percent = (value) =>
  value === null || value === undefined ? "–" : `${(100 * value).toFixed(value < 0.1 && value > 0 ? 1 : 0)}%`;

export const words = (name) => {
  const text = String(name).replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

export function debounce(milliseconds, run) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...args), milliseconds);
  };
}

let toastTimer = 0;
export function toast(text, action = null) {
  const node = document.getElementById("toast");
  node.replaceChildren(
    text,
    ...(action
      ? [
          h(
            "button",
            {
              type: "button",
              onclick: () => {
                node.classList.remove("on");
                action.run();
              },
            },
            action.name,
          ),
        ]
      : []),
  );
  node.classList.add("on");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => node.classList.remove("on"), action ? 8000 : 4000);
}
