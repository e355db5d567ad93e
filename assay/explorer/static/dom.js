// Small ways to build the page. Text is only ever set as text.
import { ICONS } from "./icons.js";
import { seen } from "./words.js";

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
      .flat(Infinity)
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

export function debounce(milliseconds, run) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...args), milliseconds);
  };
}

let toastTimer = 0;

// A message that goes away by itself; `action`: { name, run } of a button in it.
export function toast(text, action = null) {
  const node = document.getElementById("toast");
  const run = () => {
    node.classList.remove("on");
    action.run();
  };
  node.replaceChildren(text, ...(action ? [h("button", { type: "button", onclick: run }, action.name)] : []));
  node.classList.add("on");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => node.classList.remove("on"), action ? 8000 : 4000);
}

// Where the keyboard should be left alone: somebody is writing.
export const isWriting = (event) => /INPUT|SELECT|TEXTAREA/.test(event.target.tagName);
