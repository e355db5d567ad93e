// Which cards are chosen, as file managers do it: a click with Ctrl adds one, with Shift everything up to it.

export class Choice {
  constructor() {
    this.ids = new Set();
    this.anchor = null; // index of the last one chosen by hand
  }

  get size() {
    return this.ids.size;
  }

  has(id) {
    return this.ids.has(id);
  }

  clear() {
    this.ids.clear();
    this.anchor = null;
  }

  // `idAt`: index → id, or undefined where it is not known. Returns whether the click was about choosing.
  click(index, id, { ctrl = false, shift = false }, idAt) {
    if (shift && this.anchor !== null) {
      const [from, to] = [Math.min(this.anchor, index), Math.max(this.anchor, index)];
      for (let at = from; at <= to; at++) {
        const other = idAt(at);
        if (other !== undefined) this.ids.add(other);
      }
      return true;
    }
    if (!ctrl && !shift) return false;
    if (this.ids.has(id)) this.ids.delete(id);
    else this.ids.add(id);
    this.anchor = index;
    return true;
  }
}
