// A picture that can be zoomed to its pixels and moved: wheel, drag, double click, + − 0 on the keyboard.
import { h } from "./dom.js";

const MOST = 40;

export class ZoomPane {
  constructor(source, alt) {
    this.image = h("img", { src: source, alt, draggable: "false" });
    this.node = h(
      "div",
      {
        class: "zoom",
        tabindex: "0",
        role: "group",
        "aria-label": "Picture. Plus and minus zoom, arrows move, 0 fits.",
      },
      this.image,
    );
    this.natural = [0, 0];
    this.reset();
    this.listen();
  }

  // Another source of the same picture, once it is there.
  async show(url) {
    const full = new Image();
    full.src = url;
    await full.decode();
    this.natural = [full.naturalWidth, full.naturalHeight];
    this.image.src = url;
    this.paint();
  }

  reset() {
    Object.assign(this, { scale: 1, x: 0, y: 0 });
    this.paint();
  }

  paint() {
    this.image.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    const wide = this.image.clientWidth || 1;
    const shown = (wide * this.scale) / Math.max(this.natural[0], 1);
    this.node.classList.toggle("pixels", shown >= 2.5 && this.natural[0] > 0);
    this.node.classList.toggle("moved", this.scale > 1);
    this.node.dataset.scale = String(this.scale);
  }

  // Zoom so that the place (px, py), measured from the middle, stays where it is.
  zoom(factor, px = 0, py = 0) {
    const next = Math.max(1, Math.min(MOST, this.scale * factor)),
      by = next / this.scale;
    this.x = next === 1 ? 0 : px - (px - this.x) * by;
    this.y = next === 1 ? 0 : py - (py - this.y) * by;
    this.scale = next;
    this.paint();
  }

  listen() {
    const node = this.node;
    const from = (event) => {
      const box = node.getBoundingClientRect();
      return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
    };
    let last = null;
    node.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoom(Math.exp(-event.deltaY * 0.002), ...from(event));
      },
      { passive: false },
    );
    node.addEventListener("dblclick", (event) =>
      this.scale > 1 ? this.reset() : this.zoom(4, ...from(event)),
    );
    node.addEventListener("pointerdown", (event) => {
      if (this.scale === 1) return;
      last = [event.clientX, event.clientY];
      node.setPointerCapture(event.pointerId);
    });
    node.addEventListener("pointermove", (event) => {
      if (!last) return;
      this.x += event.clientX - last[0];
      this.y += event.clientY - last[1];
      last = [event.clientX, event.clientY];
      this.paint();
    });
    for (const end of ["pointerup", "pointercancel"])
      node.addEventListener(end, () => {
        last = null;
      });
    node.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const move = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[
      event.key
    ];
    if (event.key === "+" || event.key === "=") this.zoom(1.5);
    else if (event.key === "-") this.zoom(1 / 1.5);
    else if (event.key === "0") this.reset();
    else if (move && this.scale > 1) {
      this.x += move[0];
      this.y += move[1];
      this.paint();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
