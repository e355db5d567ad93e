"""Worker processes: results in order, crashes that cost one item, nobody left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from assay.store import executor as workers
from assay.store.executor import in_batches


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(workers, "available_cores", lambda: 2)
    monkeypatch.setattr(workers, "WORTH", 10)


def squares(items: list[int]) -> list[tuple[int, int]]:
    """Each item squared, and the process that did it; dies of a negative one."""
    if any(item < 0 for item in items):
        os.kill(os.getpid(), signal.SIGSEGV)
    return [(item * item, os.getpid()) for item in items]


def crashed(item: int) -> tuple[str, int]:
    return "crashed", item


def test_results_come_in_order_from_other_processes():
    """Many items: done elsewhere, in order. Few: done here."""
    many = list(in_batches(squares, list(range(45)), 7, crashed))
    assert [square for square, _ in many] == [i * i for i in range(45)]
    assert os.getpid() not in {process for _, process in many}
    assert list(in_batches(squares, [3, 4], 7, crashed)) == [(9, os.getpid()), (16, os.getpid())]
    assert list(in_batches(squares, [], 7, crashed)) == []


def test_an_item_that_kills_its_worker_costs_itself_only():
    """Two such items among forty: all others have their results, in order."""
    items = [-1 if i == 11 else -2 if i == 30 else i for i in range(40)]
    found = [result for result, _ in in_batches(squares, items, 6, crashed)]
    assert found == ["crashed" if item < 0 else item * item for item in items]


def test_work_that_may_kill_is_never_done_here():
    """With `here=False` even one item has a process of its own, and costs itself only."""
    (result, process), *none = in_batches(squares, [3], 1, crashed, worth=1, here=False)
    assert result == 9 and process != os.getpid() and none == []
    found = [result for result, _ in in_batches(squares, [1, -1, 2], 1, crashed, worth=1, here=False)]
    assert found == [1, "crashed", 4]
    assert list(in_batches(squares, [], 1, crashed, worth=1, here=False)) == []


def broken(items: list[int]) -> list[int]:
    raise ValueError(f"cannot do {items[0]}")


def test_an_error_of_the_function_is_raised_here():
    """A defect is not taken for a crash."""
    with pytest.raises(ValueError, match="cannot do 0"):
        list(in_batches(broken, list(range(40)), 5, crashed))


def test_workers_end_with_a_killed_parent():
    """After SIGKILL of the process that started them no worker stays: the pipe they write to comes to its end."""
    script = textwrap.dedent("""
        from assay.store import executor as workers
        from tests.test_workers import crashed, talking
        workers.available_cores, workers.WORTH = (lambda: 2), 10
        list(workers.in_batches(talking, list(range(1000)), 1, crashed))
    """)
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert int(parent.stdout.readline()) != parent.pid
    parent.kill()
    parent.communicate(timeout=60)


def talking(items: list[int]) -> list[int]:
    print(os.getpid(), flush=True)
    time.sleep(0.05)
    return items
