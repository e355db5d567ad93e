"""The short form of `make hardening`: a try of some kinds; and that its rows can tell a loss."""

import functools
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import Request

import pytest

from benchmarks.hardening.__main__ import _added, _table
from benchmarks.hardening.api import _answer
from benchmarks.hardening.common import Bench, Child, Row
from benchmarks.hardening.limits import _own_bytes, _session
from benchmarks.hardening.rot import cut, flipped, kinds

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_short_form_loses_nothing():
    """Status 0, and a try at least of each."""
    command = [sys.executable, "-m", "benchmarks.hardening", "--short"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert found.returncode == 0, found.stdout + found.stderr[-2000:]
    rows = [line.split("|") for line in found.stdout.splitlines()[2:] if line.startswith("|")]
    assert len(rows) == 2 and all(row[4].strip() == "0" for row in rows)
    assert all(int(row[2]) >= 1 for row in rows if "not tried" not in row[1])


def test_a_child_tells_how_it_ended():
    """A value, a status, a traceback, a signal, a hang."""
    assert Child(lambda: {"a": 1}).wait().value == {"a": 1}
    assert Child(functools.partial(sys.exit, 3)).wait().status == 3
    assert "traceback" in Child(lambda: 1 / 0).wait().problem
    assert "SIGKILL" in Child(lambda: os.kill(os.getpid(), 9)).wait().problem
    assert Child(functools.partial(time.sleep, 60)).wait(0.3).problem == "it hung"


def test_children_leave_nothing_open():
    """A thousand tries are thousands of children, and each of them has the descriptors of the bench."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        Child(lambda: None).wait()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_row_counts_what_is_lost():
    """And the table says it; tries of a second run are added."""
    row = Row("kill")
    row.count(None)
    row.count("a snapshot")
    assert (row.tried, row.survived, row.lost) == (2, 1, ["a snapshot"])
    entry = _added(None, "kills", [vars(row)], 1.0, 5)
    more = _added(entry, "kills", [vars(Row("kill", 3, 3))], 1.0, 6)
    assert more["minutes"] == 2.0 and more["seeds"] == [5, 6]
    assert "| kill | 5 | 4 | 1 |" in _table({"kills": more})


def test_an_open_door_is_told():
    """An API that answers a stranger is a loss; one that refuses him is none, one that breaks is."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(int(self.path[1:]))
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        got = {code: _answer(Request(f"http://127.0.0.1:{server.server_port}/{code}")) for code in (200, 401, 500)}
        server.shutdown()
    assert got[401] == "" and "answers 200" in got[200] and "answers 500" in got[500]


def test_memory_of_a_session_is_measured():
    """The bytes of a process that no file stands behind, and of what it started."""
    run = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; x = b'x' * 2**26; print(flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    with run:
        run.stdout.readline()
        (process,) = _session(run.pid)
        assert 2**26 < _own_bytes(process) < 2**28
        run.communicate()
    assert _session(run.pid) == []


def test_every_kind_of_file_is_damaged_once(tmp_path):
    """Parts of one table are one kind, tables are several; locks are none."""
    for name in ("a/part-1.parquet", "a/part-2.parquet", "b/part-1.parquet", "work/x-0123456789abcdef/m.json", ".lock"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"abcd")
    found = kinds(tmp_path)
    assert found == ["a/part-1.parquet", "b/part-1.parquet", "work/x-0123456789abcdef/m.json"]
    flipped(tmp_path / found[0])
    cut(tmp_path / found[1])
    assert [(tmp_path / name).read_bytes() for name in found] == [b"abgd", b"ab", b"abcd"]


def test_there_is_always_time_for_one_try(tmp_path):
    """Also with none left; and counts are shares of the long form's."""
    bench = Bench(tmp_path, 0.001, 0.0)
    left = bench.until()
    assert (left(), left()) == (True, False)
    assert (bench.times(1000), bench.times(20)) == (1, 1)
