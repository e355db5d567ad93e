// What hovering over a point shows: the sample, small, its label and its highest scores.
import { api } from "./api.js";
import { isWrong } from "./card.js";
import { page } from "./context.js";
import { h } from "./dom.js";
import { faceOf } from "./faces.js";
import { middle, score, words } from "./words.js";

const known = new Map(); // "snapshot:row" → card with scores

export const forgetPeeks = () => known.clear();

export class Peek {
  constructor(host) {
    this.host = host;
    this.ticket = 0;
    this.node = h("div", { class: "peek", hidden: true, "aria-hidden": "true" });
    host.append(this.node);
  }

  hide() {
    this.ticket++;
    this.node.hidden = true;
  }

  // x and y: where the point is, in pixels of the host
  async show(snapshot, row, x, y) {
    const me = ++this.ticket;
    if (row === null) {
      this.node.hidden = true;
      return;
    }
    const key = `${snapshot}:${row}`;
    if (!known.has(key)) {
      await new Promise((done) => setTimeout(done, 45));
      if (me !== this.ticket) return;
      try {
        if (known.size > 500) known.clear();
        known.set(key, await api.peek(snapshot, row));
      } catch {
        return;
      }
    }
    if (me !== this.ticket) return;
    this.node.replaceChildren(...this.parts(known.get(key), snapshot));
    this.node.hidden = false;
    this.place(x, y);
  }

  parts(data, snapshot) {
    const wrong = isWrong(data),
      most = (data.scores ?? []).slice(0, 3);
    return [
      faceOf(page.meta).peek(data, snapshot),
      h(
        "div",
        { class: "peek-label" },
        h("span", { class: wrong ? "given" : "" }, middle(data.label ?? "no label", 40)),
        wrong ? h("span", { class: "suggested" }, ` → ${middle(data.suggested, 40)}`) : null,
      ),
      h(
        "div",
        { class: "peek-scores" },
        most.map(([name, value]) =>
          h(
            "div",
            {},
            h("span", {}, words(name)),
            h("i", { vars: { "--share": `${100 * value}%` } }),
            h("span", {}, score(value)),
          ),
        ),
      ),
    ];
  }

  // Beside the point, on the side with more room, never over it.
  place(x, y) {
    const { clientWidth: width, clientHeight: height } = this.host,
      size = this.node.getBoundingClientRect();
    const left = x > width / 2 ? x - size.width - 18 : x + 18;
    this.node.style.left = `${Math.max(4, Math.min(left, width - size.width - 4))}px`;
    this.node.style.top = `${Math.max(4, Math.min(y - size.height / 2, height - size.height - 4))}px`;
  }
}
