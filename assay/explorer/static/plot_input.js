// What pointer and keyboard do on a plot: lasso, box, hand, turn, pinch, wheel, hover, click.
import { simplify } from "./geometry.js";

const CLICK = 4; // pixels of movement below which a press is a click

export function listen(plot) {
  const over = plot.over,
    fingers = new Map();
  let drag = null;
  const at = (event) => {
    const box = over.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  over.addEventListener("pointerdown", (event) => {
    over.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    plot.on.hover?.(null);
    if (fingers.size === 2) {
      drag = { kind: "pinch" };
      plot.stroke = null;
      return;
    }
    const moving = plot.tool === "pan" || event.button === 1 || event.button === 2 || plot.space;
    const turning = plot.deep && event.button !== 1 && !plot.space;
    const how = event.shiftKey ? "add" : event.altKey ? "subtract" : null;
    drag = {
      kind: moving ? (turning ? "turn" : "pan") : plot.tool,
      start: at(event),
      last: at(event),
      far: 0,
      how,
    };
    if (!moving) plot.stroke = [at(event)];
    plot.strokeHow = how;
  });

  over.addEventListener("pointermove", (event) => {
    const here = at(event);
    if (fingers.has(event.pointerId)) {
      if (drag?.kind === "pinch") return pinch(plot, fingers, event.pointerId, here);
      fingers.set(event.pointerId, here);
    }
    if (!drag) return plot.hover(here);
    const dx = here[0] - drag.last[0],
      dy = here[1] - drag.last[1];
    drag.far += Math.abs(dx) + Math.abs(dy);
    if (drag.kind === "pan") plot.pan(-dx, -dy);
    else if (drag.kind === "turn") plot.turnBy(dx / 160, dy / 160);
    else if (drag.kind === "box") {
      plot.stroke = [drag.start, [here[0], drag.start[1]], here, [drag.start[0], here[1]]];
    } else {
      const last = plot.stroke.at(-1);
      if (Math.hypot(here[0] - last[0], here[1] - last[1]) > 2.5) plot.stroke.push(here);
    }
    drag.last = here;
    if (plot.stroke) plot.trace();
  });

  const up = (event) => {
    fingers.delete(event.pointerId);
    if (!drag) return;
    const done = drag,
      stroke = plot.stroke;
    drag = null;
    plot.stroke = null;
    if (event.type !== "pointercancel" && done.kind !== "pinch") {
      if (done.far < CLICK) click(plot, at(event), done);
      else if (stroke && stroke.length >= 3) finish(plot, stroke, done.how);
    }
    plot.trace();
  };
  over.addEventListener("pointerup", up);
  over.addEventListener("pointercancel", up);
  over.addEventListener("pointerleave", () => {
    if (!drag) plot.hover(null);
  });
  over.addEventListener("contextmenu", (event) => event.preventDefault());
  over.addEventListener("dblclick", (event) => plot.zoom(2, ...at(event)));
  over.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      plot.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.04 : 0.0016)), ...at(event));
    },
    { passive: false },
  );
  over.addEventListener("keydown", (event) => key(plot, event));
  over.addEventListener("keyup", (event) => {
    if (event.key === " ") plot.space = false;
  });
  over.addEventListener("blur", () => {
    plot.space = false;
  });
}

function click(plot, place, done) {
  const found = plot.pick(...place, 14);
  if (found >= 0) plot.on.open?.(plot.points.row[found]);
  else if (done.kind !== "pan" && done.kind !== "turn" && !done.how) plot.on.select?.(null);
}

function pinch(plot, fingers, id, here) {
  const other = [...fingers].find(([key_]) => key_ !== id)[1],
    before = fingers.get(id);
  const apart = (point) => Math.hypot(point[0] - other[0], point[1] - other[1]);
  plot.pan(-(here[0] - before[0]) / 2, -(here[1] - before[1]) / 2);
  fingers.set(id, here);
  plot.zoom(apart(here) / Math.max(apart(before), 1), (here[0] + other[0]) / 2, (here[1] + other[1]) / 2);
}

function key(plot, event) {
  const move = { ArrowLeft: [-60, 0], ArrowRight: [60, 0], ArrowUp: [0, -60], ArrowDown: [0, 60] }[event.key];
  const middle = [plot.width / 2, plot.height / 2];
  if (move) plot.pan(...move);
  else if (event.key === "+" || event.key === "=") plot.zoom(1.4, ...middle);
  else if (event.key === "-") plot.zoom(1 / 1.4, ...middle);
  else if (event.key === "0") plot.fit();
  else if (event.key === " ") plot.space = true;
  else if (event.key === "Escape") plot.on.select?.(null);
  else return;
  event.preventDefault();
}

function finish(plot, stroke, how) {
  const short = (v) => +v.toPrecision(7);
  const points = simplify(stroke, 0.7).map(([x, y]) => plot.toData(x, y).map(short));
  if (points.length < 3) return;
  const turn = plot.turn();
  const matrix =
    plot.deep && plot.points?.z
      ? { matrix: [turn.slice(0, 3), turn.slice(3, 6)].map((line) => line.map(short)) }
      : {};
  plot.on.select?.({ points, ...matrix }, how);
}
