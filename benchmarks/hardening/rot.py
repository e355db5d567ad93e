"""Bytes that rot: one bit turned, a file cut in half, a file removed, for every kind of file below a home.

By day every command and the explorer are asked, by night the next one runs. Wanted: words and a status, never a
traceback; and what the night publishes is whole, and the same as on an undamaged home. An old snapshot may stay so.
"""

import functools
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from starlette.testclient import TestClient

from assay.explorer.server import make_app
from assay.store.decisions import append_decisions
from assay.store.snapshots import list_snapshots, read_snapshot, snapshot_numbers, verify
from assay.store.workspace import Workspace
from benchmarks.hardening.common import (
    Bench,
    Child,
    Row,
    command,
    inside,
    newest_digests,
    night,
    undisturbed,
)
from tests.explorer.visit import BEARER, VISITORS

DAY: list[tuple[str, ...]] = [
    ("verify", "tiny"), ("query", "tiny", "select count(*), sum(score) from scores"), ("snapshots", "tiny"),
    ("query", "tiny", "select snapshot, count(*) from history.samples group by all"), ("diff", "tiny"),
    ("report", "tiny"), ("report", "tiny", "--output", "OUT/view.html"), ("cleaned", "tiny", "OUT/clean"),
    ("datasets",), ("select", "SPEC"), ("gc", "tiny", "--keep", "1", "--dry-run"),
]  # fmt: skip
GETS = ("snapshots", "decisions", "views", "2/meta", "2/overview", "2/classes", "2/confusion", "2/table/classes",
        "2/history?id=s0", "2/sample?id=s0", "2/compare/1", "2/names?method=pca")  # fmt: skip
POSTS = {
    "2/points": {"method": "pca", "filter": {}}, "2/gallery": {"filter": {}}, "2/facets": {"filter": {}},
    "2/queue": {"key": "labels", "filter": {}}, "2/duplicates": {}, "2/export": {"what": "cleaned", "format": "csv"},
    "2/decide": {"kind": "tag", "value": "seen", "ids": ["s1"]},
}  # fmt: skip


def flipped(file: Path) -> None:
    """One bit of the middle byte."""
    data = bytearray(file.read_bytes())
    if data:
        data[len(data) // 2] ^= 4
    with file.open("r+b") as stream:  # in place: its hard links rot with it
        stream.write(data)


def cut(file: Path) -> None:
    """The second half is gone."""
    with file.open("r+b") as stream:
        stream.truncate(file.stat().st_size // 2)


HARMS: dict[str, Callable[[Path], None]] = {"a bit turned": flipped, "cut in half": cut, "removed": Path.unlink}


def rows(bench: Bench) -> list[Row]:
    """A row for the day and one for the night, over all kinds of file and harms."""
    day, at_night = Row("a file damaged, then every command and the explorer"), Row("a file damaged, then a night")
    wanted, left, clean = undisturbed(bench.base), bench.until(), bench.base / "whole"
    shutil.rmtree(clean, ignore_errors=True)
    shutil.copytree(bench.base / "undisturbed", clean)
    inside(_decided, clean)
    cases = [(file, words) for file in kinds(clean) for words in HARMS]
    random.Random(bench.seed).shuffle(cases)
    for file, words in cases[: bench.times(len(cases))]:
        if not left():
            break
        home = bench.base / "rotten"
        said = f"{file} {words}: "
        by_day = functools.partial(_day, bench.base, home)
        for row, problem_of in ((at_night, functools.partial(_night, bench.base, home, wanted)), (day, by_day)):
            shutil.rmtree(home, ignore_errors=True)
            subprocess.run(["cp", "-a", clean, home], check=True)  # hard links stay
            HARMS[words](home / file)
            problem = problem_of()
            row.count(problem and said + problem)
    for row in (day, at_night):
        row.kind += f" ({len(cases) // len(HARMS)} kinds of file, {len(HARMS)} harms)"
    return [at_night, day]


def kinds(home: Path) -> list[str]:
    """One file of each kind, below the home."""
    found: dict[str, str] = {}
    for path in sorted(home.rglob("*")):
        if path.is_file() and not path.name.startswith(".lock"):
            name = str(path.relative_to(home))
            found.setdefault(re.sub(r"part-[^/]*|[0-9a-f]{12,}|contracts/\w+", "*", name), name)
    return list(found.values())


def _decided(home: Path) -> None:
    """Two decisions, which change no table."""
    workspace = Workspace(home, "tiny")
    samples = read_snapshot(workspace.snapshots / "v00000002").read("samples")
    for number in range(2):
        append_decisions(workspace, samples[number : number + 1], "tag", "x", "kim", 2)


def _night(base: Path, home: Path, wanted: list[dict[str, str]]) -> str | None:
    """The next night publishes, whole, what it should."""
    found = night(base, home).wait()
    if found.status != 0:
        return f"the night ended with {found.status}: {found.said[-400:]}"
    after = inside(_newest, home)
    if after.problem or after.value[0]:
        return f"what was published is damaged: {after.problem or after.value[0]}"
    differ = [[name for name in one if one[name] != after.value[1].get(name)] for one in wanted]
    return None if [] in differ else f"other tables than undisturbed: {min(differ, key=len)}"


def _newest(home: Path) -> tuple[list[str], dict[str, str]]:
    workspace = Workspace(home, "tiny")
    newest = list_snapshots(workspace)[-1]
    missed = [] if newest.number == snapshot_numbers(workspace.snapshots)[-1] else ["it is not the newest"]
    return missed + verify(newest), newest_digests(home)


def _day(base: Path, home: Path) -> str | None:
    """Every command, and then a repair, ends in words; so does every route of the explorer."""
    shutil.rmtree(base / "taken", ignore_errors=True)
    (base / "taken").mkdir()
    named = {"OUT": str(base / "taken"), "SPEC": str(base / "spec.toml")}
    lines = [[re.sub("OUT|SPEC", lambda found: named[found[0]], word) for word in line] for line in DAY]
    children = [Child(functools.partial(command, *line, "--home", home)) for line in lines]
    ends = [child.wait() for child in children]
    seen = inside(_explored, home)
    lines.append(["verify", "--repair", "tiny"])
    ends.append(Child(functools.partial(command, *lines[-1], "--home", home)).wait())
    for line, end in zip(lines, ends, strict=True):
        if end.problem:
            return f"{' '.join(line)}: {end.problem}"
    return seen.problem or (", ".join(seen.value) or None)


def _explored(home: Path) -> list[str]:
    """Routes that failed."""
    app = make_app(Workspace(home, "tiny"), VISITORS)
    client = TestClient(app, base_url="http://127.0.0.1:8000", headers=BEARER, raise_server_exceptions=False)
    answers = [("the page", client.get("/")), *[(path, client.get(f"/api/{path}")) for path in GETS]]
    answers += [(path, client.post(f"/api/{path}", json=body)) for path, body in POSTS.items()]
    return [f"{path} answers {a.status_code} {a.text[:200]}" for path, a in answers if a.status_code >= 500]
