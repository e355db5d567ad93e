"""A disk that is too small, at twenty points: under the home, and under the temporary folder."""

import os
import shutil
import tempfile
from pathlib import Path

from benchmarks.hardening.common import Bench, Row, mounted, night, undisturbed, whole_after

POINTS = 20


def rows(bench: Bench) -> list[Row]:
    """Both places."""
    return [in_home(bench), in_temporary(bench)]


def in_home(bench: Bench) -> Row:
    """From 5 to 100% of what a night needs. It ends in words or publishes; with room it goes on."""
    row, left, wanted = Row("disk full under the home, 5 to 100% of the need"), bench.until(), undisturbed(bench.base)
    need = _used(bench.base / "undisturbed") // 2  # of one night of two
    for point in _points(bench):
        if not left():
            break
        size = max(need * point // POINTS, 4096)
        try:
            with mounted(bench.base / "small", size) as home:
                first = night(bench.base, home).wait()
                problem = first.problem
                if not problem and first.status != 0 and "is full" not in first.said:
                    problem = f"status {first.status} without saying that the disk is full: {first.said[-300:]}"
                os.system(f"mount -o remount,size={100 * 2**20} '{home}'")
                row.count(_at(point, problem or whole_after(bench.base, home, wanted)))
        except PermissionError as error:
            row.left_out = str(error)
            break
    return row


def in_temporary(bench: Bench) -> Row:
    """The same sizes, of the folder for temporary files."""
    row, left, wanted = Row("disk full under the temporary folder"), bench.until(), undisturbed(bench.base)
    need = _used(bench.base / "undisturbed") // 2
    for point in _points(bench):
        if not left():
            break
        try:
            with mounted(bench.base / "temporary", max(need * point // POINTS // 10, 4096)) as folder:
                home = bench.base / "roomy"
                shutil.rmtree(home, ignore_errors=True)
                filled = folder / "filled"
                with filled.open("wb") as stream:
                    stream.write(bytes(4096 * (point % 2)))  # half of the times it is full from the start
                first = night(bench.base, home, lambda: _temporary(folder)).wait()
                row.count(_at(point, first.problem or whole_after(bench.base, home, wanted)))
        except PermissionError as error:
            row.left_out = str(error)
            break
    return row


def _points(bench: Bench) -> list[int]:
    """Of the twenty, as many as asked for, spread."""
    n = bench.times(POINTS)
    return [round((number + 1) * POINTS / n) for number in range(n)]


def _at(point: int, problem: str | None) -> str | None:
    return problem and f"at {100 * point // POINTS}%: {problem}"


def _temporary(folder: Path) -> None:
    os.environ["TMPDIR"] = str(folder)
    tempfile.tempdir = None


def _used(folder: Path) -> int:
    """Bytes on disk, each file once."""
    files = {found.st_ino: found.st_blocks * 512 for path in folder.rglob("*") if (found := path.lstat())}
    return sum(files.values())
