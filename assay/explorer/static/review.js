// Review: one queue at a time, one item at a time; a decision is one key, and the next item is there.
import { api } from "./api.js";
import { page } from "./context.js";
import { askLabel, askMany, decideAll, undo } from "./decide.js";
import { button, h, isWriting, toast } from "./dom.js";
import { Gallery } from "./gallery.js";
import { Queue } from "./queue.js";
import { finishedView, itemView, ITEM_KINDS } from "./review_items.js";
import { state } from "./state.js";
import { number } from "./words.js";

const GRID = 400; // samples in the grid
const AHEAD = 24; // items whose cards are fetched at once

export class Review {
  constructor(host) {
    this.host = host;
    this.cards = new Map(); // row → card
    this.list = h("nav", { class: "queues", "aria-label": "Queues" });
    this.head = h("div", { class: "queue-head" });
    this.body = h("div", { class: "item-host" });
    this.gridHost = h("div", { class: "samples", hidden: true });
    host.append(this.list, h("div", { class: "reviewing" }, this.head, this.body, this.gridHost));
    this.grid = new Gallery(this.gridHost, {
      open: (data) => this.goTo(data.row),
      chosen: () => this.drawHead(),
    });
    addEventListener("keydown", (event) => this.key(event));
  }

  get shown() {
    return state.page === "review" && !state.sample;
  }

  // Open the queue that the address names, or the first that is not done.
  async show() {
    const meta = page.meta;
    if (!state.queue) {
      const { queues } = await api.overview(meta.number);
      const next = queues.find((q) => q.done < q.total) ?? queues[0];
      if (!next)
        return this.host
          .querySelector(".item-host")
          .replaceChildren(
            h("p", { class: "nothing" }, "There is nothing to review: no finding, no duplicate, no leak."),
          );
      state.queue = next.key;
    }
    const answer = await api.queue(meta.number, state.queue, state.filter).catch((error) => {
      if (error.status !== 404) throw error;
    });
    if (page.meta !== meta) return;
    if (!answer) {
      state.queue = null; // of another night: this one has no such finding
      return this.show();
    }
    this.snapshot = meta.number;
    this.cards.clear();
    this.queue = new Queue(state.queue, answer.items, answer.total, answer.done);
    this.queues = answer.queues;
    this.last = null;
    await this.draw();
  }

  // After any decision, wherever it was made: the progress of every queue, and whether other items are settled by it.
  async refresh() {
    if (!this.queue || state.page !== "review") {
      this.queue = null;
      return;
    }
    const answer = await api.queue(page.meta.number, this.queue.key, state.filter);
    this.queues = answer.queues;
    this.queue.tell(answer.items);
    this.drawList();
    if (state.grid) {
      this.grid.choice.clear();
      await this.drawGrid();
    }
    this.drawHead();
  }

  async draw() {
    this.drawList();
    this.drawHead();
    this.host.dataset.grid = String(state.grid);
    this.body.hidden = state.grid;
    this.gridHost.hidden = !state.grid;
    if (state.grid) return this.drawGrid();
    await this.drawItem();
  }

  drawList() {
    const line = (queue) =>
      h(
        "button",
        {
          type: "button",
          class: queue.done >= queue.total ? "finished-queue" : "",
          "aria-current": queue.key === this.queue.key ? "true" : null,
          onclick: () => page.change({ queue: queue.key, sample: null }),
        },
        h("span", { class: "grow" }, queue.title),
        h("span", { class: "count" }, queue.done >= queue.total ? "✓" : number(queue.total - queue.done)),
        h("i", { class: "progress", vars: { "--share": `${(100 * queue.done) / queue.total}%` } }),
      );
    this.list.replaceChildren(h("h2", {}, "Queues"), ...this.queues.map(line));
  }

