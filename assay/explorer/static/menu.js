// One small menu or dialog at a time, beside what opened it.
import { h } from "./dom.js";

let returnTo = null;
const node = () => document.getElementById("menu");

export function openMenu(from, content, { label = "Menu" } = {}) {
  const menu = node(),
    box = from.getBoundingClientRect();
  returnTo = document.activeElement;
  menu.setAttribute("aria-label", label);
  menu.replaceChildren(content);
  menu.hidden = false;
  const size = menu.getBoundingClientRect();
  const left = box.left + size.width < innerWidth - 8 ? box.left : box.right - size.width;
  const below = box.bottom + 6 + size.height < innerHeight - 8;
  menu.style.left = `${Math.max(8, Math.min(left, innerWidth - size.width - 8))}px`;
  menu.style.top = `${Math.max(8, below ? box.bottom + 6 : Math.min(box.top, innerHeight) - size.height - 6)}px`;
  menu.querySelector("input, button, select")?.focus();
}

export function closeMenu() {
  if (node().hidden) return false;
  node().hidden = true;
  returnTo?.focus?.();
  return true;
}

export const item = (text, note, run) =>
  h(
    "button",
    {
      type: "button",
      class: "item",
      onclick: () => {
        closeMenu();
        run();
      },
    },
    text,
    note ? h("span", { class: "small" }, note) : null,
  );

addEventListener("pointerdown", (event) => {
  if (!node().hidden && !node().contains(event.target)) node().hidden = true;
});
