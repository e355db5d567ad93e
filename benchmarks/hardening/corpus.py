"""The corpus of hostile files: what the tests make of pictures, sounds, tables, archives and models, and whole nights
on a folder of all pictures at once."""

import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.hardening.common import Bench, Child, Row, command, damage, inside
from tests.hostile.test_images import GOOD, REJECTED

ROOT = Path(__file__).parents[2]
KINDS = {
    "pictures": ["tests/hostile", "tests/clean"],
    "sounds": ["tests/modalities/test_audio.py"],
    "tables": ["tests/sources/test_hostile_tables.py", "tests/sources/test_dialect.py", "tests/sources/test_worker.py"],
    "archives": ["tests/sources/test_carriers.py"],
    "models": ["tests/embedders/test_trust.py"],
}
NIGHT = """name = "tiny"
modality = "image"
[source]
kind = "folder"
path = "."
max_rejects = 1.0
[clean]
max_pixels = 1000000
"""


def rows(bench: Bench) -> list[Row]:
    """A row a kind; a try is one hostile input with what is right for it."""
    return [*[_tested(bench, kind, places) for kind, places in KINDS.items()], _night(bench)]


def _tested(bench: Bench, kind: str, places: list[str]) -> Row:
    row = Row(f"hostile {kind}")
    if bench.share < 0.2:
        row.left_out = "in the short form these are among the tests themselves"
        return row
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        call = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *places]
        variables = os.environ | {"PYTHONPATH": str(ROOT)}
        said = subprocess.run(call, cwd=ROOT, env=variables, capture_output=True, text=True).stdout
        if not report.exists():
            row.count(f"pytest did not run: {said[-300:]}")
            return row
        for case in ElementTree.parse(report).iter("testcase"):
            if case.find("skipped") is None:
                failed = case.find("failure") is not None or case.find("error") is not None
                row.count(f"{case.get('classname')}::{case.get('name')}" if failed else None)
    return row


def _night(bench: Bench) -> Row:
    """All hostile pictures in one folder, among good ones: published, each of them a reject with a reason."""
    row, folder = Row(f"a night on {len(REJECTED) + len(GOOD)} hostile pictures in one folder"), bench.base / "hostile"
    inside(_write, folder)
    home = bench.base / "hostile-home"
    found = Child(functools.partial(command, "run", folder / "spec.toml", "--home", home)).wait()
    wrong = f"ended with {found.status}: {found.said[-400:]}" if found.status != 0 else None
    row.count(found.problem or wrong)
    row.count(None if not (problems := inside(damage, home).value) else f"{problems}")
    return row


def _write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (data, _) in {**REJECTED, **GOOD}.items():
        (folder / name).write_bytes(data)
    (folder / "spec.toml").write_text(NIGHT)