  drawHead() {
    if (!this.queue) return;
    const { done, total } = this.queue,
      about = this.queues.find((q) => q.key === this.queue.key);
    const chosen = this.grid.choice,
      filtered = Object.keys(state.filter).length > 0;
    const many = chosen.size
      ? [
          h("span", {}, `${number(chosen.size)} chosen`),
          h(
            "button",
            {
              type: "button",
              class: "primary",
              onclick: (event) => askMany(event.currentTarget, { ids: [...chosen.ids] }, chosen.size),
            },
            "Decide …",
          ),
          button("close", "Choose none", () => this.grid.unchoose(), { class: "quiet" }),
        ]
      : [];
    const select = h(
      "select",
      {
        class: "narrow-only",
        "aria-label": "Queue",
        onchange: (event) => page.change({ queue: event.target.value }),
      },
      this.queues.map((q) =>
        h(
          "option",
          { value: q.key, selected: q.key === this.queue.key },
          `${q.title} (${number(q.total - q.done)})`,
        ),
      ),
    );
    this.head.replaceChildren(
      select,
      h("h2", {}, about?.title ?? ""),
      h(
        "span",
        { class: "of", id: "progress", "aria-live": "polite" },
        `${number(done)} of ${number(total)}`,
      ),
      h("i", { class: "progress", vars: { "--share": `${total ? (100 * done) / total : 100}%` } }),
      filtered
        ? h(
            "button",
            {
              type: "button",
              class: "quiet",
              title: "The filter of the map narrows this queue",
              onclick: () => page.change({ filter: {} }),
            },
            "filtered ×",
          )
        : "",
      ...many,
      button(
        state.grid ? "one" : "grid",
        state.grid ? "One by one" : "Many at once",
        () => page.change({ grid: !state.grid }),
        { class: "quiet" },
      ),
      button("undo", "Undo the last decision (Ctrl Z)", () => undo(), { class: "quiet" }),
    );
  }

  async drawGrid() {
    const open = this.queue.items.filter((item) => !item.done).flatMap((item) => item.rows);
    if (!open.length) return this.finish();
    const ids = (await this.fetch(open.slice(0, GRID))).map((one) => one.id);
    const key = state.queue === "label_issue" ? "label_issues.score" : `scores.${state.queue}`;
    const sort = page.meta.columns.some((column) => column.key === key) ? key : "position";
    await this.grid.load(page.meta, { filter: { ids }, sort, descending: sort !== "position" });
    const says = " still open. Click with Ctrl or Shift to choose several, then decide about them at once.";
    this.grid.head.replaceChildren(h("span", { class: "grow" }, h("b", {}, number(ids.length)), says));
  }

  async fetch(rows) {
    const known = new Map(rows.map((row) => [row, this.cards.get(row)])), // meanwhile one may be forgotten
      wanted = rows.filter((row) => !known.get(row));
    for (let from = 0; from < wanted.length; from += 400) {
      const { cards } = await api.cards(this.snapshot, wanted.slice(from, from + 400));
      for (const one of cards) {
        this.cards.set(one.row, one);
        known.set(one.row, one);
      }
    }
    return rows.map((row) => known.get(row));
  }

  // Until the item is there no key decides: it would be about the one before.
  async drawItem() {
    const { queue } = this,
      place = queue.at;
    this.item = null;
    if (place === null) return this.finish();
    const ahead = queue.ahead(AHEAD),
      rows = ahead.flatMap((at) => queue.items[at].rows.slice(0, 60));
    const mine = queue.items[place].rows;
    await this.fetch(this.cards.has(mine[0]) ? mine : [...new Set([...mine, ...rows])]);
    const cards = await this.fetch(mine);
    if (this.queue !== queue || queue.at !== place) return;
    const item = itemView(queue.key, cards, {
      meta: page.meta,
      snapshot: this.snapshot,
      act: (name, detail) => this.act(name, detail),
      open: (id) => page.openSample(id),
    });
    this.item = item;
    this.body.replaceChildren(item.node);
    this.body.dataset.id = cards[0].id;
    this.host.dataset.ready = queue.key;
    this.prefetch(ahead[1]);
    const strip = await this.strip(ahead.slice(1, 9));
    if (this.item === item) this.body.append(strip);
  }

