"""A page of another origin, which tries all that a page can against an explorer whose visitor looks at it."""

import functools
import http.server
import json
import shutil
import threading
from importlib.util import find_spec

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
ATTEMPTS = 10
PAGE = """<!doctype html><meta charset="utf-8"><pre id="out">{}</pre><script>
const there = "ADDRESS", seen = {}, json = {"content-type": "application/json"};
const drop = JSON.stringify({kind: "drop", ids: ["s/0000001"]});
const note = (name, got) => { seen[name] = got; document.getElementById("out").textContent = JSON.stringify(seen); };
const read = (name, path, options) => fetch(there + path, options).then(
  async (answer) => note(name, answer.type === "opaque" ? "" : `read ${answer.status}: ${await answer.text()}`),
  () => note(name, ""));
const load = (name, tag, path, key = "src") => {
  const made = document.createElement(tag);
  made.onload = () => note(name, tag === "iframe" ? frame(made) : "it loaded");
  made.onerror = () => note(name, "");
  made[key] = there + path;
  document.body.append(made);
};
const frame = (made) => { try { return made.contentDocument.body.innerText.slice(0, 80); } catch { return ""; } };
(async () => {
  await read("fetch with cookies", "api/snapshots", {credentials: "include"});
  await read("fetch of the page", "", {credentials: "include"});
  await read("post with cookies", "api/1/decide", {method: "POST", credentials: "include", headers: json, body: drop});
  await read("post without a preflight", "api/1/decide",
    {method: "POST", mode: "no-cors", credentials: "include", headers: {"content-type": "text/plain"}, body: drop});
  await read("beacon's kind of post", "api/1/decide", {method: "POST", mode: "no-cors", credentials: "include",
    body: new Blob([drop], {type: "application/x-www-form-urlencoded"})});
  load("picture", "img", "api/1/thumbnail?row=0");
  load("script", "script", "static/app.js");
  load("frame", "iframe", "");
  try { navigator.sendBeacon(there + "api/1/decide", drop); note("beacon", ""); } catch { note("beacon", ""); }
  const socket = new WebSocket(there.replace("http", "ws") + "api/1/facets");
  socket.onopen = () => note("socket", "it opened");
  socket.onerror = () => note("socket", "");
})();
</script>"""


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


def visit(link: str) -> dict[str, str] | str:
    """What each attempt of the page got (empty: nothing), or why there is no browser to try it in."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None or find_spec("playwright") is None:
        return "no Chromium on this machine, or no Playwright"
    from playwright.sync_api import sync_playwright

    address = link.split("?")[0]
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, PAGE.replace("ADDRESS", address))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as started:
        page = started.chromium.launch(executable_path=browser, args=FLAGS).new_context().new_page()
        page.goto(link)
        if page.request.get(address + "api/snapshots").status != 200:
            return "the browser does not keep the explorer's cookie"
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.wait_for_function(f"Object.keys(JSON.parse(out.textContent)).length >= {ATTEMPTS}", timeout=60_000)
        return dict(json.loads(page.inner_text("#out")))
