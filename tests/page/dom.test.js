import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { at, Node } from "./fake_page.js";
import { card, isWrong } from "../../assay/explorer/static/card.js";
import { button, debounce, h, toast } from "../../assay/explorer/static/dom.js";

const EXPLORER = new URL("../../assay/explorer/", import.meta.url),
  SCRIPTS = [
    ...readdirSync(new URL("static/", EXPLORER)).map((name) => new URL(`static/${name}`, EXPLORER)),
    ...["cell.js", "cell_page.js", "../report/report.js"].map((name) => new URL(name, EXPLORER)),
  ].filter((url) => url.pathname.endsWith(".js"));
const HTML =
  /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|\beval\(|new Function/;

test("no script of a page makes anything of a text but text", () => {
  assert.ok(SCRIPTS.length > 50);
  for (const url of SCRIPTS) assert.doesNotMatch(readFileSync(url, "utf8"), HTML, url.pathname);
});

test("children are text, whatever they hold; what is absent is left out, zero is not", () => {
  const node = h(
    "p",
    { class: "x" },
    "<img src=x onerror=alert(1)>",
    null,
    [undefined, false, ["a", [0]]],
    h("b", {}, "c"),
  );
  assert.equal(node.textContent, "<img src=x onerror=alert(1)>a0c");
  assert.deepEqual(
    node.nodes.map((child) => child.tagName),
    ["B"],
  );
});

test("marks that turn text round are shown in text and in titles", () => {
  const node = h("p", { title: "\u202egnp.exe" }, "\u2066x");
  assert.equal(node.textContent + node.title, "\ufffdx\ufffdgnp.exe");
});

test("a listener is a function, not an attribute; what is true stands without a value", async () => {
  let clicks = 0;
  const node = h("button", {
    onclick: () => clicks++,
    hidden: true,
    disabled: false,
    title: null,
    data: { id: "<i>" },
  });
  await node.click();
  assert.equal(clicks, 1);
  assert.deepEqual(node.attributes, { hidden: "" });
  assert.equal(node.dataset.id, "<i>");
  assert.equal(button("close", "Lift", null).getAttribute("aria-label"), "Lift");
});

test("of many calls the last one counts, once", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const seen = [];
  const run = debounce(50, (value) => seen.push(value));
  run(1);
  t.mock.timers.tick(40);
  run(2);
  t.mock.timers.tick(49);
  assert.deepEqual(seen, []);
  t.mock.timers.tick(1);
  assert.deepEqual(seen, [2]);
});

test("a message goes away by itself, later where there is something to press", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const shows = () => at("toast").classList.contains("on");
  let ran = 0;
  toast("<b>one</b>");
  assert.equal(at("toast").textContent, "<b>one</b>");
  t.mock.timers.tick(4000);
  assert.ok(!shows());
  toast("two", { name: "Undo", run: () => ran++ });
  t.mock.timers.tick(4000);
  assert.ok(shows());
  await at("toast").querySelector("button").click();
  assert.ok(ran === 1 && !shows());
});

const META = { face: "picture", has_thumbnails: true };
const SAMPLE = {
  row: 3,
  id: "s/3",
  label: "cat",
  suggested: "dog",
  issues: ["label_issue"],
  duplicate: null,
  decision: null,
};
const marks = (node) => node.querySelectorAll(".mark").map((mark) => mark.textContent);

test("a card says what the label is and what it looks like, and an accepted one what was decided", () => {
  const shown = card(SAMPLE, 1, { meta: META });
  assert.match(shown.textContent, /cat→ dog, label issue$/);
  assert.deepEqual(marks(shown), []);
  assert.equal(shown.querySelector("img").src, "/api/1/thumbnail?row=3");
  assert.deepEqual(marks(card({ ...SAMPLE, decision: "label accepted" }, 1, { meta: META })), ["relabelled"]);
  assert.deepEqual(marks(card({ ...SAMPLE, decision: "tag: <i>" }, 1, { meta: META })), ["Tag: <i>"]);
});

test("a card has one number: that of what the list is sorted by, none where the caption says it", () => {
  const by = (metric, more) => marks(card({ ...SAMPLE, ...more }, 1, { meta: META, metric }));
  assert.deepEqual(by("label_issue", { value: 0.93 }), []);
  assert.deepEqual(by("label_issue", { value: 0.5, suggested: "cat" }), ["suspicion0.50"]);
  assert.deepEqual(by("columns.size_bytes", { value: 12345.6 }), ["size bytes12,346"]);
  assert.deepEqual(by("dark", { value: 0 }), ["dark0.00"]);
  assert.deepEqual(by("dark", { value: null }), []);
  assert.deepEqual(by("dark", { value: 0.1, similarity: 1 }), ["alike1.00"]);
  assert.deepEqual(by("dark", { value: 0.1, keep: true, similarity: 1 }), ["dark0.10", "kept"]);
});

test("nothing is doubted of a sample that has no label, no suggestion, or no flag", () => {
  assert.ok(isWrong(SAMPLE));
  for (const more of [{ label: null }, { suggested: null }, { suggested: "cat" }, { issues: ["dark"] }])
    assert.ok(!isWrong({ ...SAMPLE, ...more }));
  const bare = card({ ...SAMPLE, label: null, issues: [], caption: "<b>a sea</b>" }, 1, { meta: META });
  assert.equal(bare.textContent, "<b>a sea</b>");
});

test("the label of a text's card is cut in its middle, its id whole in its data", () => {
  const meta = { face: "text", has_thumbnails: false },
    id = "x".repeat(500);
  const shown = card({ ...SAMPLE, id, text: "", label: "y".repeat(99), suggested: null }, 1, {
    meta,
    chosen: true,
  });
  assert.ok(shown instanceof Node && shown.dataset.id === id && shown.title.length === 300);
  assert.match(shown.textContent, /^no texty+…y+, label issue$/);
  assert.equal(shown.getAttribute("aria-pressed"), "true");
});
