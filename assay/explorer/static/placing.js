// Names on a plot, placed so that none covers another: the more important first, each where it fits. No page here.

const overlaps = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

// wanted: [{ x, y, w, h }] by importance, centres in pixels. Gives `{ index, x, y }` (top left) of those that fit.
export function place(wanted, width, height) {
  const taken = [],
    out = [];
  wanted.forEach(({ x, y, w, h }, index) => {
    for (const [dx, dy] of [
      [0, 0],
      [0, -h],
      [0, h],
    ]) {
      const box = { x: x - w / 2 + dx, y: y - h / 2 + dy, w, h };
      const inside = box.x + w > 4 && box.y + h > 0 && box.x < width - 4 && box.y < height;
      if (!inside || taken.some((other) => overlaps(box, other))) continue;
      box.x = Math.max(2, Math.min(box.x, width - w - 2));
      box.y = Math.max(1, Math.min(box.y, height - h - 1));
      if (taken.some((other) => overlaps(box, other))) continue;
      taken.push(box);
      out.push({ index, x: box.x, y: box.y });
      return;
    }
  });
  return out;
}
