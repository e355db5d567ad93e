import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { at, Node, serve, settled, toasted, until } from "./fake_page.js";
import { page } from "../../assay/explorer/static/context.js";
import { Compare } from "../../assay/explorer/static/compare.js";
import { forgetPeeks, Peek } from "../../assay/explorer/static/peek.js";
import { pictureIn, searchByPicture } from "../../assay/explorer/static/picture.js";
import { fresh, state } from "../../assay/explorer/static/state.js";

Object.assign(Node.prototype, { getContext: (kind) => (kind === "2d" ? {} : null), setPointerCapture() {} });
globalThis.requestAnimationFrame = () => 0;
const night = (number, parent = null) => ({ number, parent, created_at: `2026-01-0${number}T02:00:00` });
const CARD = { row: 0, id: "s/0", label: "cat", issues: [], text: "t" };
let host, changes, asked, counts;

async function compared(listing, number, other = null) {
  Object.assign(state, fresh(), { page: "compare", other, method: null });
  page.meta = { number, created_at: "2026-01-09T02:00:00", face: "text", columns: [], has_pictures: true };
  page.listing = { snapshots: listing };
  asked = serve((path) =>
    path.includes("change=&")
      ? {
          counts,
          n: [1200, 1180],
          headline: [
            { n_samples: 1200, n_leaks: 2 },
            { n_samples: 1180, n_outliers: 3 },
          ],
        }
      : { cards: [CARD], total: 7, snapshot: 1 },
  );
  const compare = new Compare(host);
  await compare.show();
  await settled();
  return compare;
}
const against = () => asked[0]?.[0].match(/compare\/(\d+)/)?.[1];

beforeEach(() => {
  [host, changes, counts] = [
    new Node("div"),
    [],
    [
      ["resolved", "dark", 1],
      ["added", "", 9],
      ["new_issue", "dark", 2],
      ["new_issue", "leak", 5],
    ],
  ];
  Object.assign(page, { change: (next) => changes.push(next), openSample: (id) => changes.push(id) });
});

test("a night is compared with the one it came after, else with the one before, or the one that was asked for", async () => {
  const four = [night(1), night(2), night(3), night(4, 2)];
  await compared(four, 4);
  assert.equal(against(), "2");
  await compared(four, 3);
  assert.equal(against(), "2");
  await compared(four, 1); // the first one has only later ones
  assert.equal(against(), "2");
  await compared(four, 4, 3);
  assert.equal(against(), "3");
  await compared(four, 4, 9); // there is none such
  assert.equal(against(), "2");
  await compared([night(4, 3)], 4);
  assert.match(host.textContent, /There is one snapshot/);
  assert.equal(asked.length, 0);
});

test("what changed is listed in one order, each kind with its samples, numbers side by side", async () => {
  await compared([night(1), night(2, 1)], 2);
  const pills = host.querySelectorAll("button.pill");
  assert.deepEqual(
    pills.map((pill) => pill.textContent),
    ["Added9", "New issue: leak5", "New issue: dark2", "No longer flagged: dark1"],
  );
  assert.match(host.textContent, /Samples1,200 → 1,180Leaks2 → –Outliers– → 3/);
  assert.match(host.textContent, /The first 1 of 7, added\./); // the first kind is open
  await pills[3].click();
  await settled();
  assert.match(asked.at(-1)[0], /change=resolved&metric=dark$/);
  assert.deepEqual(
    pills.map((pill) => pill.getAttribute("aria-pressed")),
    ["false", "false", "false", "true"],
  );
  await host.querySelector("button.card").click();
  assert.deepEqual(changes.pop(), { snapshot: 1, page: "map", sample: "s/0" }); // of the other night
  counts = [];
  await compared([night(1), night(2, 1)], 2);
  assert.match(host.textContent, /Nothing changed between these snapshots\./);
});

test("what is hovered over is asked for once, and what was left meanwhile is not shown", async () => {
  forgetPeeks();
  page.meta = { face: "text", columns: [] };
  asked = serve((path) => ({ ...CARD, label: "<b>cat</b>", text: path, scores: [["dark", 0.5]] }));
  const peek = new Peek(Object.assign(host, { clientWidth: 500, clientHeight: 400 }));
  peek.show(1, 5, 10, 10);
  await peek.show(1, 6, 300, 10);
  assert.deepEqual(
    asked.map(([path]) => path),
    ["/api/1/peek?row=6"],
  );
  assert.equal(peek.node.textContent, "/api/1/peek?row=6<b>cat</b>Dark0.50");
  await peek.show(1, 6, 10, 10);
  assert.deepEqual([asked.length, peek.node.hidden, peek.node.querySelectorAll("b").length], [1, false, 0]);
  await peek.show(1, null);
  assert.ok(peek.node.hidden);
  serve(() => Response.json({}, { status: 500 }));
  await peek.show(1, 7, 10, 10); // says nothing
  assert.ok(peek.node.hidden);
});

test("a picture among what was pasted is searched by, where that can be done", async () => {
  const [text, picture] = [
    new File(["x"], "a.txt", { type: "text/plain" }),
    new File(["y"], "b.png", { type: "image/png" }),
  ];
  assert.deepEqual([pictureIn([text, picture]), pictureIn([text]), pictureIn(null)], [picture, null, null]);
  page.meta = { number: 1, has_pictures: false };
  await searchByPicture(picture);
  assert.equal(toasted(), "These samples cannot be searched by a picture.");
  page.meta.has_pictures = true;
  globalThis.fetch = async () => Response.json({ name: "digest" });
  state.filter = { text: "x" };
  await searchByPicture(picture);
  await until(() => changes.length);
  assert.deepEqual(changes.pop().filter, { text: "x", picture: { name: "digest", k: 200 } });
  assert.ok(at("toast"));
});
