"""Damaged files of published snapshots put right: what a manifest names is known by its SHA-256, so whatever has that
is the file that was published.

It is looked for, in this order: in the damaged file itself, where one bit has turned; anywhere else below the home; in
what can be made again of other files (the contracts, the diff, the report). Files share their bytes by hard links, so a
damaged one is never written to: a new file takes the place of its name, and of the other names of the same bytes.
"""

import contextlib
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from xxhash import xxh3_128_hexdigest

from assay.contracts.errors import AssayError, SnapshotError
from assay.contracts.odcs import contract_text
from assay.publishing.snapshot import report_context
from assay.report.page import write_report
from assay.store.catalog import write_catalog
from assay.store.catalog_check import verify_catalog
from assay.store.decisions import lost_decisions, mark_lost
from assay.store.digests import is_sealed, unflipped
from assay.store.files import link_or_copy, sync_path
from assay.store.parts import write_part
from assay.store.snapshots import (
    Snapshot,
    all_files,
    damage_of,
    diff,
    file_sha256,
    newest_snapshot,
    read_snapshot,
    snapshot_numbers,
    verify,
)
from assay.store.workspace import Workspace

LAST = ("contracts/", "diff/", "report.html")  # made of the other files, so looked at after them


@dataclass
class Repair:
    """What was done, and what could not be; one sentence each.

    Attributes:
        repaired: files that are again what was published.
        lost: what is still wrong.
    """

    repaired: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def repair(workspace: Workspace, number: int | None = None) -> Repair:
    """Put right what can be of one snapshot, or of all of them; then of the decisions and the catalog. The dataset's
    lock must be held.

    Raises:
        SnapshotError: there is no snapshot of that number.
    """
    numbers = snapshot_numbers(workspace.snapshots)
    if number is not None and number not in numbers:
        raise SnapshotError(f"`{workspace.dataset}` has no snapshot {number}; there are {numbers}")
    done, elsewhere = Repair(), _Elsewhere(workspace.home)
    for each in numbers if number is None else [number]:
        _repair_snapshot(workspace, workspace.snapshots / f"v{each:08d}", elsewhere, done)
    for sequence, why in lost_decisions(workspace).items():
        mark_lost(workspace, sequence)
        done.lost.append(f"decisions: batch number {sequence} is lost: {why}. Decide again; this is reported once")
    newest = newest_snapshot(workspace)
    if newest is not None and verify_catalog(workspace, newest):
        with contextlib.suppress(SnapshotError):
            write_catalog(workspace)
            done.repaired.append("catalog.duckdb: written again")
        done.lost += verify_catalog(workspace, newest)
    return done


def _repair_snapshot(workspace: Workspace, path: Path, elsewhere: "_Elsewhere", done: Repair) -> None:
    with _aside(workspace) as aside:
        snapshot = _read(path, aside, done)
        if snapshot is None:
            return
        files = sorted(all_files(snapshot.manifest), key=lambda file: str(file["path"]).startswith(LAST))
        for file in files:
            problem = damage_of(snapshot, file)
            if problem is None:
                continue
            place = snapshot.path / file["path"]
            how = _find(snapshot, file, elsewhere, aside / "found")
            if how is None:
                continue  # `verify` says so below
            _put(aside / "found", place, workspace)
            done.repaired.append(f"{path.name}/{file['path']}: {problem}; {how}")
    done.lost += [f"{path.name}/{problem}" for problem in verify(snapshot)]


def _read(path: Path, aside: Path, done: Repair) -> Snapshot | None:
    """The snapshot, its manifest put right where one bit has turned."""
    try:
        return read_snapshot(path)
    except SnapshotError as error:
        with contextlib.suppress(OSError):
            if found := unflipped((path / "manifest.json").read_bytes(), is_sealed):
                (aside / "found").write_bytes(found)
                _put(aside / "found", path / "manifest.json")
                done.repaired.append(f"{path.name}/manifest.json: one bit had turned; it was turned back")
                return read_snapshot(path)
        done.lost.append(f"{path.name}: {error}; its tables are there, and nothing says any more what they should be")
        return None


