"""Fill the cache of a home from the store: what is missing, each file once, its digest checked.

A snapshot's folder is made aside and renamed, so a reader of the cache meets whole snapshots only. A snapshot that is
no longer in the store goes from the cache, too.
"""

import contextlib
import os
import shutil
import sys
from pathlib import Path

from assay.contracts.errors import SnapshotError
from assay.remote.bring import Bringer, aside_of
from assay.remote.cached import Documents
from assay.remote.decisions import pull_decisions
from assay.remote.documents import Document, File, Files
from assay.remote.objects import Objects
from assay.remote.words import MissingError
from assay.store.files import atomic_file, sync_path
from assay.store.garbage import remove
from assay.store.lock import held_lock
from assay.store.snapshots import damage_of, file_sha256, read_snapshot, snapshot_numbers
from assay.store.workspace import Workspace

ATTEMPTS = 5  # at a store that is collected meanwhile
WAIT_SECONDS = 3600.0  # for another process that fills the same cache


def pull(objects: Objects, workspace: Workspace, state: bool = False, thorough: bool = False) -> list[int]:
    """Bring the cache of a dataset up to the store.

    Args:
        state: facts and outputs of stages as well, from which a night starts. The dataset's lock must be held.
        thorough: every file of the cached snapshots is read, and what is damaged fetched again.

    Returns:
        The numbers of the snapshots that were brought.

    Raises:
        StoreError: the store cannot be read, or an object in it is not what was written.
    """
    if not workspace.root.is_dir() and not objects.below(f"{workspace.dataset}/snapshots"):
        return []
    workspace.root.mkdir(parents=True, exist_ok=True)
    what = f"the cache of {objects.address}/{workspace.dataset}"
    with held_lock(workspace.root / ".pull", what, "a pull", WAIT_SECONDS):
        for attempt in range(ATTEMPTS):
            with contextlib.suppress(*([MissingError] if attempt + 1 < ATTEMPTS else [])):
                return Pull(objects, workspace).run(state, thorough)
    raise AssertionError


class Pull:
    """One pull, its lock held."""

    def __init__(self, objects: Objects, workspace: Workspace) -> None:
        self.objects, self.workspace = objects, workspace
        self.documents = Documents(objects, workspace)
        self.bringer = Bringer(workspace, self.documents)

    def run(self, state: bool, thorough: bool) -> list[int]:
        """As `pull`."""
        documents, folder = self.documents, self.workspace.snapshots
        there = set(snapshot_numbers(folder))
        for number in sorted(there - documents.listed.keys()):
            remove(folder / f"v{number:08d}")
        wanted = [n for n in sorted(documents.listed) if thorough or n not in there or not documents.has_copy(n)]
        brought = [number for number in wanted if self.snapshot(number, thorough)]
        documents.forget_others()
        if state and documents.newest:
            self.state_once(documents.newest)
        pull_decisions(self.objects, self.workspace)
        return brought

    def snapshot(self, number: int, thorough: bool) -> bool:
        """Bring one snapshot; whether it was not there."""
        target = self.workspace.snapshots / f"v{number:08d}"
        try:
            document = self.documents.read(number)
        except SnapshotError as error:
            print(f"damaged: {error}", file=sys.stderr)
            target.mkdir(parents=True, exist_ok=True)  # as of any broken snapshot, its number is not given again
            return False
        if _is_there(target, document, thorough):
            self.documents.keep(number)
            return False
        self.workspace.snapshots.mkdir(parents=True, exist_ok=True)
        with aside_of(self.workspace.snapshots) as aside:
            self.bringer.bring(document.snapshot, aside)
            if target.exists():
                remove(target)
            os.rename(aside, target)
        sync_path(target.parent)
        self.bringer.has(target, document.snapshot)
        self.documents.keep(number)
        return True

    def state_once(self, number: int) -> None:
        """Bring the state of a snapshot's night, unless the cache started from it before and may have gone on."""
        mark, name = self.workspace.root / ".remote" / "state", str(self.documents.copy(number))
        with contextlib.suppress(FileNotFoundError):
            if mark.read_text(encoding="utf-8") == name:
                return
        try:
            self.state(self.documents.read(number))
        except SnapshotError:
            return  # told above; the night computes what it does not find
        with atomic_file(mark) as aside:
            aside.write_text(name, encoding="utf-8")

    def state(self, document: Document) -> None:
        """Bring what the next night starts from. What is there beyond it, a killed night may have left."""
        root, work = self.workspace.root, self.workspace.work
        done = {f"work/{path.parent.name}" for path in work.glob("*/manifest.json")}
        lacking = Files(
            [file for file in document.state.objects if _folder(file.path) not in done and not _has(root, file)],
            {path: data for path, data in document.state.texts.items() if _folder(path) not in done},
        )
        with aside_of(root) as aside:
            self.bringer.bring(lacking, aside)
            for file in lacking.objects:
                if file.path.startswith("facts/"):
                    (root / file.path).parent.mkdir(parents=True, exist_ok=True)
                    os.replace(aside / file.path, root / file.path)
            work.mkdir(exist_ok=True)
            for folder in sorted(aside.glob("work/*")):
                shutil.rmtree(work / folder.name, ignore_errors=True)  # without a manifest: a killed move
                os.rename(folder, work / folder.name)


def _folder(path: str) -> str:
    """`work/STAGE-KEY` of a file of that stage's output; of a fact, its table."""
    return "/".join(path.split("/")[:2])


def _is_there(target: Path, document: Document, thorough: bool) -> bool:
    """Whether the cache has this very snapshot; `thorough`: and every file of it is whole."""
    try:
        if (target / "manifest.json").read_bytes() != document.snapshot.texts["manifest.json"]:
            return False
        if not thorough:
            return True
        snapshot = read_snapshot(target)
    except (OSError, KeyError, SnapshotError):
        return False
    files = [{"path": f.path, "sha256": f.sha256, "bytes": f.bytes} for f in document.snapshot.objects]
    return not any(damage_of(snapshot, file) for file in files)


def _has(root: Path, file: File) -> bool:
    """Whether a fact is there. A part is named by its digest; other files may change."""
    path = root / file.path
    try:
        if not path.is_file() or path.stat().st_size != file.bytes:
            return False
        return path.name.startswith("part-") or file_sha256(path) == file.sha256
    except OSError:
        return False
