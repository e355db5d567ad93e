// The left and the right column of the map: as wide as somebody pulled them, tomorrow too.
import { h } from "./dom.js";

const SIDES = {
  left: { pane: "facets", least: 180, most: 520, sign: 1, says: "Width of the filters" },
  right: { pane: "side", least: 280, most: 1100, sign: -1, says: "Width of the samples" },
};

export function addGrips(map, resized) {
  for (const [side, about] of Object.entries(SIDES)) {
    const kept = Number(localStorage.getItem(`assay-${side}`));
    if (kept) set(side, kept);
    map.append(grip(side, about, resized));
  }
}

const set = (side, width) => document.body.style.setProperty(`--${side}`, `${width}px`);

function grip(side, { pane, least, most, sign, says }, resized) {
  const wide = () => document.getElementById(pane).getBoundingClientRect().width;
  const put = (width) => {
    const fits = Math.round(Math.max(least, Math.min(most, innerWidth * 0.6, width)));
    set(side, fits);
    localStorage.setItem(`assay-${side}`, String(fits));
    node.setAttribute("aria-valuenow", String(fits));
    resized();
  };
  let start = null;
  const node = h("div", {
    class: `grip ${side}`,
    role: "separator",
    tabindex: "0",
    "aria-orientation": "vertical",
    "aria-label": says,
    "aria-valuemin": String(least),
    "aria-valuemax": String(most),
    "aria-valuenow": String(least),
    onpointerdown: (event) => {
      start = [event.clientX, wide()];
      node.setPointerCapture(event.pointerId);
    },
    onpointermove: (event) => start && put(start[1] + sign * (event.clientX - start[0])),
    onpointerup: () => {
      start = null;
    },
    ondblclick: () => {
      localStorage.removeItem(`assay-${side}`);
      document.body.style.removeProperty(`--${side}`);
      resized();
    },
    onkeydown: (event) => {
      const by = { ArrowLeft: -24, ArrowRight: 24 }[event.key];
      if (!by) return;
      event.preventDefault();
      put(wide() + sign * by);
    },
  });
  return node;
}
