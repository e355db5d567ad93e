import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { at, Node, serve, settled, toasted } from "./fake_page.js";
import { page } from "../../assay/explorer/static/context.js";
import { openExports } from "../../assay/explorer/static/takeaway.js";
import { typeahead } from "../../assay/explorer/static/typeahead.js";
import { ZoomPane } from "../../assay/explorer/static/zoom.js";

const names = (face) => {
  page.meta = { number: 3, dataset: "toy", face };
  openExports(at("from"), 5, { text: "x" });
  return at("menu")
    .querySelectorAll("button")
    .map((one) => one.parts[0]);
};
const SELECTION = ["Parquet", "CSV", "Label Studio", "JSON lines"];

beforeEach(() => at("menu").replaceChildren());

test("samples are offered as what tools of their kind take", () => {
  const rest = ["Parquet", "CSV", "JSON lines"];
  assert.deepEqual(names("picture"), [...SELECTION, "CVAT", "Folder", ...rest, "Hugging Face"]);
  assert.deepEqual(names("boxes"), ["COCO", ...SELECTION, "CVAT", "COCO", ...rest]);
  assert.deepEqual(names("text"), [...SELECTION, "Folder", ...rest, "Hugging Face"]);
  assert.deepEqual(names("drawing"), [...SELECTION, ...rest]);
  assert.deepEqual(names("none"), [...SELECTION, "Folder", ...rest]);
});

test("a file is called after the night and its kind, and a refusal is said", async (t) => {
  t.mock.method(URL, "createObjectURL", () => "blob:1");
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const links = [];
  document.body.append = (link) => links.push(link);
  let asked = serve(() => new Response("x"));
  names("picture");
  for (const one of at("menu").querySelectorAll("button").slice(2, 6)) await one.click();
  assert.deepEqual(
    links.map((link) => link.getAttribute("download")),
    ["toy-v3-selection.json", "toy-v3-selection.jsonl", "toy-v3-selection.xml", "toy-v3-cleaned.zip"],
  );
  assert.deepEqual(asked[0][1], { what: "selection", format: "labelstudio", filter: { text: "x" } });
  asked = serve(() => Response.json({ error: "no boxes here" }, { status: 400 }));
  await at("menu").querySelectorAll("button")[0].click();
  assert.deepEqual([toasted(), links.length], ["no boxes here", 4]);
});

function offered(given = {}) {
  const taken = [];
  const form = typeahead({
    title: "Tag",
    names: [
      ["odd one", 3],
      ["<b>", 2],
      ["no", 0],
    ],
    done: (value) => taken.push(value),
    fresh: "new tag",
    ...given,
  });
  const [box] = form.querySelectorAll("input");
  const type = (text) => ((box.value = text), box.fire("input"));
  return { form, box, taken, type, list: () => form.querySelectorAll("li").map((one) => one.textContent) };
}

test("a few letters, arrows and Enter give a name that there is, or the new one that was typed", async () => {
  const { form, box, taken, type, list } = offered();
  await type(" o ");
  assert.deepEqual(list(), ["odd one3", "no", "onew tag"]);
  await form.fire("submit");
  await box.fire("keydown", { key: "ArrowUp" }); // round to the last one
  assert.equal(form.querySelector("li.on").textContent, "onew tag");
  await form.fire("submit");
  await type("odd one");
  assert.deepEqual(list(), ["odd one3"]);
  await type("");
  await box.fire("keydown", { key: "ArrowDown" });
  await form.fire("submit");
  await form.querySelectorAll("li")[2].fire("pointerdown");
  assert.deepEqual(taken, ["odd one", "o", "<b>", "no"]);
});

test("nothing typed where there is nothing to offer gives nothing", async () => {
  const { form, taken, box, type } = offered({ names: [] });
  await type("   ");
  await form.fire("submit");
  await box.fire("keydown", { key: "ArrowDown" });
  assert.deepEqual(taken, []);
  await settled();
});

test("a picture is zoomed about the place under the pointer, and fits again", async () => {
  const pane = new ZoomPane("blob:1", "a picture");
  pane.node.getBoundingClientRect = () => ({ left: 0, top: 0, width: 200, height: 100 });
  const place = (px) => (px - pane.x) / pane.scale; // of the picture under a pixel from the middle
  const before = place(50);
  await pane.node.fire("dblclick", { clientX: 150, clientY: 50 });
  assert.deepEqual([pane.scale, place(50)], [4, before]);
  await pane.node.fire("keydown", { key: "ArrowLeft" });
  assert.equal(pane.x, -110);
  for (let n = 0; n < 20; n++) pane.zoom(2);
  assert.equal(pane.scale, 40);
  pane.zoom(0.001, 9, 9);
  assert.deepEqual([pane.scale, pane.x, pane.y], [1, 0, 0]);
  let left = 0;
  pane.key({ key: "ArrowLeft", preventDefault: () => left++, stopPropagation() {} });
  assert.ok(left === 0 && pane.node instanceof Node); // of a picture that fits the arrow is the page's
});
