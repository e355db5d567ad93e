"""A home on S3, as the rest of assay meets it. Of a home that is a folder nothing here does anything.

Imports are inside the functions: a query of a folder loads nothing of this.
"""

import functools
import os
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.contracts.errors import SnapshotError, StoreError
from assay.remote.address import Address, address_of, endpoint
from assay.store.workspace import Workspace

if TYPE_CHECKING:
    from assay.remote.cached import Documents
    from assay.remote.objects import Objects

MOST_TRIES = 10  # of a night whose number another publisher takes
_checked: dict[Address, tuple[datetime, float]] = {}  # the store's time, and ours, when it was tried


def store_of(home: Path) -> "Objects | None":
    """The objects that a folder is the cache of; None where it is a home of its own."""
    address = address_of(home)
    return _objects(address, endpoint(), os.getpid()) if address else None


@functools.lru_cache(maxsize=8)
def _objects(address: Address, _endpoint: str, _process: int) -> "Objects":
    """One client a process, address and endpoint: its threads do not survive a fork."""
    from assay.remote.objects import Objects

    return Objects(address)


def fetch(workspace: Workspace, thorough: bool = False) -> list[int]:
    """Fill the cache of a dataset for its readers; the numbers of the snapshots that were brought.

    Args:
        thorough: check every cached file, and bring what is damaged again.

    Raises:
        SnapshotError: the store has no such dataset; the message lists what there is.
        StoreError: the store cannot be read.
    """
    objects = store_of(workspace.home)
    if objects is None:
        return []
    from assay.remote.pull import pull

    brought = pull(objects, workspace, thorough=thorough)
    if not workspace.snapshots.is_dir():
        others = objects.folders()
        advice = f"there are datasets {others}" if others else "publish one with `assay run SPEC.toml`"
        raise SnapshotError(
            f"no snapshot of `{workspace.dataset}` in {objects.address}; {advice}, or name another home with --home"
        )
    return brought


def begin(workspace: Workspace) -> None:
    """Before a night, the dataset's lock held: try the store, and fill the cache with what the night starts from.

    Raises:
        StoreError: the store cannot be written to, or ignores conditional writes.
    """
    if (objects := store_of(workspace.home)) is not None:
        from assay.remote.pull import pull

        _checked[objects.address] = objects.probe(), time.monotonic()
        pull(objects, workspace, state=True)


def offer(workspace: Workspace, folder: Path, manifest: dict[str, Any], number: int) -> "Documents | None":
    """Publish the finished snapshot in a folder to the store; None where there is none to publish to.

    Raises:
        TakenError: another publisher took the number; nothing of ours is to be seen.
        StoreError: the store cannot be written to; likewise.
    """
    objects = store_of(workspace.home)
    if objects is None:
        return None
    from assay.remote.decisions import push_decisions
    from assay.remote.push import push

    checked: tuple[datetime, float] | None = _checked.pop(objects.address, None)
    then, at = checked or (objects.probe(), time.monotonic())
    push_decisions(objects, workspace)
    return push(objects, workspace, folder, manifest, number, then + timedelta(seconds=time.monotonic() - at))


def share_decisions(workspace: Workspace) -> None:
    """After somebody decided: send that to the store, and fetch what others decided. A failure is said; the next time
    makes up for it."""
    try:
        if (objects := store_of(workspace.home)) is not None:
            from assay.remote.decisions import exchange_decisions

            exchange_decisions(objects, workspace)
    except StoreError as error:
        print(f"assay: the decisions are kept here and not yet sent: {error}", file=sys.stderr, flush=True)


def collect_store(
    workspace: Workspace, keep: int, days: float | None, grace_hours: float, dry_run: bool = False
) -> list[str]:
    """Remove from the store what `assay gc` removes from a folder, the dataset's lock held; the keys that went."""
    objects = store_of(workspace.home)
    if objects is None:
        return []
    from assay.remote.collect import collect
    from assay.remote.pull import pull
    from assay.store.garbage import divide
    from assay.store.snapshots import list_snapshots

    pull(objects, workspace)
    _, old = divide(list_snapshots(workspace), keep, days)
    return collect(objects, workspace, [snapshot.number for snapshot in old], grace_hours, dry_run)


def problems_in_store(workspace: Workspace, number: int) -> list[str]:
    """What is wrong with a dataset's objects in the store, those of snapshot `number` read whole."""
    objects = store_of(workspace.home)
    if objects is None:
        return []
    from assay.remote.check import check

    return check(objects, workspace, number)


def fetch_all(home: Path) -> None:
    """`fetch` of every dataset in the store."""
    if (objects := store_of(home)) is None:
        return
    from assay.remote.pull import pull

    for name in objects.folders():
        pull(objects, Workspace(home, name))
