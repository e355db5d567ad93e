// Completing a class or a tag from a few typed letters. `rank` runs anywhere; the box needs a page.
import { h } from "./dom.js";
import { number } from "./words.js";

const MOST = 8;

// Names that fit what was typed: whole, then from the start, then from the start of a word, then anywhere.
export function rank(typed, names) {
  const wanted = typed.trim().toLowerCase();
  const place = (name) => {
    const text = name.toLowerCase();
    if (!wanted || text === wanted) return 0;
    if (text.startsWith(wanted)) return 1;
    if (!text.includes(wanted)) return -1;
    for (let at = text.indexOf(wanted); at > 0; at = text.indexOf(wanted, at + 1))
      if (/[\s_\-/.]/.test(text[at - 1])) return 2;
    return 3;
  };
  const found = names.map(([name, count], order) => ({ name, count, order, place: place(name) }));
  return found.filter((entry) => entry.place >= 0).sort((a, b) => a.place - b.place || a.order - b.order);
}

// A form with a box and a list below it; `done(value)` with the chosen or the newly written one.
export function typeahead({ title, names, done, fresh = "new", button = "Give" }) {
  let at = 0,
    shown = [];
  const list = h("ul", { class: "offers", role: "listbox", id: "offers", "aria-label": title });
  const box = h("input", {
    type: "text",
    maxlength: "1000",
    placeholder: title,
    "aria-label": title,
    role: "combobox",
    autocomplete: "off",
    "aria-controls": "offers",
    "aria-expanded": "true",
    spellcheck: "false",
  });
  const take = (value) => value && done(value);
  const draw = () => {
    const typed = box.value.trim();
    shown = rank(typed, names).slice(0, MOST);
    if (typed && !shown.some((entry) => entry.name === typed)) shown.push({ name: typed, fresh: true });
    at = Math.min(at, Math.max(shown.length - 1, 0));
    list.replaceChildren(
      ...shown.map((entry, place) =>
        h(
          "li",
          {
            role: "option",
            id: `offer-${place}`,
            "aria-selected": String(place === at),
            class: place === at ? "on" : "",
            onpointerdown: (event) => {
              event.preventDefault();
              take(entry.name);
            },
          },
          h("span", { class: "grow" }, entry.name.slice(0, 200)),
          h("span", { class: "small" }, entry.fresh ? fresh : entry.count ? number(entry.count) : ""),
        ),
      ),
    );
    box.setAttribute("aria-activedescendant", shown.length ? `offer-${at}` : "");
  };
  box.addEventListener("input", () => {
    at = 0;
    draw();
  });
  box.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by || !shown.length) return;
    event.preventDefault();
    at = (at + by + shown.length) % shown.length;
    draw();
  });
  const submit = (event) => {
    event.preventDefault();
    take(shown[at]?.name ?? box.value.trim());
  };
  draw();
  return h(
    "form",
    { class: "typeahead", onsubmit: submit },
    h("div", { class: "ask" }, box, h("button", { type: "submit" }, button)),
    list,
  );
}
