import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Node } from "./fake_page.js";
import cell from "../../assay/explorer/cell.js";

let frame, model, sent, heard;

// A widget's model and the frame of its page; what the page is told is in `heard`, what the kernel is asked in `sent`.
function shown(values = {}) {
  [sent, heard] = [[], []];
  const held = { height: 500, filter: {}, ...values },
    runs = {};
  model = {
    get: (name) => held[name],
    set: (name, value) => (held[name] = value),
    save_changes: () => sent.push({ saved: { ...held } }),
    send: (content, _, buffers = []) => sent.push({ content, buffers }),
    on: (name, run) => (runs[name] = run),
    off: (name) => delete runs[name],
    runs,
  };
  const el = new Node("div");
  const close = cell.render({ model, el });
  [frame] = el.nodes;
  frame.contentWindow = { postMessage: (...given) => heard.push(given) };
  return close;
}

const listeners = new Set();
globalThis.addEventListener = (name, run) => name === "message" && listeners.add(run);
globalThis.removeEventListener = (name, run) => listeners.delete(run);
const says = (data, source = frame.contentWindow) => [...listeners].forEach((run) => run({ source, data }));
const answers = (content, ...buffers) => model.runs["msg:custom"](content, buffers);

beforeEach(() => listeners.clear());

test("the page stands in a frame that may run its script, and nothing else", () => {
  shown();
  assert.equal(frame.getAttribute("sandbox"), "allow-scripts allow-downloads");
  assert.deepEqual(Object.keys(sent[0].content), ["path", "to"]);
  answers({ to: sent[0].content.to, page: "<html>" });
  assert.equal(frame.srcdoc, "<html>");
});

test("a question goes to the kernel with its body, and the answer comes back byte by byte", () => {
  shown();
  const body = Uint8Array.of(1, 2, 3).buffer;
  says({ id: 4, path: "/api/1/points", method: "POST", body });
  const { content, buffers } = sent.at(-1);
  assert.deepEqual(
    [content.id, content.path, content.method, content.body],
    [4, "/api/1/points", "POST", undefined],
  );
  assert.deepEqual(buffers, [body]);
  const all = Uint8Array.of(9, 9, 5, 6, 7, 9).buffer;
  for (const part of [new DataView(all, 2, 3), new Uint8Array(all, 2, 3), Uint8Array.of(5, 6, 7).buffer]) {
    answers({ to: content.to, id: 4, status: 200, type: "x" }, part);
    const [told, target, moved] = heard.at(-1);
    assert.deepEqual([[...new Uint8Array(told.body)], told.id, target], [[5, 6, 7], 4, "*"]);
    assert.equal(moved[0], told.body);
  }
  answers({ to: content.to, id: 5, status: 204, type: "" });
  assert.equal(heard.at(-1)[0].body.byteLength, 0);
});

test("only this page is listened to, and only answers to this view are handed on", () => {
  shown();
  says({ id: 1, path: "/api/1/decide" }, { postMessage() {} });
  assert.equal(sent.length, 1);
  answers({ to: "another view", id: 1, status: 200, type: "" });
  assert.equal(heard.length, 0);
});

test("what is selected in the page is the widget's, and what the program selects is the page's", () => {
  const close = shown({ filter: { text: "x" } });
  says({ view: { filter: { text: "y" }, sample: "s/1" } });
  assert.deepEqual(sent.at(-1).saved, { height: 500, filter: { text: "y" }, sample: "s/1" });
  model.runs["change:filter"]();
  assert.deepEqual(heard.at(-1)[0], { filter: { text: "y" } });
  close();
  assert.equal(listeners.size, 0);
  assert.deepEqual(Object.keys(model.runs), []);
});
