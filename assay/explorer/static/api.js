// Every question to the server, with one sign of work for whatever takes longer than 300 ms.
import { offline } from "./offline.js";

const working = new Map();
let ticket = 0;

function show() {
  const node = document.getElementById("busy");
  const late = [...working.values()].filter((job) => performance.now() - job.since > 290);
  node.textContent = late.length ? `${late.at(-1).what} …` : "";
  node.classList.toggle("on", late.length > 0);
}

async function during(what, promise) {
  const id = ++ticket;
  working.set(id, { what, since: performance.now() });
  setTimeout(show, 300);
  try {
    return await promise;
  } finally {
    working.delete(id);
    show();
  }
}

export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const MOST_WORDS = 1000;

// What an answer that is a refusal says: the explorer's own words, or what a proxy before it means.
function refusal(text, { status, statusText, headers }) {
  const kind = headers.get("content-type") ?? "";
  if (kind.startsWith("application/json")) {
    try {
      const { error } = JSON.parse(text);
      if (error) return String(error);
    } catch {
      // no words in it
    }
  } else if (kind.startsWith("text/plain") && text.trim()) return text.trim().slice(0, MOST_WORDS);
  return `The explorer cannot be reached (${`${status} ${statusText}`.trim()}).`;
}

async function ask(what, url, body, kind = "json", signal = undefined) {
  const options =
    body === undefined
      ? { signal }
      : {
          method: "POST",
          headers: { "content-type": body instanceof Blob ? "application/octet-stream" : "application/json" },
          body: body instanceof Blob ? body : JSON.stringify(body),
          signal,
        };
  return during(
    what,
    (async () => {
      let answer;
      try {
        answer = await fetch(url, options);
      } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new ServerError("The explorer does not answer; is it still running?", 0);
      }
      if (!answer.ok) {
        throw new ServerError(refusal(await answer.text(), answer), answer.status);
      }
      return kind === "json" ? answer.json() : kind === "blob" ? answer.blob() : answer.arrayBuffer();
    })(),
  );
}

const query = (values) => new URLSearchParams(values).toString();

const online = {
  offline: false,
  snapshots: () => ask("Looking for snapshots", "/api/snapshots"),
  meta: (n) => ask("Opening the snapshot", `/api/${n}/meta`),
  points: async (n, body, signal) =>
    unpack(await ask("Choosing points", `/api/${n}/points`, body, "bytes", signal), body.kind),
  facets: (n, body, signal) => ask("Counting", `/api/${n}/facets`, body, "json", signal),
  gallery: (n, body, signal) => ask("Finding samples", `/api/${n}/gallery`, body, "json", signal),
  lifts: (n, filter) => ask("Looking for what to lift", `/api/${n}/lifts`, { filter }),
  picture: (n, file) => ask("Embedding the picture", `/api/${n}/picture`, file),
  overview: (n) => ask("Reading the night", `/api/${n}/overview`),
  queue: (n, key, filter) => ask("Filling the queue", `/api/${n}/queue`, { key, filter }),
  cards: (n, rows) => ask("Finding samples", `/api/${n}/cards`, { rows }),
  names: (n, method) => ask("Finding names", `/api/${n}/names?${query({ method })}`),
  classes: (n) => ask("Reading the classes", `/api/${n}/classes`),
  evaluation: (n, filter) => ask("Comparing with the predictions", `/api/${n}/evaluation`, { filter }),
  bring: (csv) => ask("Keeping the predictions", "/api/predictions", { lines: csv.split(/\r?\n/) }),
  views: () => ask("Reading saved views", "/api/views"),
  saveView: (name, state) => ask("Saving the view", "/api/views", { name, state }),
  duplicates: (n, body) => ask("Grouping duplicates", `/api/${n}/duplicates`, body),
  leaks: (n, body) => ask("Finding leaks", `/api/${n}/leaks`, body),
  confusion: (n) => ask("Counting labels", `/api/${n}/confusion`),
  table: (n, name, offset = 0, limit = 300) =>
    ask("Reading a table", `/api/${n}/table/${name}?${query({ offset, limit })}`),
  sample: (n, id) => ask("Opening the sample", `/api/${n}/sample?${query({ id })}`),
  peek: (n, row) => ask("Looking", `/api/${n}/peek?row=${row}`),
  history: (n, id) => ask("Reading older snapshots", `/api/${n}/history?${query({ id })}`),
  decide: (n, body) => ask("Writing the decision", `/api/${n}/decide`, body),
  undo: (n, batch) => ask("Undoing", `/api/${n}/undo`, { batch }),
  decisions: () => ask("Reading decisions", "/api/decisions"),
  exported: (n, body) => ask("Preparing the file", `/api/${n}/export`, body, "blob"),
  compare: (n, other, change = "", metric = "") =>
    ask("Comparing snapshots", `/api/${n}/compare/${other}?${query({ change, metric })}`),
  comparePlots: (n, other, method) =>
    ask("Comparing snapshots", `/api/${n}/compare/${other}/plots?${query({ method })}`),
  raw: (n, row) => ask("Reading the file", `/api/${n}/raw?row=${row}`, undefined, "blob"),
  thumbnail: (n, row) => `/api/${n}/thumbnail?row=${row}`,
};

export function unpack(buffer, kind) {
  const [count, there, selected, deep] = new Uint32Array(buffer, 0, 4);
  let at = 16;
  const take = (Kind) => {
    const part = new Kind(buffer, at, count);
    at += part.byteLength;
    return part;
  };
  const points = { count, there, selected, x: take(Float32Array), y: take(Float32Array) };
  points.z = deep ? take(Float32Array) : null;
  points.row = take(Uint32Array);
  points.color = kind === "category" ? take(Uint16Array) : take(Float32Array);
  points.chosen = take(Uint8Array);
  points.flagged = take(Uint8Array);
  return points;
}

export const api = document.getElementById("assay-data") ? offline : online;
