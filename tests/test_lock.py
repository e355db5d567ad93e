"""The dataset's lock: one holder at a time, those who wait are told for whom, and nobody waits for ever."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from assay.contracts.errors import BusyError
from assay.store.garbage import collect_garbage
from assay.store.lock import dataset_lock
from assay.store.workspace import Workspace
from tests.snapshot_builder import publish_toy

HOLD = (
    "import sys\nfrom pathlib import Path\nfrom assay.store.workspace import Workspace\n"
    "from assay.store.lock import dataset_lock\n"
    "with dataset_lock(Workspace(Path(sys.argv[1]), 'data'), '`assay gc`'):\n    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path, "data")


@contextlib.contextmanager
def held_elsewhere(workspace: Workspace) -> Iterator[subprocess.Popen]:
    """The lock in the hands of another process, until its standard input ends."""
    command = [sys.executable, "-c", HOLD, str(workspace.home)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        yield holder
    finally:
        holder.kill()
        holder.wait()


def test_who_holds_it_is_said(workspace):
    """What it is, its process, since when; and what to do."""
    with held_elsewhere(workspace) as holder:
        said = rf"`data` in .* is in use by `assay gc` \(process {holder.pid}, since 20.* UTC\); .*--wait SECONDS"
        with pytest.raises(BusyError, match=said), dataset_lock(workspace):
            pass
    with dataset_lock(workspace):
        pass


def test_a_short_lock_is_waited_for(workspace, capsys):
    """A night that starts while gc runs starts when gc has ended."""
    with held_elsewhere(workspace) as holder:
        threading.Timer(0.5, holder.stdin.close).start()
        started = time.monotonic()
        with dataset_lock(workspace, wait=60):
            assert time.monotonic() - started < 30
    assert "waiting up to 60 s for `data`" in capsys.readouterr().err


def test_nobody_waits_for_ever(workspace):
    """After the limit the message says how long that was."""
    with held_elsewhere(workspace):
        with pytest.raises(BusyError, match=r"still after 0\.3 s"), dataset_lock(workspace, wait=0.3):
            pass


@pytest.mark.parametrize("note", ["", "{", "[]", '{"who": 1}', None])
def test_a_note_that_says_nothing_hides_no_lock(workspace, note):
    """Damaged, empty or gone: the holder is another run."""
    with held_elsewhere(workspace):
        if note is None:
            (workspace.root / ".lock.json").unlink()
        else:
            (workspace.root / ".lock.json").write_text(note)
        with pytest.raises(BusyError, match="in use by another run"), dataset_lock(workspace):
            pass


def test_a_holder_on_another_machine_is_named_with_it(workspace):
    """A home on a network file system."""
    with held_elsewhere(workspace):
        note = workspace.root / ".lock.json"
        note.write_text(json.dumps(json.loads(note.read_text()) | {"host": "nas"}))
        with pytest.raises(BusyError, match=r"process \d+ on nas, since"), dataset_lock(workspace):
            pass


def test_a_night_and_gc_in_a_loop_never_refuse_each_other(workspace):
    """Each waits for the other's moment."""
    toy = Workspace(workspace.home, "toy")
    publish_toy(toy, ["a"])
    stop, problems = threading.Event(), []

    def collect():
        try:
            while not stop.is_set():
                with dataset_lock(toy, "`assay gc`", wait=60):
                    collect_garbage(toy, 1)
        except Exception as error:  # a thread's own error would fail nothing
            problems.append(error)

    collector = threading.Thread(target=collect)
    collector.start()
    for _ in range(20):
        with dataset_lock(toy, wait=60):
            time.sleep(0.01)
    stop.set()
    collector.join()
    assert problems == []
