"""The explorer among strangers: fuzzed requests, another account of the machine, a page of another origin."""

import functools
import os
import random
import re
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

from starlette.testclient import TestClient

from assay.explorer.serve import explore
from assay.explorer.server import make_app
from assay.store.workspace import Workspace
from benchmarks.hardening.common import Bench, Child, Row, inside
from benchmarks.hardening.evil_page import visit
from benchmarks.hardening.places import NOBODY, _become_nobody
from tests.explorer.make_snapshot import make_snapshot
from tests.explorer.test_fuzz import GETS, POSTS, QUERIES, made_body
from tests.explorer.visit import BEARER, VISITORS

REQUESTS = 2_000  # a route


def rows(bench: Bench) -> list[Row]:
    """Each kind of stranger."""
    return [fuzzed(bench), other_account(bench), other_origin(bench)]


def explored(bench: Bench) -> Path:
    """A home with two made-up snapshots."""
    home = bench.base / "explored"
    if not home.exists():
        inside(make_snapshot, home, "toy", 1200, 1)
        inside(make_snapshot, home, "toy", 1200, 2, 1)
    return home


def fuzzed(bench: Bench) -> Row:
    """Every route in turn, with hostile values."""
    home = explored(bench)
    n, seconds = bench.times(REQUESTS * len([*POSTS, *GETS])), bench.seconds
    row = Row(f"fuzzed requests at {len(POSTS) + len(GETS)} routes of the explorer")
    found = inside(_fuzz, home, n, bench.seed, seconds, seconds=seconds + 120)
    if found.problem:
        row.count(found.problem)
        return row
    row.tried, row.lost = found.value
    row.survived = row.tried - len(row.lost)
    return row


def _fuzz(home: Path, n: int, seed: int, seconds: float) -> tuple[int, list[str]]:
    dice, end, lost, tried = random.Random(seed), time.monotonic() + seconds, [], 0
    app = make_app(Workspace(home, "toy"), VISITORS)
    client = TestClient(app, base_url="http://127.0.0.1:8000", headers=BEARER, raise_server_exceptions=False)
    routes: list[tuple[str, list[str], bool]] = [(path, fields, True) for path, fields in POSTS.items()]
    routes += [(path, fields, False) for path, fields in GETS.items()]
    while tried < n and time.monotonic() < end:
        path, fields, is_post = routes[tried % len(routes)]
        tried += 1
        if is_post:
            asked = made_body(dice, fields)
            content = asked.encode()
            answer = client.post(f"/api/{path}", content=content, headers={"content-type": "application/json"})
        else:
            asked = "&".join(f"{name}={dice.choice(QUERIES)}" for name in [*fields, *dice.sample(["x", "limit"], 1)])
            answer = client.get(f"/api/{path}?{asked}")
        if answer.status_code >= 500:
            lost.append(f"{path} {asked[:200]}: {answer.status_code} {answer.text[:200]}")
    return tried, lost


def started(home: Path, dataset: str = "toy") -> tuple[Child, str]:
    """A real explorer, and its link."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    child = Child(functools.partial(explore, Workspace(home, dataset), port=port, open_browser=False))
    for _ in range(600):
        if found := re.search(r"http://\S+token=\S+", child.log.read_text(errors="replace")):
            return child, found[0]
        time.sleep(0.1)
    raise RuntimeError(f"the explorer does not start: {child.wait(1).said}")


def other_account(bench: Bench) -> Row:
    """What an account without rights finds out and gets on the same machine."""
    home = explored(bench)
    row = Row("attacks on a running explorer from another account")
    if os.geteuid() != 0:
        row.left_out = "this account cannot become another"
        return row
    explorer, link = started(home)
    try:
        found = Child(functools.partial(_attack, explorer.pid, link.split("?")[0], link.split("token=")[1], home),
                      functools.partial(_become_nobody, reads_all=False)).wait()  # fmt: skip
        if found.problem:
            row.count(found.problem)
        for words in found.value or {}:
            row.count(found.value[words] or None)
        row.count(None if explorer.kill(0) else "the explorer ended")
    finally:
        explorer.kill()
        explorer.wait()
    return row


def _attack(process: int, address: str, token: str, home: Path) -> dict[str, str]:
    """What was tried → what it gave away; empty where nothing."""
    assert os.getuid() == NOBODY
    found = {}
    for name in ("cmdline", "environ", "maps", "fd", "cwd"):
        place = Path(f"/proc/{process}/{name}")
        try:
            seen = str(list(place.iterdir())) if name == "fd" else place.read_bytes().decode("latin-1")
        except OSError:
            seen = ""
        found[f"/proc/{name}"] = f"the token is in /proc/…/{name}" if token in seen else ""
    attempts: list[tuple[str, dict[str, str]]] = [("", {}), ("api/snapshots", {}), ("api/1/thumbnail?row=0", {})]
    attempts += [(f"?token={guess}", {}) for guess in ("", "x", token[:-1], token.upper(), token + "x")]
    attempts += [("api/snapshots", {"authorization": f"Bearer {token[:-1]}"}), ("api/snapshots", {"host": "evil"})]
    attempts += [
        ("api/snapshots", {"cookie": f"assay_token={token}x"}),
        ("static/app.js", {}),
        ("../../etc/passwd", {}),
    ]
    for path, headers in attempts:
        try:
            with urllib.request.urlopen(urllib.request.Request(address + path, headers=headers), timeout=20) as answer:
                found[f"{path} {headers}"] = f"{path} {headers} answers {answer.status}"
        except urllib.error.HTTPError as error:
            found[f"{path} {headers}"] = "" if 400 <= error.code < 500 else f"{path} answers {error.code}"
    try:
        (home / "toy" / "decisions").mkdir(exist_ok=True)
        (home / "toy" / "decisions" / "part-000000000001-evil.parquet").write_bytes(b"")
        found["writing a decision"] = "another account wrote into the home"
    except OSError:
        found["writing a decision"] = ""
    return found


def other_origin(bench: Bench) -> Row:
    """A browser that knows the token opens a page of another origin, which tries to reach the explorer."""
    home = explored(bench)
    row = Row("a page of another origin in a browser that knows the token")
    decisions = home / "toy" / "decisions"
    before = set(decisions.glob("part-*"))  # by the fuzzed requests, some of which are good
    explorer, link = started(home)
    try:
        found = inside(visit, link)
        seen = found.value
        if not isinstance(seen, dict):
            row.left_out = seen or found.said[-300:]
            return row
        for attempt, got in seen.items():
            row.count(f"{attempt}: {got}" if got else None)
        made = [path.name for path in set(decisions.glob("part-*")) - before if "none" not in path.name]
        row.count(f"it made decisions: {made}" if made else None)
    finally:
        explorer.kill()
        explorer.wait()
    return row
