// The bar over map and gallery: what holds, as conditions that can be edited and lifted; search; saved views.
import { api } from "./api.js";
import { page } from "./context.js";
import { button, h, icon } from "./dom.js";
import { conditions, isEmpty, isRanking, without, withKey } from "./filters.js";
import { closeMenu, openMenu } from "./menu.js";
import { pictureButton } from "./picture.js";
import { shown, typed } from "./ranges.js";
import { state } from "./state.js";
import { typeahead } from "./typeahead.js";
import { openViews } from "./views.js";
import { counted, figure, number } from "./words.js";

const EDITED = ["ranges", "values", "hidden", "text"];

export class FilterBar {
  constructor(host) {
    this.host = host;
    this.box = h("input", {
      id: "search",
      type: "search",
      maxlength: "500",
      placeholder: "Search  /",
      "aria-label": "Search",
      title: 'Each word must be found, in any column; "in quotes" as a phrase',
    });
    this.box.addEventListener("search", () => {
      if (!this.box.value && state.filter.text) page.setFilter("text", null);
    });
    this.how = h(
      "select",
      { id: "how", "aria-label": "Search in" },
      h("option", { value: "text" }, "in columns"),
      h("option", { value: "words" }, "by meaning"),
    );
    this.byPicture = pictureButton();
    this.list = h("div", { class: "conditions" });
    this.count = h("span", { class: "told", id: "told", "aria-live": "polite" });
    const add = h(
      "button",
      { type: "button", class: "quiet", onclick: () => this.add(add) },
      icon("plus"),
      "Filter",
    );
    host.append(
      h(
        "form",
        { class: "search", role: "search", onsubmit: (event) => this.search(event) },
        icon("search"),
        this.box,
        this.how,
        this.byPicture,
      ),
      add,
      this.list,
      this.count,
      api.offline
        ? ""
        : button("star", "Saved views", (event) => openViews(event.currentTarget), { class: "quiet" }),
    );
  }

  search(event) {
    event.preventDefault();
    const text = this.box.value.trim();
    if (page.meta.has_words && this.how.value === "words" && text) {
      page.setFilter("words", { text, k: 200 }, { sort: "similarity", tab: "samples" });
    } else page.setFilter("text", text);
  }

  draw() {
    this.how.hidden = !page.meta.has_words;
    this.byPicture.hidden = !page.meta.has_pictures;
    if (document.activeElement !== this.box) this.box.value = state.filter.text ?? "";
    const found = conditions(state.filter, page.meta.columns);
    const chips = found.map((one) =>
      h(
        "span",
        { class: "chip" },
        EDITED.includes(one.key)
          ? h(
              "button",
              {
                type: "button",
                class: "says",
                title: "Change this",
                onclick: (event) => this.edit(event.currentTarget, one),
              },
              one.text,
            )
          : h("span", { class: "says" }, one.text),
        button("close", `Lift: ${one.text}`, () => lift(one)),
      ),
    );
    if (found.length > 1) {
      chips.push(
        h(
          "button",
          { type: "button", class: "link small", onclick: () => page.change({ filter: {} }) },
          "Lift all",
        ),
      );
    }
    const within = chips.flatMap((chip, at) =>
      at && at < found.length ? [h("span", { class: "and" }, "and"), chip] : [chip],
    );
    this.list.replaceChildren(...within);
  }

  tell(selected, total) {
    this.count.textContent =
      selected === total ? counted(total, "sample") : `${number(selected)} of ${number(total)}`;
  }

  // Pick a column, then what it must be.
  add(from) {
    const names = page.meta.columns.map((column) => [column.title, 0]);
    openMenu(
      from,
      typeahead({
        title: "Filter by",
        names,
        fresh: "",
        button: "Next",
        done: (title) => {
          const column = page.meta.columns.find((c) => c.title === title);
          closeMenu();
          if (column)
            this.edit(from, { key: column.kind === "number" ? "ranges" : "values", name: column.key });
        },
      }),
      { label: "Add a filter" },
    );
  }