class _Elsewhere:
    """The files below a home by their size."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._by_size: dict[int, list[Path]] = {}

    def find(self, size: int, digest: str) -> Path | None:
        """A file of these bytes; None where there is none."""
        if not self._by_size:
            by_size = defaultdict(list)
            for folder, _, names in os.walk(self._home):
                for path in (Path(folder, name) for name in names):
                    with contextlib.suppress(OSError):
                        if path.is_file() and not path.is_symlink():
                            by_size[path.stat().st_size].append(path)
            self._by_size = dict(by_size)
        tried: set[int] = set()
        for path in self._by_size.get(size, []):
            with contextlib.suppress(OSError):
                inode = path.stat().st_ino
                if inode not in tried and file_sha256(path) == digest:
                    return path
                tried.add(inode)
        return None


def _find(snapshot: Snapshot, file: dict[str, Any], elsewhere: _Elsewhere, target: Path) -> str | None:
    """Write a file that was published to `target`, and say in words where it comes from; None where it is nowhere."""
    target.unlink(missing_ok=True)
    place, digest = snapshot.path / file["path"], str(file["sha256"])
    with contextlib.suppress(OSError):
        if place.stat().st_size == file["bytes"] and (found := unflipped(place.read_bytes(), _has(file))):
            target.write_bytes(found)
            return "one bit had turned; it was turned back"
    if other := elsewhere.find(int(file["bytes"]), digest):
        shutil.copyfile(other, target)
        if file_sha256(target) == digest:
            return f"taken from {other}"
    with contextlib.suppress(AssayError, OSError, KeyError):
        _make(snapshot, str(file["path"]), target)
        if target.exists() and file_sha256(target) == digest:
            return "made again of the other tables"
    return None


def _has(file: Mapping[str, Any]) -> Callable[[bytes | bytearray], bool]:
    """Whether bytes are those of a manifest's file: by the fast digest first, where it has one."""

    def is_right(data: bytes | bytearray) -> bool:
        fast = file.get("xxh3")
        return (not fast or xxh3_128_hexdigest(data) == fast) and sha256(data).hexdigest() == file["sha256"]

    return is_right


def _make(snapshot: Snapshot, name: str, target: Path) -> None:
    """What follows from other files, as it is written when a snapshot is published; nothing where it follows from
    none."""
    tables = {table: snapshot.parts(table) for table in snapshot.manifest["tables"]}
    if name.startswith("contracts/"):
        target.write_text(contract_text(Path(name).name.removesuffix(".odcs.yaml")), encoding="utf-8")
    elif name.startswith("diff/") and snapshot.manifest["parent"] is not None:
        parent = read_snapshot(snapshot.path.with_name(f"v{snapshot.manifest['parent']:08d}"))
        write_part("diff", diff(parent, snapshot), target)
    elif name == "report.html":
        write_report(tables, report_context(snapshot.manifest, snapshot.number), target)


@contextlib.contextmanager
def _aside(workspace: Workspace) -> Iterator[Path]:
    """A folder beside the snapshots; what a kill leaves of it, the next night removes."""
    with tempfile.TemporaryDirectory(prefix=".aside-repair-", dir=workspace.snapshots) as folder:
        yield Path(folder)


def _put(found: Path, place: Path, workspace: Workspace | None = None) -> None:
    """Put a file in the place of another, and of the other names of that one, atomically each."""
    others = _names_of(place, workspace) if workspace is not None else []
    found.chmod(0o644)
    sync_path(found)
    place.parent.mkdir(parents=True, exist_ok=True)
    os.replace(found, place)
    sync_path(place.parent)
    for other in others:
        link_or_copy(place, found)
        os.replace(found, other)
        sync_path(other.parent)


def _names_of(place: Path, workspace: Workspace) -> list[Path]:
    """The other names, below the dataset, of the bytes that have this name."""
    try:
        state = place.stat()
    except OSError:
        return []
    if state.st_nlink < 2:
        return []
    found = []
    for folder, _, names in os.walk(workspace.root):
        for path in (Path(folder, name) for name in names):
            with contextlib.suppress(OSError):
                if path != place and os.path.samestat(path.lstat(), state):
                    found.append(path)
    return found
