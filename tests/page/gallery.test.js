import assert from "node:assert/strict";
import { test } from "node:test";
import { at, Node, serve, toasted, until } from "./fake_page.js";
import { Gallery } from "../../assay/explorer/static/gallery.js";

const META = { number: 1, face: "picture", has_thumbnails: true, columns: [] };
const ASK = { filter: {}, sort: "position", descending: false };
const PAGE = 60;

// A gallery of `total` cards, five a row and 120 pixels high, in a window of 600 × 480; `answers` may fail.
async function opened(total, answers = null, on = {}) {
  const asked = serve(async (path, { offset, limit, sort }) => {
    const failed = await answers?.(offset);
    if (failed) return failed;
    const rows = Array.from({ length: Math.max(0, Math.min(limit, total - offset)) }, (_, n) => offset + n);
    return { total, cards: rows.map((row) => ({ row, id: `${sort}/${row}`, label: "cat", issues: [] })) };
  });
  const gallery = new Gallery(new Node("div"), { open() {}, ...on });
  Object.assign(gallery.scroller, { clientWidth: 608, clientHeight: 480, scrollTop: 0 });
  Object.defineProperty(gallery.scroller, "scrollHeight", {
    get: () => parseFloat(gallery.space.style.height),
  });
  await gallery.load(META, ASK);
  return { gallery, asked };
}

const ids = (gallery) => gallery.list.children.map((node) => node.dataset.id ?? "…");
const shows = (gallery, id) => until(() => ids(gallery).includes(id));

test("only what is seen is there, and the rest is asked for when it is scrolled to", async () => {
  const { gallery, asked } = await opened(1000);
  assert.equal(gallery.columns, 5);
  assert.ok(gallery.list.children.length < 60 && ids(gallery)[0] === "position/0");
  gallery.go(100); // row 100 is card 500
  assert.ok(ids(gallery).every((id) => id === "…"));
  await shows(gallery, "position/500");
  assert.deepEqual(
    asked.map(([, body]) => body.offset),
    [0, 480],
  );
});

test("every row of a gallery taller than a browser can be is reached, the last one too", async () => {
  const { gallery } = await opened(10_000_000);
  assert.ok(gallery.scaled && gallery.tall === 6_000_000);
  gallery.scroller.scrollTop = gallery.scroller.scrollHeight - gallery.scroller.clientHeight;
  await gallery.scrolled();
  await until(() => ids(gallery).at(-1) === "position/9999999");
  const before = gallery.place;
  gallery.wheel({ deltaY: -gallery.high, preventDefault() {} }); // one row, where a pixel is many
  assert.ok(Math.abs(gallery.place - (before - 1)) < 1e-6);
});

test("a page that cannot be had is asked for once, and that is said; the next scroll asks again", async () => {
  let fails = true;
  const gone = () => Response.json({ error: "this snapshot is being removed" }, { status: 410 });
  const { gallery, asked } = await opened(1000, (offset) => (offset && fails ? gone() : null));
  gallery.go(100);
  await until(() => toasted() === "this snapshot is being removed");
  await new Promise((done) => setTimeout(done, 150)); // in which it would be asked for again
  assert.equal(asked.length, 2);
  fails = false;
  gallery.go(101);
  await shows(gallery, "position/505");
});

test("a card of another order is no end of a range of chosen ones", async () => {
  const chosen = [];
  const { gallery } = await opened(50, null, { chosen: (choice) => chosen.push([...choice.ids]) });
  const click = (index, more) =>
    gallery.clicked({ ctrlKey: false, metaKey: false, shiftKey: false, ...more }, gallery.at(index), index);
  click(2, { ctrlKey: true });
  await gallery.load(META, ASK); // read anew after a decision: the same order
  click(4, { shiftKey: true });
  assert.deepEqual(chosen.at(-1), ["position/2", "position/3", "position/4"]);
  await gallery.load(META, { ...ASK, sort: "label" });
  click(9, { shiftKey: true });
  assert.deepEqual(chosen.at(-1), ["position/2", "position/3", "position/4", "label/9"]);
  gallery.unchoose();
  assert.deepEqual(chosen.at(-1), []);
});

test("a plain click opens, and the next ones are found across pages", async () => {
  const opens = [];
  const { gallery } = await opened(PAGE + 2, null, { open: (data, index) => opens.push([data.id, index]) });
  gallery.clicked({ ctrlKey: false, metaKey: false, shiftKey: false }, gallery.at(3), 3);
  assert.deepEqual(opens, [["position/3", 3]]);
  assert.equal((await gallery.neighbor(PAGE)).id, `position/${PAGE}`);
  assert.deepEqual([await gallery.neighbor(-1), await gallery.neighbor(PAGE + 2)], [null, null]);
});

test("an answer to an older question is not shown", async () => {
  let answer;
  const { gallery } = await opened(1000, (offset) =>
    offset ? new Promise((done) => (answer = done)) : null,
  );
  const late = gallery.fetch([5]);
  await gallery.load(META, { ...ASK, sort: "label" });
  answer(null);
  await late;
  assert.ok(!gallery.at(5 * PAGE));
  assert.ok(ids(gallery)[0].startsWith("label/"));
});

test("a card is made anew where what it shows has changed, and only then", async () => {
  const { gallery } = await opened(10);
  const [first, second] = gallery.list.children;
  gallery.pages.get(0)[1] = { ...gallery.at(1), decision: "drop" };
  await gallery.scrolled(true);
  assert.ok(gallery.list.children[0] === first && gallery.list.children[1] !== second);
  assert.match(gallery.list.children[1].textContent, /dropped/);
});

test("keys walk the cards and Space chooses one", async () => {
  const { gallery } = await opened(50);
  const press = (key) => gallery.key({ key, target: document.activeElement, preventDefault() {} });
  gallery.list.children[7].focus();
  press("ArrowDown");
  assert.equal(document.activeElement.dataset.id, "position/12");
  press("ArrowLeft");
  assert.equal(document.activeElement.dataset.id, "position/11");
  press(" ");
  assert.deepEqual([...gallery.choice.ids], ["position/11"]);
  document.activeElement = at("elsewhere");
});
