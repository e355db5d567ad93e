import assert from "node:assert/strict";
import { test } from "node:test";
import { at, serve } from "./fake_page.js";
import { api, ServerError, unpack } from "../../assay/explorer/static/api.js";

const refused = (body, status, kind, statusText = "") =>
  serve(() => new Response(body, { status, statusText, headers: { "content-type": kind } }));

async function says(...answer) {
  refused(...answer);
  const error = await api.overview(1).catch((problem) => problem);
  assert.ok(error instanceof ServerError && error.status === answer[1]);
  return error.message;
}

test("a refusal speaks in the explorer's own words", async () => {
  assert.equal(await says('{"error": "no column \'x\'"}', 404, "application/json"), "no column 'x'");
  assert.equal(
    await says("This explorer asks for a token.", 401, "text/plain; charset=utf-8"),
    "This explorer asks for a token.",
  );
});

test("what a proxy says instead is no page of HTML, and never `undefined`", async () => {
  const html = "<html><script>alert(1)</script>".repeat(99);
  assert.equal(
    await says(html, 502, "text/html", "Bad Gateway"),
    "The explorer cannot be reached (502 Bad Gateway).",
  );
  for (const body of ["{}", "null", "[]", '{"detail": 5}', "{", ""])
    assert.equal(await says(body, 500, "application/json"), "The explorer cannot be reached (500).");
  assert.equal((await says("x".repeat(9000), 400, "text/plain")).length, 1000);
});

test("a server that is gone is said to be gone, and a question that was called off is none", async () => {
  serve(() => {
    throw new TypeError("fetch failed");
  });
  await assert.rejects(api.meta(1), {
    message: "The explorer does not answer; is it still running?",
    status: 0,
  });
  const abort = new AbortController();
  abort.abort();
  await assert.rejects(api.facets(1, {}, abort.signal), { name: "AbortError" });
});

test("ids and names are data in an address, whatever they are", async () => {
  const asked = serve(() => ({}));
  await api.sample(1, "a&b=c#d/../é");
  await api.compare(2, 1, "new_issue&x=1", "dark?");
  const [[sample], [compare]] = asked.map(([path]) => [new URL(path, "http://here")]);
  assert.equal(sample.searchParams.get("id"), "a&b=c#d/../é");
  assert.deepEqual([...compare.searchParams.keys()], ["change", "metric"]);
  assert.equal(compare.searchParams.get("change"), "new_issue&x=1");
  await api.bring("sample_id,predicted\r\na,cat\nb,dog");
  assert.deepEqual(asked.at(-1)[1], { lines: ["sample_id,predicted", "a,cat", "b,dog"] });
});

test("what takes long is named while it does, and no longer", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const now = t.mock.method(performance, "now", () => 0);
  let answer;
  serve(() => new Promise((done) => (answer = done)));
  const asked = api.confusion(1);
  now.mock.mockImplementation(() => 400);
  t.mock.timers.tick(300);
  assert.equal(at("busy").textContent, "Counting labels …");
  await Promise.resolve();
  answer({});
  await asked;
  assert.equal(at("busy").textContent, "");
});

test("points come as columns after a header of four", () => {
  const head = Uint32Array.of(2, 9, 1, 0),
    columns = [Float32Array.of(1, 2), Float32Array.of(3, 4), Uint32Array.of(5, 6)];
  const packed = (...parts) => new Blob(parts).arrayBuffer();
  const flags = [Uint8Array.of(1, 0), Uint8Array.of(0, 1)];
  const told = async (kind, ...parts) => unpack(await packed(...parts), kind);
  const plain = (points) =>
    Object.fromEntries(Object.entries(points).map(([k, v]) => [k, v?.buffer ? [...v] : v]));
  const wanted = {
    count: 2,
    there: 9,
    selected: 1,
    x: [1, 2],
    y: [3, 4],
    z: null,
    row: [5, 6],
    chosen: [1, 0],
    flagged: [0, 1],
  };
  return Promise.all([
    told("category", head, ...columns, Uint16Array.of(7, 65535), ...flags).then((points) =>
      assert.deepEqual(plain(points), { ...wanted, color: [7, 65535] }),
    ),
    told(
      "number",
      Uint32Array.of(2, 9, 1, 1),
      columns[0],
      columns[1],
      columns[0],
      columns[2],
      Float32Array.of(0.5, 2),
      ...flags,
    ).then((points) => assert.deepEqual(plain(points), { ...wanted, z: [1, 2], color: [0.5, 2] })),
  ]);
});
