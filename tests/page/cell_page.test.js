import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { beforeEach, test } from "node:test";
import vm from "node:vm";

const SOURCE = readFileSync(new URL("../../assay/explorer/cell_page.js", import.meta.url), "utf8");
let asked, told, hears, popped, world, own;

// The page's window inside a notebook's frame: what it asks of its parent is in `asked`, what it tells it in `told`.
beforeEach(() => {
  [asked, told, popped, own] = [[], [], 0, []];
  const parent = { postMessage: (data) => (data.view ? told : asked).push(data) };
  class Element {
    setAttribute(name, value) {
      this[name] = value;
    }
  }
  class HTMLImageElement extends Element {
    set src(address) {
      own.push(address);
    }
    dispatchEvent(event) {
      own.push(event.type);
    }
  }
  const location = { href: "about:srcdoc", hash: "" };
  world = {
    parent,
    location,
    Element,
    HTMLImageElement,
    Blob,
    Response,
    TextEncoder,
    Map,
    Promise,
    JSON,
    Object,
    String,
    history: {
      replaceState(_, __, where) {
        location.href = where;
        location.hash = where.slice(where.indexOf("#")).replace(/^#$/, "");
      },
    },
    URL: { createObjectURL: (blob) => `blob:${blob.size}`, revokeObjectURL() {} },
    document: { getElementById: () => ({ textContent: '{"s": 3}' }) },
    addEventListener: (_, run) => (hears = (data, source = parent) => run({ source, data })),
    dispatchEvent: () => popped++,
    PopStateEvent: class {},
    Event: class {
      constructor(type) {
        this.type = type;
      }
    },
    decodeURIComponent,
    encodeURIComponent,
  };
  world.window = world;
  vm.runInNewContext(SOURCE, world);
});

const view = () => JSON.parse(decodeURIComponent(world.location.hash.slice(1)) || "{}");
const bytes = (text) => new TextEncoder().encode(text).buffer;
const soon = () => new Promise((done) => setTimeout(done));

test("the page opens on the snapshot of the cell", () => assert.deepEqual(view(), { s: 3 }));

test("a question is a message to the parent, and its answer a response as of a server", async () => {
  const answer = world.fetch("/api/3/facets", { method: "POST", body: '{"ä": 1}' });
  await soon();
  const [{ id, path, method, body }] = asked;
  assert.deepEqual([path, method, new TextDecoder().decode(body)], ["/api/3/facets", "POST", '{"ä": 1}']);
  hears({ id, status: 418, type: "application/json", body: bytes("forged") }, { other: "window" });
  hears({ id, status: 409, type: "application/json", body: bytes('{"error": "x"}') });
  const found = await answer;
  assert.deepEqual([found.status, found.ok, await found.json()], [409, false, { error: "x" }]);
});

test("answers in any order find their questions, and one that was called off finds none", async () => {
  const abort = new AbortController();
  const both = ["a", "b"].map((path) => world.fetch(path));
  const off = world.fetch("c", { signal: abort.signal });
  await soon();
  abort.abort(new Error("off"));
  await assert.rejects(off, /off/);
  for (const at of [2, 1, 0]) hears({ id: asked[at].id, status: 200, type: "", body: bytes(asked[at].path) });
  assert.deepEqual(await Promise.all(both.map(async (one) => (await one).text())), ["a", "b"]);
  await assert.rejects(world.fetch("d", { signal: abort.signal }), /off/);
});

test("a picture comes through the kernel once, and again where it failed", async () => {
  const image = new world.HTMLImageElement(),
    answer = async (status) => {
      await soon();
      hears({ id: asked.at(-1).id, status, type: "image/jpeg", body: bytes("pixels") });
      await soon();
    };
  image.src = "/api/3/thumbnail?row=1";
  await answer(404);
  image.setAttribute("src", "/api/3/thumbnail?row=1");
  await answer(200);
  image.src = "/api/3/thumbnail?row=1";
  await soon();
  assert.deepEqual(own, ["error", "blob:6", "blob:6"]);
  assert.equal(asked.length, 2);
  image.src = "blob:mine";
  image.setAttribute("alt", "x");
  assert.deepEqual([own.at(-1), image.alt], ["blob:mine", "x"]);
});

test("what changes in the view is told, and only that; the notebook's Back stays the notebook's", () => {
  const write = (next) => world.history.pushState(null, "", `#${encodeURIComponent(JSON.stringify(next))}`);
  write({ s: 3, f: { text: "x" } });
  write({ s: 3, f: { text: "x" }, v: [1, 2, 3] });
  write({ s: 3, i: "s/1" });
  world.history.pushState(null, "", "/");
  assert.deepEqual(JSON.parse(JSON.stringify(told.map((one) => one.view))), [
    { filter: { text: "x" }, number: 3, sample: null },
    { filter: {}, sample: "s/1" },
    { number: null, sample: null },
  ]);
});

test("a selection by the program is shown on the map, once, and not told back", () => {
  hears({ filter: { flags: ["dark"] } });
  hears({ filter: { flags: ["dark"] } });
  assert.deepEqual([view(), popped], [{ s: 3, p: "map", f: { flags: ["dark"] } }, 1]);
  world.history.replaceState(null, "", world.location.hash);
  assert.deepEqual(JSON.parse(JSON.stringify(told[0].view)), { number: 3, sample: null });
});

test("a page that may store nothing has a memory while it is open", () => {
  world.localStorage.setItem("wide", 5);
  assert.deepEqual([world.localStorage.getItem("wide"), world.localStorage.getItem("no")], ["5", null]);
  world.localStorage.removeItem("wide");
  assert.equal(world.localStorage.getItem("wide"), null);
});
