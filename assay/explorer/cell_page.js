// What the page has a server for, where it stands in a notebook's cell: questions, pictures, a memory, an address.
// Everything is asked of the frame's parent, which hands it to the kernel; what is selected is told in the same way.
(() => {
  const waiting = new Map(),
    pictures = new Map(); // address → promise of a blob's address
  const KEPT = 3_000; // pictures
  let last = 0;

  function ask(path, method, body, signal) {
    return new Promise((resolve, reject) => {
      const id = ++last;
      waiting.set(id, resolve);
      signal?.addEventListener("abort", () => waiting.delete(id) && reject(signal.reason));
      parent.postMessage({ id, path, method, body }, "*", body ? [body] : []);
    });
  }

  addEventListener("message", ({ source, data }) => {
    if (source !== parent) return;
    if (data.filter) return show(data.filter);
    waiting.get(data.id)?.(data);
    waiting.delete(data.id);
  });

  window.fetch = async (path, { method = "GET", body, signal } = {}) => {
    signal?.throwIfAborted();
    const bytes = body instanceof Blob ? await body.arrayBuffer() : body && new TextEncoder().encode(body).buffer;
    const answer = await ask(path, method, bytes, signal);
    return new Response(answer.body, { status: answer.status, headers: { "content-type": answer.type } });
  };

  async function picture(path) {
    const answer = await fetch(path);
    if (!answer.ok) throw new Error(path);
    return URL.createObjectURL(await answer.blob());
  }

  function known(path) {
    if (!pictures.has(path)) {
      pictures.set(path, picture(path));
      pictures.get(path).catch(() => pictures.delete(path)); // to be asked for again
    }
    while (pictures.size > KEPT) {
      const [old, made] = pictures.entries().next().value;
      pictures.delete(old);
      made.then(URL.revokeObjectURL, () => {});
    }
    return pictures.get(path);
  }

  const own = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, "src");
  const give = (image, address) => {
    if (!String(address).startsWith("/api/")) return own.set.call(image, address);
    known(address).then(
      (found) => own.set.call(image, found),
      () => image.dispatchEvent(new Event("error")),
    );
  };
  Object.defineProperty(HTMLImageElement.prototype, "src", { ...own, set(address) { give(this, address); } });
  const set = Element.prototype.setAttribute;
  HTMLImageElement.prototype.setAttribute = function (name, value) {
    return name === "src" ? give(this, value) : set.call(this, name, value);
  };

  const memory = new Map();
  Object.defineProperty(window, "localStorage", {
    value: {
      getItem: (name) => memory.get(name) ?? null,
      setItem: (name, value) => memory.set(name, String(value)),
      removeItem: (name) => memory.delete(name),
    },
  });

  // The notebook's own Back stays the notebook's: a step is written over, never added.
  const view = () => JSON.parse(decodeURIComponent(location.hash.slice(1)) || "{}");
  const replace = history.replaceState.bind(history);
  const told = { filter: "{}" };
  const go = (next) => replace(null, "", `${location.href.split("#")[0]}${next}`);
  const addressOf = (next) => `#${encodeURIComponent(JSON.stringify(next))}`;
  history.replaceState = history.pushState = (_, __, where) => {
    go(where.startsWith("#") ? where : "#");
    const { f = {}, s = null, i = null } = view();
    const now = { filter: f, number: s, sample: i };
    const moved = Object.entries(now).filter(([name, value]) => JSON.stringify(value) !== told[name]);
    for (const [name, value] of moved) told[name] = JSON.stringify(value);
    if (moved.length) parent.postMessage({ view: Object.fromEntries(moved) }, "*");
  };

  // The kernel's program asks for a selection.
  function show(filter) {
    if (JSON.stringify(filter) === (told.filter ?? "{}")) return;
    told.filter = JSON.stringify(filter);
    go(addressOf({ ...view(), p: "map", f: filter }));
    dispatchEvent(new PopStateEvent("popstate"));
  }

  go(addressOf(JSON.parse(document.getElementById("assay-cell").textContent)));
})();