  // What comes next, small.
  async strip(places) {
    const { queue } = this,
      cards = await this.fetch(places.map((at) => queue.items[at].rows[0]));
    const jump = (at) => () => {
      queue.at = at;
      this.drawItem();
    };
    return h(
      "div",
      { class: "next", "aria-hidden": "true" },
      h("span", { class: "small" }, places.length ? "Next" : ""),
      cards.map((data, order) =>
        h(
          "button",
          {
            type: "button",
            tabindex: "-1",
            class: "next-card",
            title: data.id,
            onclick: jump(places[order]),
          },
          page.meta.has_thumbnails
            ? h("img", { src: api.thumbnail(this.snapshot, data.row), alt: "" })
            : h("span", {}, (data.text ?? "").slice(0, 60)),
        ),
      ),
    );
  }

  prefetch(at) {
    if (at === undefined || !page.meta.has_thumbnails) return;
    for (const row of this.queue.items[at].rows.slice(0, 2))
      new Image().src = api.thumbnail(this.snapshot, row);
  }

  finish() {
    const next = this.queues.find((q) => q.key !== this.queue.key && q.done < q.total);
    const about = this.queues.find((q) => q.key === this.queue.key);
    this.item = null;
    this.body.hidden = false;
    this.gridHost.hidden = true;
    this.body.replaceChildren(
      finishedView(about, next, {
        go: (queue) => page.change({ queue, grid: false }),
        overview: () => page.change({ page: "overview" }),
        total: page.meta.n,
      }),
    );
    this.host.dataset.ready = `${this.queue.key}:done`;
  }

  goTo(row) {
    const place = this.queue.items.findIndex((item) => item.rows.includes(row));
    if (place < 0) return;
    this.queue.at = place;
    page.change({ grid: false });
  }

  // Decide the current item and go on. The next item is shown at once; the writing happens meanwhile, in order.
  act(name, detail = null) {
    if (!this.queue || this.queue.at === null || !this.item) return;
    const { queue } = this,
      place = queue.at,
      { rows } = queue.items[place],
      cards = this.item.cards,
      from = this.body;
    if (name === "skip") {
      queue.skip();
      return this.drawItem();
    }
    if (name === "back") {
      queue.back();
      return this.drawItem();
    }
    const back = () => this.reopen(queue.key, rows);
    if (name === "label")
      return askLabel(
        from.querySelector(".other_label") ?? from,
        { ids: [cards[0].id] },
        { after: () => this.advance(queue, place), back },
      );
    const todo = ITEM_KINDS[this.item.kind].decisions(name, cards, detail);
    if (!todo.length) return toast("That cannot be decided here.");
    queue.writing.add(place);
    this.advance(queue, place);
    decideAll(todo, { quiet: true, back }).then((answers) => {
      queue.writing.delete(place);
      if (answers.length < todo.length) back();
    });
  }

  advance(queue, place) {
    queue.settle(place);
    if (this.queue !== queue) return;
    this.drawHead();
    this.drawItem();
  }

  // An item is open again, where the queue that is looked at has it.
  reopen(key, rows) {
    const place = this.queue?.key === key ? this.queue.placeOf(rows) : -1;
    if (place < 0) return;
    this.queue.writing.delete(place);
    this.queue.reopen(place);
    for (const row of rows) this.cards.delete(row);
    if (state.page === "review") this.draw();
  }

  key(event) {
    if (
      !this.shown ||
      isWriting(event) ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      !document.getElementById("menu").hidden
    )
      return;
    if (event.target.closest?.(".zoom.moved")) return;
    const name = state.grid
      ? null
      : (this.item?.keys[event.key] ?? { ArrowRight: "skip", ArrowLeft: "back" }[event.key]);
    if (!name) return;
    event.preventDefault();
    this.act(...[name].flat());
  }
}
