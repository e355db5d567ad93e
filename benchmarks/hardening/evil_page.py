"""A page of another origin, which tries all that a page can against a server whose visitor looks at it."""

import functools
import http.server
import json
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
PAGE = """<!doctype html><meta charset="utf-8"><pre id="out">{}</pre><script>
const there = "ADDRESS", seen = {}, json = {"content-type": "application/json"};
const note = (name, got) => { seen[name] = got; document.getElementById("out").textContent = JSON.stringify(seen); };
const read = (name, path, options) => fetch(there + path, options).then(
  async (answer) => note(name, answer.type === "opaque" ? "" : `read ${answer.status}: ${await answer.text()}`),
  () => note(name, ""));
const post = (name, path, body, kind) => read(name, path,
  {method: "POST", mode: "no-cors", credentials: "include", body: new Blob([body], {type: kind})});
const load = (name, tag, path, key = "src") => {
  const made = document.createElement(tag);
  made.onload = () => note(name, tag === "iframe" ? frame(made) : "it loaded");
  made.onerror = () => note(name, "");
  made[key] = there + path;
  document.body.append(made);
};
const frame = (made) => { try { return made.contentDocument.body.innerText.slice(0, 80); } catch { return ""; } };
const connect = (name, path) => {
  const socket = new WebSocket(there.replace("http", "ws") + path);
  socket.onopen = () => note(name, "it opened");
  socket.onerror = () => note(name, "");
};
const beacon = (name, path, body) => {
  try { navigator.sendBeacon(there + path, body); note(name, ""); } catch { note(name, ""); }
};
(async () => { ATTEMPTS })();
</script>"""


@dataclass(frozen=True)
class Attempts:
    """What a page does, in the words of `PAGE`.

    Attributes:
        script: the statements.
        count: how many of them note what they got.
        known: a path that answers 200 to who knows what the visitor knows.
    """

    script: str
    count: int
    known: str


EXPLORER = Attempts(
    """
  const drop = JSON.stringify({kind: "drop", ids: ["s/0000001"]});
  await read("fetch with cookies", "api/snapshots", {credentials: "include"});
  await read("fetch of the page", "", {credentials: "include"});
  await read("post with cookies", "api/1/decide", {method: "POST", credentials: "include", headers: json, body: drop});
  await post("post without a preflight", "api/1/decide", drop, "text/plain");
  await post("beacon's kind of post", "api/1/decide", drop, "application/x-www-form-urlencoded");
  load("picture", "img", "api/1/thumbnail?row=0");
  load("script", "script", "static/app.js");
  load("frame", "iframe", "");
  beacon("beacon", "api/1/decide", drop);
  connect("socket", "api/1/facets");""",
    10,
    "api/snapshots",
)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers everything with the page."""

    def __init__(self, page: str, *arguments: object) -> None:
        self.page = page
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """The page."""
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.page.encode())

    def log_message(self, *_: object) -> None:
        """Nothing."""


def visit(link: str, attempts: Attempts = EXPLORER, headers: Mapping[str, str] | None = None) -> dict[str, str] | str:
    """What each attempt of the page got (empty: nothing), or why there is no browser to try it in.

    Args:
        link: opened first, by a visitor who may.
        headers: sent with every request of the browser, also with those of the page: a visitor who is known anyhow.
    """
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None or find_spec("playwright") is None:
        return "no Chromium on this machine, or no Playwright"
    from playwright.sync_api import sync_playwright

    address = link.split("?")[0]
    words = PAGE.replace("ATTEMPTS", attempts.script).replace("ADDRESS", address)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, words))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as started:
        page = started.chromium.launch(executable_path=browser, args=FLAGS).new_context().new_page()
        page.set_extra_http_headers(dict(headers or {}))
        page.goto(link)
        if page.request.get(address + attempts.known, headers=dict(headers or {})).status != 200:
            return "the browser is not let in, so nothing can be tried from it"
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.wait_for_function(f"Object.keys(JSON.parse(out.textContent)).length >= {attempts.count}", timeout=60_000)
        return dict(json.loads(page.inner_text("#out")))
