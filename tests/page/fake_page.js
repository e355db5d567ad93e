// The little of a browser that the page's modules touch, for tests under Node: import it before them. Nodes hold what was
// put into them; nothing here reads HTML, so markup stays the text that it is.

export class Node {
  constructor(tag) {
    Object.assign(this, {
      tagName: tag.toUpperCase(),
      parts: [],
      parent: null,
      listeners: {},
      attributes: {},
    });
    Object.assign(this, { className: "", dataset: {}, hidden: false, disabled: false });
    if (tag === "input") this.value = "";
    this.style = { setProperty: (name, value) => (this.style[name] = String(value)) };
    const names = () => new Set(this.className.split(" ").filter(Boolean));
    const put = (all) => (this.className = [...all].join(" "));
    this.classList = {
      contains: (name) => names().has(name),
      add: (name) => put(names().add(name)),
      remove: (name) => put([...names()].filter((other) => other !== name)),
      toggle: (name, on) => (on ? this.classList.add(name) : this.classList.remove(name)),
    };
  }
  append(...parts) {
    for (const part of parts) {
      if (part instanceof Node) {
        part.remove(); // from where it was
        part.parent = this;
      }
      if (part !== "") this.parts.push(part instanceof Node ? part : String(part));
    }
  }
  replaceChildren(...parts) {
    this.parts = [];
    this.append(...parts);
  }
  replaceWith(other) {
    this.parent.parts[this.parent.parts.indexOf(this)] = other;
  }
  remove() {
    if (this.parent) this.parent.parts = this.parent.parts.filter((part) => part !== this);
  }
  setAttribute(name, value) {
    this.attributes[name] = String(value);
    if (name === "hidden" || name === "disabled") this[name] = true;
    if (name === "title" || name === "src") this[name] = String(value);
  }
  getAttribute(name) {
    return this.attributes[name] ?? null;
  }
  addEventListener(name, run) {
    (this.listeners[name] ??= []).push(run);
  }
  // What a person does to it.
  async fire(name, more = {}) {
    const event = {
      type: name,
      target: this,
      currentTarget: this,
      preventDefault() {},
      stopPropagation() {},
      ...more,
    };
    for (const run of this.listeners[name] ?? []) await run(event);
  }
  click() {
    return this.fire("click");
  }
  focus() {
    globalThis.document.activeElement = this;
  }
  contains(other) {
    return this === other || this.nodes.includes(other);
  }
  closest(selector) {
    for (let at = this; at; at = at.parent) if (matches(at, selector)) return at;
    return null;
  }
  getBoundingClientRect() {
    return { left: 0, top: 0, right: 100, bottom: 20, width: 100, height: 20 };
  }
  get children() {
    return this.parts.filter((part) => part instanceof Node);
  }
  get nodes() {
    return this.children.flatMap((child) => [child, ...child.nodes]);
  }
  querySelectorAll(selector) {
    return this.nodes.filter((node) => selector.split(",").some((one) => matches(node, one.trim())));
  }
  querySelector(selector) {
    return this.querySelectorAll(selector)[0] ?? null;
  }
  get firstChild() {
    return this.parts[0] ?? null;
  }
  get textContent() {
    return this.parts.map((part) => (part instanceof Node ? part.textContent : part)).join("");
  }
  set textContent(text) {
    this.replaceChildren(text);
  }
}

// Of one node alone: a tag, .classes, and [attributes], or data that is asked for as one.
function matches(node, selector) {
  const [, tag, rest] = selector.match(/^([\w-]*)(.*)$/);
  if (tag && node.tagName !== tag.toUpperCase()) return false;
  return [...rest.matchAll(/\.([\w-]+)|\[([\w-]+)=?"?([^\]"]*)"?\]/g)].every(([, name, key, value]) => {
    if (name) return node.classList.contains(name);
    const held = key.startsWith("data-") ? node.dataset[key.slice(5)] : node.attributes[key];
    return held !== undefined && (!value || String(held) === value);
  });
}

const named = new Map();
const fake = {
  document: {
    activeElement: null,
    body: new Node("body"),
    createElement: (tag) => new Node(tag),
    createElementNS: (_, tag) => new Node(tag),
    getElementById(id) {
      if (id === "assay-data") return null; // there is a server
      if (!named.has(id)) named.set(id, new Node("div"));
      return named.get(id);
    },
    addEventListener() {},
  },
  addEventListener() {},
  location: { hash: "", pathname: "/", search: "", origin: "http://here" },
  history: {},
  localStorage: { getItem: () => null, setItem() {}, removeItem() {} },
  matchMedia: () => ({ matches: false, addEventListener() {} }),
  ResizeObserver: class {
    observe() {}
  },
  CSS: { escape: String },
  innerWidth: 1280,
  innerHeight: 720,
  devicePixelRatio: 1,
};
for (const [name, value] of Object.entries(fake))
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });

// What the server tells of a night in which nothing was found.
export const EMPTY_OVERVIEW = {
  sentence: "A night.",
  parent: null,
  history: [],
  gates: [],
  queues: [],
  worth: [],
  health: [],
  rejects: [],
  changes: null,
};

export const at = (id) => globalThis.document.getElementById(id);
export const toasted = () => at("toast").textContent;

let open = 0;

// Answers in place of the server's: `answers(path, body)` gives a value, or throws. Gives the questions as they come.
export function serve(answers) {
  const asked = [];
  globalThis.fetch = async (path, { body, signal } = {}) => {
    signal?.throwIfAborted();
    asked.push([path, body && JSON.parse(body)]);
    open++;
    try {
      const value = await answers(...asked.at(-1));
      return value instanceof Response ? value : Response.json(value);
    } finally {
      open--;
    }
  };
  return asked;
}

// Until nothing is asked any more, and what came has been dealt with.
export async function settled() {
  for (let quiet = 0; quiet < 5; quiet = open ? 0 : quiet + 1) await new Promise((done) => setTimeout(done));
}

// Until something holds; a test that waits in vain says so.
export async function until(holds) {
  for (const end = Date.now() + 10_000; !holds();) {
    if (Date.now() > end) throw new Error(`never: ${holds}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}
