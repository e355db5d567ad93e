// The gallery: the selection, sorted, scrolled through millions; only what is seen is there.
import { api } from "./api.js";
import { card } from "./card.js";
import { Choice } from "./choice.js";
import { h, toast } from "./dom.js";
import { faceOf } from "./faces.js";
import { same } from "./state.js";

const TALLEST = 6_000_000; // pixels; browsers lose precision, then rows, above some tens of millions
const PAGE = 60;
const PATIENCE_MS = 400; // for pictures

export class Gallery {
  // on: { open(data, index), chosen(choice) }
  constructor(host, on) {
    this.host = host;
    this.on = on;
    this.total = 0;
    this.pages = new Map();
    this.first = 0;
    this.width = Number(localStorage.getItem("assay-card-width")) || 118; // of a card, wished for
    this.choice = new Choice();
    this.list = h("div", { class: "window", role: "group", "aria-label": "Samples" });
    this.space = h("div", { class: "space" }, this.list);
    this.scroller = h(
      "div",
      { class: "scroller", id: "gallery", tabindex: "-1", onscroll: () => this.scrolled() },
      this.space,
    );
    this.head = h("div", { class: "gallery-head" });
    this.chosenBar = h("div", { class: "chosen-bar", hidden: true });
    this.empty = h("div", { class: "nothing", hidden: true });
    host.replaceChildren(this.head, this.chosenBar, this.scroller, this.empty);
    this.scroller.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.scroller.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.layout()).observe(this.scroller);
  }

  // ask: the request body without offset and limit
  async load(meta, ask) {
    this.abort?.abort();
    const abort = (this.abort = new AbortController()),
      snapshot = meta.number;
    const answer = await api.gallery(snapshot, { ...ask, offset: 0, limit: PAGE }, abort.signal);
    if (!same(ask, this.ask)) this.choice.anchor = null; // in another order a card has another place
    Object.assign(this, { meta, snapshot, ask, total: answer.total, first: 0, shape: faceOf(meta).shape });
    this.metric = ask.sort === "label_issues.score" ? "label_issue" : ask.sort?.replace(/^scores\./, "");
    this.pages = new Map([[0, answer.cards]]);
    this.empty.hidden = answer.total > 0;
    this.scroller.scrollTop = 0;
    this.layout();
    this.scroller.dataset.loads = String(Number(this.scroller.dataset.loads ?? 0) + 1);
  }

  // Once the pictures that are on the screen are there, or have been waited for long enough.
  async shown() {
    await this.busy?.catch(() => 0);
    const pictures = [...this.list.querySelectorAll("img")].map((image) => image.decode().catch(() => 0));
    await Promise.race([Promise.all(pictures), new Promise((done) => setTimeout(done, PATIENCE_MS))]);
  }

  resize(width) {
    this.width = width;
    localStorage.setItem("assay-card-width", String(width));
    this.layout();
  }

  layout() {
    const width = this.scroller.clientWidth,
      height = this.scroller.clientHeight;
    if (!width || !height || !this.ask) return;
    const lines = this.shape === "lines";
    this.columns = lines
      ? Math.max(1, Math.floor(width / 420))
      : Math.max(2, Math.floor((width - 8) / this.width));
    const two = this.meta.columns.some((column) => column.key === "suggested"); // labels: given and suggested
    const caption = two ? 42 : 26;
    this.high = lines ? 96 : Math.floor((width - 10) / this.columns) + caption;
    this.rows = Math.ceil(this.total / this.columns);
    this.seen = Math.ceil(height / this.high) + 1;
    this.tall = Math.min(this.rows * this.high + 8, TALLEST);
    this.scaled = this.rows * this.high + 8 > TALLEST;
    this.space.style.height = `${this.tall}px`;
    this.list.style.setProperty("--columns", this.columns);
    this.list.style.setProperty("--high", `${this.high}px`);
    this.scrolled(true);
  }

  // the row at the top, which may lie between two
  get place() {
    const top = this.scroller.scrollTop,
      room = this.scroller.scrollHeight - this.scroller.clientHeight;
    if (!this.scaled) return top / this.high;
    const last = this.rows - this.scroller.clientHeight / this.high;
    if (this.fine !== undefined && Math.abs(this.fineTop - top) < 1.5) return this.fine;
    return room > 0 ? (top / room) * last : 0;
  }

  wheel(event) {
    if (!this.scaled || !event.deltaY || event.ctrlKey) return;
    event.preventDefault();
    const pixels = event.deltaMode ? event.deltaY * 32 : event.deltaY,
      last = this.rows - this.scroller.clientHeight / this.high;
    const next = Math.max(0, Math.min(last, this.place + pixels / this.high));
    this.go(next);
  }

  go(next) {
    const room = this.scroller.scrollHeight - this.scroller.clientHeight,
      last = this.rows - this.scroller.clientHeight / this.high;
    this.fine = next;
    this.scroller.scrollTop = this.scaled ? (next / Math.max(last, 1e-9)) * room : next * this.high;
    this.fineTop = this.scroller.scrollTop;
    this.scrolled(true);
  }

  // `asks`: whether cards that are missing are asked for
  async scrolled(force = false, asks = true) {
    if (!this.ask || !this.high) return;
    const place = this.place,
      first = Math.max(0, Math.floor(place) - 1);
    const offset = this.scaled ? this.scroller.scrollTop - (place - first) * this.high : first * this.high;
    this.list.style.transform = `translateY(${Math.max(0, offset)}px)`;
    if (!force && first === this.first) return;
    this.first = first;
    const start = first * this.columns,
      stop = Math.min(this.total, (first + this.seen + 2) * this.columns);
    this.fill(start, stop);
    const wanted = [];
    for (let page = Math.floor(start / PAGE); page * PAGE < stop; page++)
      if (!this.pages.has(page)) wanted.push(page);
    if (!wanted.length || !asks) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fetch(wanted), 60);
  }

  async fetch(pages) {
    const { ask, snapshot } = this;
    let problem = null; // is said, and the next scroll asks again
    await Promise.all(
      pages.map(async (page) => {
        this.pages.set(page, null);
        try {
          const answer = await api.gallery(snapshot, { ...ask, offset: page * PAGE, limit: PAGE });
          if (ask === this.ask) this.pages.set(page, answer.cards);
        } catch (error) {
          if (ask === this.ask) this.pages.delete(page);
          problem = error.message;
        }
      }),
    );
    if (this.pages.size > 60)
      for (const page of [...this.pages.keys()].slice(0, 20))
        if (Math.abs(page * PAGE - this.first * this.columns) > 20 * PAGE) this.pages.delete(page);
    if (ask !== this.ask) return;
    if (problem) toast(problem);
    this.scrolled(true, !problem);
  }

  at(index) {
    return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  fill(start, stop) {
    const old = new Map([...this.list.children].map((node) => [node.dataset.key, node])),
      nodes = [];
    for (let index = start; index < stop; index++) {
      const data = this.at(index),
        key = data ? this.keyOf(data, index) : `${index}:`;
      const node = old.get(key) ?? (data ? this.make(data, index) : h("span", { class: "card waiting" }));
      node.dataset.key = key;
      node.dataset.index = index;
      node.classList.toggle("open", Boolean(data) && data.id === this.opened);
      nodes.push(node);
    }
    const focused = document.activeElement?.dataset?.index;
    this.list.replaceChildren(...nodes);
    if (focused !== undefined && !this.list.contains(document.activeElement))
      this.list.querySelector(`[data-index="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  // A card is made anew when anything that it shows has changed, what it is sorted by included.
  keyOf(data, index) {
    const chosen = this.choice.has(data.id) ? "+" : "";
    const shown = [data.decision, this.metric, data.value, data.similarity].map((value) => value ?? "");
    return `${index}:${data.row}:${shown.join(":")}${chosen}`;
  }

  make(data, index) {
    const { meta, metric } = this,
      chosen = this.choice.has(data.id);
    return card(data, this.snapshot, {
      meta,
      metric,
      chosen,
      onclick: (event) => this.clicked(event, data, index),
    });
  }

  clicked(event, data, index) {
    const keys = { ctrl: event.ctrlKey || event.metaKey, shift: event.shiftKey };
    if (!this.choice.size && keys.shift) keys.ctrl = true;
    if (this.choice.click(index, data.id, keys, (at) => this.at(at)?.id)) this.rechosen();
    else this.on.open(data, index);
  }

  unchoose() {
    this.choice.clear();
    this.rechosen();
  }

  rechosen() {
    this.scrolled(true);
    this.on.chosen?.(this.choice);
  }

  key(event) {
    const at = Number(event.target.dataset?.index),
      by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns }[event.key];
    if (event.key === " " && !Number.isNaN(at) && this.at(at)) {
      event.preventDefault();
      this.choice.click(at, this.at(at).id, { ctrl: true }, () => undefined);
      return this.rechosen();
    }
    if (!by || Number.isNaN(at)) return;
    event.preventDefault();
    this.focus(Math.max(0, Math.min(this.total - 1, at + by)));
  }

  async focus(index) {
    const row = Math.floor(index / this.columns),
      place = this.place,
      room = this.scroller.clientHeight / this.high;
    if (row < place) this.go(row);
    else if (row + 1 > place + room) this.go(row + 1 - room);
    for (let wait = 0; wait < 40; wait++) {
      const node = this.list.querySelector(`button[data-index="${index}"]`);
      if (node) return node.focus({ preventScroll: true });
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  async neighbor(index) {
    if (index < 0 || index >= this.total) return null;
    if (!this.at(index)) await this.fetch([Math.floor(index / PAGE)]);
    return this.at(index) ?? null;
  }
}
