"""The explorer at 10 thousand, 200 thousand and a million points: how long a person waits, and what the server holds.

    python benchmarks/explorer.py [--sizes 10000,200000,1000000] [--home DIR]

Made-up snapshots (tests/explorer/make_snapshot.py), a real server process, a real headless Chromium with software
WebGL, all on this machine. Each wait ends when the plot is drawn, or the gallery shows its pictures:

    start       `assay explore` until the page's address answers (one process, nothing cached)
    overview    opening the page until the night is told in its sentence
    picture     opening the map until the plot is drawn
    first       opening the map until the gallery's first pictures are there, too
    lasso       mouse released around a cluster until the gallery shows its pictures (first time, then again elsewhere)
    filter      "flagged only" of one score until the gallery shows its pictures
    scroll      a jump to the middle of the gallery until its pictures are there
    zoom        a zoom into the plot until the points of that region are drawn
    frames      frames a second while the plot is zoomed and moved without a pause
"""

import argparse
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.conftest import ARGUMENTS, CHROMIUM
from tests.explorer.make_snapshot import make_snapshot
from tests.explorer.page_driver import MAP

SERVE = (
    "import sys; from pathlib import Path; from assay.store.workspace import Workspace; "
    "from assay.explorer.serve import explore; "
    "explore(Workspace(Path(sys.argv[1]), sys.argv[2]), open_browser=False)"
)
PICTURES = """(before) => { const box = document.getElementById('gallery');
    if (Number(box.dataset.loads ?? 0) <= before) return false;
    const shown = [...box.querySelectorAll('.card img')];
    return shown.length > 6 && shown.slice(0, 12).every((i) => i.complete && i.naturalWidth > 0); }"""
FRAMES = """async () => {
    const over = document.querySelector('#plot .over'), began = performance.now();
    let frames = 0;
    while (performance.now() - began < 2000) {
        const deltaY = frames % 20 < 10 ? -40 : 40;
        over.dispatchEvent(new WheelEvent('wheel', { deltaY, clientX: 560, clientY: 380, cancelable: true }));
        await new Promise((drawn) => requestAnimationFrame(drawn));
        frames++;
    }
    return frames / 2; }"""


def main() -> None:
    """Print one line of seconds per size, and the whole as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,200000,1000000")
    parser.add_argument("--home", type=Path, help="keep the made-up snapshots there, and take them from there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = given.home or Path(scratch)
        lines = [measure(home, int(size)) for size in given.sizes.split(",")]
    names = list(lines[0])
    print("".join(f"{name:>14}" for name in names))
    for line in lines:
        print("".join(f"{line[name]:>14,}" for name in names))
    print(json.dumps(lines))


def measure(home: Path, size: int) -> dict:
    """Seconds of each wait at one size."""
    dataset = f"points{size}"
    if not (home / dataset).exists():
        make_snapshot(home, dataset, size, hostile=False, dimensions=64, neighbors=10)
    started = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(home), dataset], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    try:
        address = next(found[0] for line in server.stderr if (found := re.search(r"http://\S+", line)))
        line = {"points": size, "start": round(time.perf_counter() - started, 2)}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            line |= {name: round(value, 2) for name, value in waits(browser, address).items()}
            browser.close()
        return line | {"server_MB": peak_memory(server.pid)}
    finally:
        server.terminate()
        server.wait()


def waits(browser, address: str) -> dict[str, float]:
    """Drive one page through every wait."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    found = {}

    def timed(name, act, done) -> None:
        before = page.evaluate("Number(document.getElementById('gallery')?.dataset.loads ?? 0)") if found else 0
        since = time.perf_counter()
        act()
        done(before)
        found[name] = time.perf_counter() - since

    def pictures(before):
        page.wait_for_function(PICTURES, arg=before, polling=20, timeout=60_000)

    def first(_):
        page.wait_for_selector("#plot[data-state=drawn][data-drawn]", timeout=60_000)
        found["picture"] = time.perf_counter() - opened
        pictures(0)

    opened = time.perf_counter()
    page.goto(address)
    page.wait_for_selector(".headline", timeout=60_000)
    found["overview"] = time.perf_counter() - opened
    page.goto(address.split("?")[0] + MAP)
    opened = time.perf_counter()
    timed("first", page.reload, first)
    page.wait_for_timeout(4_000)
    for name, cluster in (("lasso", 3), ("again", 7)):
        lasso(page, cluster)
        timed(name, page.mouse.up, pictures)
        page.wait_for_timeout(2_500)
    page.locator(".conditions .chip button").last.click()
    page.wait_for_timeout(2_500)
    timed("filter", lambda: page.locator("[data-key='scores.outlier'] .flag").click(), pictures)
    page.locator(".conditions .chip button").last.click()
    page.wait_for_timeout(2_500)
    jump = "(() => { const g = document.getElementById('gallery'); g.scrollTop = g.scrollHeight / 2; })()"
    timed("scroll", lambda: page.evaluate(jump), lambda before: (page.wait_for_timeout(100), pictures(before - 1)))
    page.mouse.move(560, 380)
    since = time.perf_counter()
    page.mouse.wheel(0, -900)
    page.wait_for_timeout(250)
    page.wait_for_function("!document.getElementById('busy').classList.contains('on')", timeout=60_000)
    found["zoom"] = time.perf_counter() - since
    found["frames"] = page.evaluate(FRAMES)
    return {
        name: found[name]
        for name in ("overview", "picture", "first", "lasso", "again", "filter", "scroll", "zoom", "frames")
    }


def lasso(page, cluster: int) -> None:
    """Draw around one cluster of the ring of ten, up to but without letting go of the button."""
    box = page.locator("#plot").bounding_box()
    camera = json.loads(page.locator("#plot").get_attribute("data-camera"))
    angle, scale = 2 * math.pi * cluster / 10, camera["scale"]
    cx = box["x"] + box["width"] / 2 + (6 * math.cos(angle) - camera["x"]) * scale
    cy = box["y"] + box["height"] / 2 - (6 * math.sin(angle) - camera["y"]) * scale
    page.mouse.move(cx + 1.8 * scale, cy)
    page.mouse.down()
    for step in range(1, 25):
        turn = step * math.pi / 12
        page.mouse.move(cx + 1.8 * scale * math.cos(turn), cy + 1.8 * scale * math.sin(turn))


def peak_memory(process: int) -> int:
    """Largest resident memory of a process so far, in MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024


if __name__ == "__main__":
    if CHROMIUM is None or shutil.which(CHROMIUM) is None:
        sys.exit("no chromium here; install one to measure the explorer")
    main()