  async edit(from, { key, name }) {
    if (key === "text") return this.box.focus();
    if (key === "ranges") return this.editRange(from, name);
    const { facets } = await api.facets(page.meta.number, { filter: {}, columns: [name] });
    const now = new Set(state.filter[key]?.[name] ?? []),
      facet = facets[0];
    const list = h("div", { class: "checks" }),
      box = h("input", { type: "search", placeholder: "Find", "aria-label": "Find a value" });
    const draw = () => {
      const wanted = box.value.toLowerCase();
      const names = [...facet.names, ...(facet.none ? [null] : [])].filter((n) =>
        (n ?? "none").toLowerCase().includes(wanted),
      );
      list.replaceChildren(
        ...names.slice(0, 200).map((value) =>
          h(
            "label",
            {},
            h("input", {
              type: "checkbox",
              checked: now.has(value),
              onchange: (event) => {
                if (event.target.checked) now.add(value);
                else now.delete(value);
                page.setFilter(key, withKey(state.filter[key], name, [...now]));
              },
            }),
            h("span", { class: "grow" }, value ?? "none"),
            h(
              "span",
              { class: "small" },
              number(value === null ? facet.none : facet.counts[facet.names.indexOf(value)]),
            ),
          ),
        ),
      );
    };
    box.addEventListener("input", draw);
    draw();
    openMenu(
      from,
      h(
        "div",
        { class: "items" },
        h("p", { class: "small" }, `${title(name)} is ${key === "hidden" ? "not " : ""}one of`),
        box,
        list,
      ),
      { label: `Filter by ${title(name)}` },
    );
  }

  async editRange(from, name) {
    const column = page.meta.columns.find((c) => c.key === name);
    if (!column.bounds) {
      const { facets } = await api.facets(page.meta.number, { filter: {}, columns: [name] });
      column.bounds = [facets[0].low, facets[0].high];
    }
    const [least, most] = column.bounds,
      now = state.filter.ranges?.[name] ?? [least, most];
    const box = (value, says) =>
      h("input", { type: "number", step: "any", value: shown(value), "aria-label": says });
    const low = box(now[0], "at least"),
      high = box(now[1], "at most");
    const keep = (event) => {
      event.preventDefault();
      closeMenu();
      const range = typed([low.value, high.value], now, [least, most]);
      page.setFilter("ranges", withKey(state.filter.ranges, name, range));
    };
    openMenu(
      from,
      h(
        "form",
        { class: "items range", onsubmit: keep },
        h("p", { class: "small" }, `${title(name)}, ${figure(least)} to ${figure(most)}`),
        h("div", { class: "ask" }, low, h("span", {}, "to"), high, h("button", { type: "submit" }, "Set")),
      ),
      { label: `Range of ${title(name)}` },
    );
  }
}

const title = (key) => page.meta.columns.find((column) => column.key === key)?.title ?? key;

function lift({ key, name }) {
  const filter = without(state.filter, key, name);
  const more = isRanking(key) && state.sort === "similarity" ? { sort: null } : {};
  page.change({ filter, ...more });
}

// What an empty result says: which condition to lift, and what would be there then.
export async function explainEmpty(node) {
  if (isEmpty(state.filter)) return node.replaceChildren("There are no samples.");
  const texts = conditions(state.filter, page.meta.columns);
  const { lifts } = await api.lifts(page.meta.number, state.filter);
  const lines = lifts
    .filter((one) => one.n > 0)
    .sort((a, b) => b.n - a.n)
    .map((one) => {
      const says = texts.find((text) => text.key === one.key && text.name === one.name)?.text ?? one.key;
      return h(
        "li",
        {},
        h("button", { type: "button", class: "link", onclick: () => lift(one) }, `Lift “${says}”`),
        h("span", { class: "small" }, ` ${counted(one.n, "sample")}`),
      );
    });
  node.replaceChildren(
    h("p", {}, "Nothing passes all of these filters together."),
    lines.length
      ? h("ul", { class: "lifts" }, lines)
      : h("p", { class: "small" }, "No single one of them is to blame."),
    h(
      "button",
      { type: "button", class: "quiet", onclick: () => page.change({ filter: {} }) },
      "Lift all of them",
    ),
  );
}
