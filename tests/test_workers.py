"""Worker processes: results in order, crashes that cost one item, nobody left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures.process import BrokenProcessPool

import pytest

from assay.store import executor as workers
from assay.store.executor import in_batches


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 2)
    monkeypatch.setattr(workers, "WORTH", 10)


def squares(items: list[int]) -> list[tuple[int, int]]:
    """Each item squared, and the process that did it; dies of a negative one."""
    if any(item < 0 for item in items):
        os.kill(os.getpid(), signal.SIGSEGV)
    return [(item * item, os.getpid()) for item in items]


def crashed(item: int) -> tuple[str, int]:
    return "crashed", item


def test_results_come_in_order_from_other_processes():
    """Many items or few: none is done here, where a decoder that crashes would end the night."""
    for n in (0, 1, 2, 45):
        found = list(in_batches(squares, list(range(n)), 7, crashed))
        assert [square for square, _ in found] == [i * i for i in range(n)]
        assert os.getpid() not in {process for _, process in found}


def test_an_item_that_kills_its_worker_costs_itself_only():
    """Two such items among forty: all others have their results, in order."""
    items = [-1 if i == 11 else -2 if i == 30 else i for i in range(40)]
    found = [result for result, _ in in_batches(squares, items, 6, crashed)]
    assert found == ["crashed" if item < 0 else item * item for item in items]


def test_of_few_items_too_one_that_kills_costs_itself_only():
    """Whether they go to one worker or to one each."""
    for worth in (1, None):
        found = [result for result, _ in in_batches(squares, [1, -1, 2], 3, crashed, worth)]
        assert found == [1, "crashed", 4]


def broken(items: list[int]) -> list[int]:
    raise ValueError(f"cannot do {items[0]}")


def test_an_error_of_the_function_is_raised_here():
    """A defect is not taken for a crash."""
    with pytest.raises(ValueError, match="cannot do 0"):
        list(in_batches(broken, list(range(40)), 5, crashed))


class Unreadable:
    """Something that no worker can read."""

    def __reduce__(self):
        return broken, ([1],)


def test_work_that_a_worker_cannot_read_is_no_crash_of_its_items():
    """A defect of ours is not told of the data."""
    with pytest.raises(BrokenProcessPool, match="un-serialize"):
        list(in_batches(squares, [Unreadable()], 5, crashed))


def test_workers_end_with_a_killed_parent():
    """After SIGKILL of the process that started them no worker stays: the pipe they write to comes to its end."""
    script = textwrap.dedent("""
        from assay.store import executor as workers
        from tests.test_workers import crashed, talking
        workers.cores, workers.WORTH = (lambda: 2), 10
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
