"""Many at once on one dataset: five who run it, one who removes what is old, a reader, two explorers that decide."""

import functools
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.hardening.common import Bench, Child, Row, command, inside, night, undisturbed, whole_after
from benchmarks.hardening.kills import _batches
from benchmarks.hardening.strangers import started

SECONDS = 300.0
ROOT = Path(__file__).parents[2]


def rows(bench: Bench) -> list[Row]:
    """One home for all, and new homes."""
    return [all_at_once(bench), *in_new_homes(bench)]


def in_new_homes(bench: Bench) -> list[Row]:
    """Without Prefect and with it."""
    return [new_home(bench, "assay run", 20), new_home(bench, "the flow by hand", 5)]


def new_home(bench: Bench, what: str, count: int) -> Row:
    """Two nights of one dataset that start together where nothing is yet; each publishes."""
    row, left, wanted = Row(f"two at once in a new home, {what}"), bench.until(), undisturbed(bench.base)
    for _ in range(bench.times(count)):
        if not left():
            break
        home = bench.base / "new"
        shutil.rmtree(home, ignore_errors=True)
        if what == "assay run":
            pair = [night(bench.base, home), night(bench.base, home)]
            ends = [(end.status, end.said) for end in [child.wait() for child in pair]]
        else:
            ends = _by_hand(bench.base, home)
        wrong = [f"ended with {status}: {said[-300:]}" for status, said in ends if status != 0]
        row.count(wrong[0] if wrong else whole_after(bench.base, home, wanted))
    return row


def _by_hand(base: Path, home: Path) -> list[tuple[int | None, str]]:
    """Statuses and words of two that share a Prefect server's folder."""
    call = [sys.executable, "flows/quality_snapshot.py", str(base / "spec.toml"), str(home)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    runs = [
        subprocess.Popen(call, cwd=ROOT, env=clean, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    ]
    return [(run.returncode, said) for run, said in [(run, run.communicate(timeout=300)[0]) for run in runs]]


def all_at_once(bench: Bench) -> Row:
    """One row; a try is one command that ended, a decision that was asked for, or a check at the end."""
    seconds = min(SECONDS * bench.share, bench.seconds)
    row = Row(f"five runs, gc, a reader and two explorers that decide, together for {seconds:.0f} s")
    home, wanted = bench.base / "shared-by-all", undisturbed(bench.base)
    shutil.rmtree(home, ignore_errors=True)
    night(bench.base, home).wait()
    explorers = [started(home, "tiny") for _ in range(2)]
    links = [(link.split("?")[0], link.split("token=")[1]) for _, link in explorers]
    notes = [bench.base / f"decided-by-{number}" for number in range(2)]
    deciders = [Child(functools.partial(decide, *link, note, seconds)) for link, note in zip(links, notes, strict=True)]
    at_once(row, [functools.partial(night, bench.base, home)] * 5 + [_gc(home), _reader(home)], seconds)
    acknowledged = set()
    for child, note in zip(deciders, notes, strict=True):
        found = child.wait()
        row.count(found.problem)
        for answer in found.value or []:
            row.count(answer or None)
        acknowledged |= set(note.read_text().split() if note.exists() else [])
    there = set(inside(_batches, home).value or [])
    row.count(f"{len(acknowledged - there)} of {len(acknowledged)} decisions" if acknowledged - there else None)
    for (explorer, _), (address, token) in zip(explorers, links, strict=True):
        seen = inside(ask, address, token, "api/decisions").value or [0, {}]
        shown = seen[1].get("total")
        row.count(None if shown == len(there) else f"an explorer shows {shown} of {len(there)} decisions")
        row.count(None if explorer.kill() else f"an explorer ended: {explorer.wait().said[-300:]}")
        explorer.wait()
    row.count(whole_after(bench.base, home, wanted))
    row.kind += f" ({len(acknowledged):,} decisions)"
    return row


def at_once(row: Row, starters: list[Callable[[], Child]], seconds: float) -> None:
    """Each command again and again, side by side."""
    under_way, end = [start() for start in starters], time.monotonic() + seconds
    while time.monotonic() < end:
        for number, child in enumerate(under_way):
            if not child.kill(0):
                row.count(child.wait().problem)
                under_way[number] = starters[number]()
        time.sleep(0.05)
    for child in under_way:
        row.count(child.wait().problem)


def decide(address: str, token: str, note: Path, seconds: float) -> list[str]:
    """Decide through an explorer, about its newest snapshot, for so long; `note` gets each batch that it acknowledged.

    Returns:
        for each time what was wrong; empty where it was done, or refused in words as the snapshot was being removed.
    """
    note.unlink(missing_ok=True)
    end, found = time.monotonic() + seconds, []
    for number in itertools.count():
        if time.monotonic() > end:
            return found
        _, listed = ask(address, token, "api/snapshots")
        newest = max(snapshot["number"] for snapshot in listed["snapshots"])
        status, answer = ask(
            address, token, f"api/{newest}/decide", {"kind": "tag", "value": f"{note.name}-{number}", "ids": ["s0"]}
        )
        if status == 200:
            with note.open("a") as stream:
                stream.write(f"{answer['batch']}\n")
        found.append("" if status in (200, 404, 410) else f"{status} {answer}")
    return found


def ask(address: str, token: str, path: str, body: object = None) -> tuple[int, Any]:
    """Status and answer of an explorer."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(address + path, data, headers), timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")[:300]


def _gc(home: Path) -> Callable[[], Child]:
    work = functools.partial(command, "gc", "tiny", "--keep", 3, "--grace-hours", 0, "--home", home, "--wait", 120)
    return functools.partial(Child, work)


def _reader(home: Path) -> Callable[[], Child]:
    sql = "select snapshot, count(*) from history.samples group by all"
    return functools.partial(Child, functools.partial(command, "query", "tiny", sql, "--home", home))
