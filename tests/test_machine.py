"""What a night takes of the machine: a container's limits count, the spec's word is last, queries spill."""

import os
from pathlib import Path

import duckdb
import polars as pl
import pytest

from assay.contracts.errors import SpecError
from assay.contracts.operations import Run
from assay.contracts.spec import make_spec
from assay.metrics.sql import select
from assay.store import machine
from assay.store.duck import LEAST, SHARE, connect

WHOLE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """`groups(lines, {file: text})`: this process in control groups of our own; nothing is remembered."""
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))

    def write(lines: str, files: dict[str, str]) -> None:
        (tmp_path / "own").write_text(lines)
        for name, text in files.items():
            (tmp_path / "cgroup" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "cgroup" / name).write_text(text)
        forget()

    def forget() -> None:
        machine.cores.cache_clear()
        machine.memory_bytes.cache_clear()

    forget()
    yield write
    forget()


def test_without_limits_the_machine_is_ours(groups):
    """No control groups, or unlimited ones: all cores and all memory."""
    assert (machine.cores(), machine.memory_bytes()) == (16, WHOLE)
    groups("0::/\n", {"cpu.max": "max 100000\n", "memory.max": "max\n"})
    assert (machine.cores(), machine.memory_bytes()) == (16, WHOLE)


@pytest.mark.parametrize(
    ("lines", "files"),
    [
        ("0::/\n", {"cpu.max": "250000 100000\n", "memory.max": "3000000\n"}),
        ("0::/pod/box\n", {"pod/cpu.max": "250000 100000", "pod/memory.max": "3000000", "pod/box/memory.max": "max"}),
        (
            "4:memory:/box\n3:cpu,cpuacct:/box\n",
            {
                "cpu/box/cpu.cfs_quota_us": "250000",
                "cpu/box/cpu.cfs_period_us": "100000",
                "memory/box/memory.limit_in_bytes": "3000000",
                "memory/memory.limit_in_bytes": "9223372036854771712",
            },
        ),
    ],
)
def test_a_containers_limits_count(groups, lines, files):
    """Of both versions of control groups, and of the groups outside our own."""
    groups(lines, files)
    assert (machine.cores(), machine.memory_bytes()) == (2, 3_000_000)


def settings(run: Run | None, spill: Path, threads: int | None = None) -> tuple:
    """Threads, memory in bytes and folder of a connection."""
    names = ("threads", "memory_limit", "temp_directory")
    with connect(spill, run, threads) as connection:
        told = [connection.sql(f"select current_setting('{name}')").fetchall()[0][0] for name in names]
    number, unit = told[1].split()
    return told[0], float(number) * {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}[unit], told[2]


def test_a_query_follows_the_machine_unless_the_spec_says_otherwise(tmp_path):
    """An eighth of the memory and all cores; what [run] names, instead; one thread where sums must agree."""
    share = max(LEAST, machine.memory_bytes() // SHARE)
    assert settings(None, tmp_path) == (machine.cores(), pytest.approx(share, rel=0.06), str(tmp_path))
    assert settings(Run(threads=3, memory_gb=1.5), tmp_path)[:2] == (3, pytest.approx(1.5 * 2**30, rel=0.06))
    assert settings(Run(threads=3), tmp_path, threads=1)[0] == 1


def test_a_query_spills_beside_the_stage(tmp_path):
    """A sort of more than it may hold is right, by way of the folder that it was given; without one it fails."""
    (tmp_path / "sorted.sql").write_text("select name from rows order by name")
    rows = pl.DataFrame({"name": [f"{number * 7919 % 2_000_003:>60}" for number in range(2_000_000)]})
    asked = tmp_path / "sorted.sql", {"rows": rows}
    found = select(*asked, tmp_path / "spill", Run(memory_gb=0.12))
    assert found["name"].is_sorted() and len(found) == len(rows)
    with pytest.raises(duckdb.Error):
        select(*asked, tmp_path / "sorted.sql" / "no folder", Run(memory_gb=0.12))


def test_the_spec_says_what_a_night_may_use(tmp_path):
    """[run] is a section like others; what makes no sense is refused."""
    values = {"name": "a", "modality": "vectors", "source": {"kind": "table", "path": "x.csv"}}
    assert make_spec({**values, "run": {"threads": 2, "memory_gb": 4}}, base=tmp_path).run == Run(
        threads=2, memory_gb=4
    )
    with pytest.raises(SpecError, match="threads"):
        make_spec({**values, "run": {"threads": -1}}, base=tmp_path)
