"""A browser on the explorer: opened at a view, waited for, drawn on."""

import json
import math
from urllib.parse import quote, unquote

READY = "#plot[data-state=drawn]"
PENDING = """
{
  const { fetch, setTimeout, clearTimeout, requestAnimationFrame } = window, timers = new Set();
  let promises = 0;
  const counted = (make) => function (...given) {
    promises++;
    return make.apply(this, given).finally(() => setTimeout(() => promises--));  // after what awaits it has gone on
  };
  window.fetch = counted((...given) => fetch(...given));
  for (const name of ["json", "text", "blob", "arrayBuffer"])
    Response.prototype[name] = counted(Response.prototype[name]);
  window.setTimeout = (run, wait = 0, ...given) => {
    const timer = setTimeout(() => { try { run(...given); } finally { timers.delete(timer); } }, wait);
    if (wait < 2000) timers.add(timer);  // a message that goes away by itself is nothing to wait for
    return timer;
  };
  window.clearTimeout = (timer) => { timers.delete(timer); clearTimeout(timer); };
  const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));
  window.pending = async () => { await frame(); await frame(); return promises + timers.size; };
}
"""


def at(**view):
    """The end of an address that opens a view, by the short names of `state.js`."""
    return "#" + quote(json.dumps(view))


MAP = at(p="map")


def settle(page):
    """Until the page has nothing under way, however long that takes on this machine."""
    while page.evaluate("pending()"):  # `wait_for_function` would need `unsafe-eval`, which the page's policy refuses
        page.wait_for_timeout(20)


def count(page):
    """The number that the page says is selected, once it has settled."""
    settle(page)
    plot = page.locator("#plot")
    assert plot.get_attribute("data-count") == plot.get_attribute("data-selected")
    return int(plot.get_attribute("data-count"))


def lasso(page, cluster, key=None):
    """Draw around one cluster of the ring, with the mouse; with a key held, to add or to take away."""
    box = page.locator("#plot").bounding_box()
    place = page.evaluate(
        """async ([x, y, r]) => { const c = JSON.parse(document.getElementById('plot').dataset.camera);
           return [(x - c.x) * c.scale, -(y - c.y) * c.scale, r * c.scale]; }""",
        [6 * math.cos(2 * math.pi * cluster / 10), 6 * math.sin(2 * math.pi * cluster / 10), 1.8],
    )
    cx, cy, r = box["x"] + box["width"] / 2 + place[0], box["y"] + box["height"] / 2 + place[1], place[2]
    if key:
        page.keyboard.down(key)
    page.mouse.move(cx + r, cy)
    page.mouse.down()
    for step in range(1, 25):
        page.mouse.move(cx + r * math.cos(step * math.pi / 12), cy + r * math.sin(step * math.pi / 12))
    page.mouse.up()
    if key:
        page.keyboard.up(key)


def state(page):
    """What the address holds."""
    return json.loads(unquote(page.evaluate("location.hash.slice(1)")) or "{}")


def even_odd(polygon, x, y):
    """Whether a place lies in a polygon: the plain version."""
    odd = False
    for (x1, y1), (x2, y2) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            odd = not odd
    return odd
