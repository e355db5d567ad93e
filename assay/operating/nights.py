"""A record of the last nights of a dataset: when, how long, what came of each, and how much disk it took.

HOME/DATASET/nights.json     the last `KEPT`, oldest first
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assay.store.digests import read_mended, write_sealed
from assay.store.workspace import Workspace

KEPT = 30
SHORT = 2.0  # times what a night has needed; less free space than that is told
LATELY = 10  # nights that say how much one needs


@dataclass(frozen=True)
class Ended:
    """One night.

    Attributes:
        at: when it ended, in seconds since 1970.
        seconds: how long it took.
        snapshot: the number that it published; None where it failed.
        error: what stopped it; empty where it published.
        bytes_written: of files that it made, those that were removed again within it left out.
    """

    at: float
    seconds: float
    snapshot: int | None
    error: str
    bytes_written: int


def last_nights(workspace: Workspace) -> list[Ended]:
    """The nights on record, oldest first; none where the record cannot be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return [Ended(**night) for night in read_mended(_path(workspace))["nights"]]
    return []


def note(workspace: Workspace, night: Ended) -> None:
    """Add one to the record."""
    nights: list[dict[str, Any]] = [asdict(one) for one in (*last_nights(workspace), night)][-KEPT:]
    workspace.root.mkdir(parents=True, exist_ok=True)
    write_sealed(_path(workspace), {"nights": nights})


def needed(workspace: Workspace) -> int:
    """Bytes that a night writes: the most of the last `LATELY`, the dataset's first left out once there is another; 0
    where none is known."""
    nights = last_nights(workspace)[-LATELY:]
    later = [night for night in nights if night.snapshot != 1]
    return max((night.bytes_written for night in later or nights), default=0)


def free_bytes(workspace: Workspace) -> int:
    """What the disk of the home has left for this account."""
    place = workspace.home
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def short_space(workspace: Workspace) -> str:
    """What there is to say where less is free than `SHORT` times what a night has needed lately; else nothing."""
    need, free = needed(workspace), free_bytes(workspace)
    if free >= SHORT * need:
        return ""
    return (
        f"{gigabytes(free)} are free under {workspace.home}, and a night has needed up to {gigabytes(need)} lately; "
        f"make room, e.g. by `assay gc {workspace.dataset} --keep N` or `[retention]` in the spec"
    )


def written_since(workspace: Workspace, start: float) -> int:
    """Bytes of the files below the dataset that were made since then, each counted once however often it is linked."""
    seen, total = set(), 0
    for folder in (workspace.work, workspace.facts, workspace.snapshots):
        for found in _files(folder):
            if found.st_mtime >= start and found.st_ino not in seen:
                seen.add(found.st_ino)
                total += found.st_blocks * 512
    return total


def gigabytes(size: float) -> str:
    """`1.5 GB`; small sizes in MB."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e8 else f"{size / 1e6:,.1f} MB"


def now() -> float:
    """Seconds since 1970."""
    return time.time()


def _files(folder: Path) -> Iterator[os.stat_result]:
    """Every regular file below a folder; what goes away meanwhile is left out."""
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                yield os.lstat(os.path.join(place, name))


def _path(workspace: Workspace) -> Path:
    return workspace.root / "nights.json"
