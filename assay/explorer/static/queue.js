// A review queue: where one is in it, what is decided, and the way back. No page here.

export class Queue {
  // items: [{ rows, done }], worst first
  constructor(key, items, total = items.length, done = null) {
    this.key = key;
    this.items = items.map((item) => ({ ...item, skipped: false }));
    this.total = total;
    const settled = this.items.filter((item) => item.done).length;
    this.settledElsewhere = (done ?? settled) - settled;
    this.writing = new Set(); // places of which the decision is under way
    this.at = this.after(-1);
  }

  get done() {
    return this.settledElsewhere + this.items.filter((item) => item.done).length;
  }

  get left() {
    return this.total - this.done;
  }

  get current() {
    return this.at === null ? null : this.items[this.at];
  }

  // The next undecided item after `place`, then any skipped one before it; null where all are decided.
  after(place) {
    const open = (item) => !item.done;
    for (let at = place + 1; at < this.items.length; at++) if (open(this.items[at])) return at;
    for (let at = 0; at <= place && at < this.items.length; at++) if (open(this.items[at])) return at;
    return null;
  }

  // Decide the current item: it leaves the queue. Returns its place, to come back to.
  settle(place = this.at) {
    this.items[place].done = true;
    if (place === this.at) this.at = this.after(place);
    return place;
  }

  skip() {
    if (this.at === null) return;
    this.items[this.at].skipped = true;
    this.at = this.after(this.at);
  }

  back() {
    for (let at = (this.at ?? this.items.length) - 1; at >= 0; at--) {
      if (!this.items[at].done) {
        this.at = at;
        return;
      }
    }
  }

  placeOf(rows) {
    return this.items.findIndex((item) => String(item.rows) === String(rows));
  }

  // What the server says is decided. It may leave items out that it had: a filter may be about decisions.
  tell(items) {
    const told = new Map(items.map((item) => [String(item.rows), item.done]));
    this.items.forEach((item, place) => {
      item.done = this.writing.has(place) || (told.get(String(item.rows)) ?? item.done);
    });
  }

  // A decision was taken back: its item is open again, and the one that is looked at.
  reopen(place) {
    this.items[place].done = false;
    this.at = place;
  }

  // The next few that are open, from the current one: what is fetched ahead, and what the strip shows.
  ahead(most) {
    const found = [];
    for (let at = this.at ?? this.items.length; at < this.items.length && found.length < most; at++) {
      if (!this.items[at].done) found.push(at);
    }
    return found;
  }
}
