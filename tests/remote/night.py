"""A night of a tiny dataset, its stages left out: what `run_night` does around them is the real thing."""

import contextlib
import threading
from pathlib import Path

import pytest

import assay.night
from assay.night import run_night
from assay.publishing import snapshot
from assay.remote.home import fetch
from assay.store.lock import dataset_lock
from assay.store.snapshots import Snapshot, newest_snapshot, read_snapshot, snapshot_numbers, verify
from assay.store.workspace import Workspace
from tests.snapshot_builder import publish_toy, toy_spec

CHECKED: set[Path] = set()


@contextlib.contextmanager
def no_stages():
    """Nights without stages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assay.night, "STAGES", ())
        patch.setattr(snapshot, "write_report", lambda _tables, said, path: path.write_text(said["created_at"]))
        yield


def night(workspace: Workspace, ids: list[str], **how) -> Snapshot:
    """One night that publishes these samples."""

    def publish(_spec, workspace, *_outputs):
        return publish_toy(workspace, ids, **how)

    with no_stages():
        return run_night(toy_spec(), workspace, publish=publish, lock=lambda w: dataset_lock(w, wait=60))


@contextlib.contextmanager
def publishing(workspace: Workspace, nights: int):
    """Nights in a thread beside the block, each with "a" and a sample of its own; yields an event, set at their end."""
    done = threading.Event()

    def publish():
        for number in range(nights):
            night(workspace, ["a", f"b{number}"])
        done.set()

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield done
    finally:
        thread.join()


def seen(workspace: Workspace) -> dict[int, list[str]]:
    """What a reader sees: each snapshot's samples; every file is checked once."""
    fetch(workspace)
    found = {}
    for number in snapshot_numbers(workspace.snapshots):
        path = workspace.snapshots / f"v{number:08d}"
        if path not in CHECKED:
            assert verify(read_snapshot(path)) == []
            CHECKED.add(path)
        found[number] = read_snapshot(path).read("samples")["sample_id"].to_list()
    newest = newest_snapshot(workspace)
    assert newest is None or newest.number == max(found)
    return found
