// A histogram with a range slider. The nodes stay; new counts only change what they show, so that a drag goes on.
import { css, rampColor } from "./colors.js";
import { h, svg } from "./dom.js";
import { slid } from "./ranges.js";
import { figure, number } from "./words.js";

const TALL = 32;

export class Histogram {
  // on: range(low|null, high)
  constructor(column, onRange) {
    this.column = column;
    this.onRange = onRange;
    this.bars = svg("svg", { preserveAspectRatio: "none", class: "bars", "aria-hidden": "true" });
    this.lower = this.slider("lower", "at least");
    this.upper = this.slider("upper", "at most");
    this.ends = h("div", { class: "ends" }, h("span", {}), h("span", { class: "unit" }), h("span", {}));
    this.node = h(
      "div",
      { class: "histogram empty" },
      this.bars,
      h("div", { class: "shade left" }),
      h("div", { class: "shade right" }),
      this.lower,
      this.upper,
      this.ends,
    );
    this.bars.addEventListener("click", (event) => this.clicked(event));
  }

  slider(side, says) {
    const node = h("input", {
      type: "range",
      min: 0,
      max: 1,
      step: "any",
      class: side,
      "aria-label": `${this.column.title}, ${says}`,
      oninput: (event) => this.move(event.target),
      onkeydown: (event) => this.key(event),
    });
    return node;
  }

  // Arrow keys move by a hundredth of the range, with Shift by a tenth.
  key(event) {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.target.value = +event.target.value + by * (this.high - this.low) * (event.shiftKey ? 0.1 : 0.01);
    this.move(event.target);
  }

  // facet: counts of one column; range: what the filter holds, or undefined
  show(facet, range, ramp) {
    const busy = [this.lower, this.upper].includes(document.activeElement) && this.dragging;
    this.low = facet.low;
    this.high = facet.high;
    this.node.classList.remove("empty");
    this.node.classList.toggle("ranged", Boolean(range));
    this.drawBars(facet, ramp);
    this.ends.children[1].textContent = facet.none ? `${number(facet.none)} without` : "";
    if (busy) return;
    for (const slider of [this.lower, this.upper]) Object.assign(slider, { min: facet.low, max: facet.high });
    const [low, high] = range ?? [facet.low, facet.high];
    this.lower.value = low;
    this.upper.value = high;
    this.paint();
  }

  drawBars(facet, ramp) {
    const n = facet.counts.length,
      most = Math.max(1, ...facet.counts.map(Math.sqrt));
    this.bars.setAttribute("viewBox", `0 0 ${n} ${TALL}`);
    const bar = (count, at, name) => {
      const tall = (Math.sqrt(count) / most) * TALL;
      const fill = ramp && name === "here" ? { fill: css(rampColor((at + 0.5) / n)) } : {};
      return svg("rect", { x: at + 0.06, width: 0.88, y: TALL - tall, height: tall, class: name, ...fill });
    };
    this.bars.replaceChildren(
      ...facet.counts.map((count, at) => bar(count, at, "all")),
      ...facet.selected.map((count, at) => bar(count, at, "here")),
    );
  }

  paint() {
    const share = (v) => `${(100 * (v - this.low)) / (this.high - this.low || 1)}%`;
    this.node.style.setProperty("--from", share(+this.lower.value));
    this.node.style.setProperty("--to", share(+this.upper.value));
    this.ends.children[0].textContent = figure(+this.lower.value);
    this.ends.children[2].textContent = figure(+this.upper.value);
  }

  move(moved) {
    const { lower, upper, low, high } = this;
    if (+lower.value > +upper.value) moved.value = moved === lower ? upper.value : lower.value;
    this.paint();
    this.dragging = true;
    clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      this.dragging = false;
    }, 1200);
    this.onRange(slid(+lower.value, +upper.value, [low, high]));
  }

  clicked(event) {
    const box = this.bars.getBoundingClientRect();
    this.lower.value = this.low + ((event.clientX - box.left) / box.width) * (this.high - this.low);
    this.upper.value = this.high;
    this.move(this.lower);
  }
}
