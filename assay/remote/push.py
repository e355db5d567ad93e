"""Publish to the store: the objects that it lacks first, the document last, by whoever is first.

Until the document is there, nobody sees anything of the snapshot; once it is, all of it is there. A push that was
killed is repeated, and what it had sent is not sent again.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from assay.contracts.errors import StoreError, TakenError
from assay.remote.address import parse
from assay.remote.cached import LANES, Documents
from assay.remote.decisions import push_decisions
from assay.remote.describe import describe
from assay.remote.documents import NIGHTLY, File
from assay.remote.objects import Objects
from assay.store.snapshots import Snapshot, all_files, file_sha256, read_snapshot
from assay.store.workspace import Workspace

TRUSTED = timedelta(hours=6)  # an object that no document names may be gone soon; one younger than this is not


def push(
    objects: Objects,
    workspace: Workspace,
    folder: Path,
    manifest: dict[str, Any],
    number: int,
    now: datetime,
    keep: bool = True,
) -> Documents:
    """Publish the snapshot in a folder under a number.

    Args:
        now: the store's time.
        keep: whether the workspace is a cache of this store.

    Returns:
        The documents that were there before.

    Raises:
        TakenError: the number is taken.
        StoreError: the store cannot be written to, or a file of ours is damaged.
    """
    documents = Documents(objects, workspace, keep)
    if documents.newest >= number:
        raise TakenError(f"{objects.address} has v{documents.newest:08d} of `{workspace.dataset}` already")
    document = describe(workspace, folder, manifest, number)
    places = {file.sha256: (folder / file.path, file) for file in document.snapshot.objects}
    places |= {file.sha256: (workspace.root / file.path, file) for file in document.state.objects}
    send(objects, workspace.dataset, places, _known(documents), now)
    if not objects.create(documents.key(number), document.as_bytes()):
        raise TakenError(f"{objects.address}/{documents.key(number)} was published by another meanwhile")
    return documents


def _known(documents: Documents) -> set[str]:
    """The objects that must be in the store: those of all snapshots, and of the newest one's state."""
    good = documents.read_good()
    found = {digest for document in good for digest in document.snapshot.digests()}
    return found.union(*(document.state.digests() for document in good if document.number == documents.newest))


def send(objects: Objects, dataset: str, places: dict[str, tuple[Path, File]], known: set[str], now: datetime) -> None:
    """Send the files whose digests the store does not have."""
    lacking = {digest: place for digest, place in places.items() if digest not in known}
    if not lacking:
        return
    fresh = {one.name: one.size for one in objects.below(f"{dataset}/objects") if one.modified > now - TRUSTED}

    def one(digest: str) -> None:
        path, file = lacking[digest]
        if fresh.get(digest) != file.bytes:
            send_file(objects, dataset, path, digest)

    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(one, sorted(lacking)))


def send_again(objects: Objects, dataset: str, snapshot: Snapshot) -> None:
    """Send those files of a published snapshot whose objects are missing, or of another size."""
    sizes = {one.name: one.size for one in objects.below(f"{dataset}/objects")}
    for file in all_files(snapshot.manifest):
        if file["path"] not in NIGHTLY and sizes.get(file["sha256"]) != file["bytes"]:
            send_file(objects, dataset, snapshot.path / file["path"], file["sha256"])


def send_file(objects: Objects, dataset: str, path: Path, sha256: str) -> None:
    """Send one file as an object, if it is what was written."""
    if file_sha256(path) != sha256:
        raise StoreError(f"{path} is not what was written, so it is not sent; run again, and it is made anew")
    objects.put(f"{dataset}/objects/{sha256}", path)


def push_home(workspace: Workspace, numbers: list[int], url: str) -> list[int]:
    """Publish snapshots of a home that is a folder to a store, oldest first, and the decisions. Returns those sent.

    Raises:
        StoreError: the store has other snapshots of these numbers, or cannot be written to.
    """
    objects = Objects(parse(url))
    now = objects.probe()
    documents, sent = Documents(objects, workspace, keep=False), []
    for number in numbers:
        snapshot = read_snapshot(workspace.snapshots / f"v{number:08d}")
        if number in documents.listed:
            _require_same(documents, snapshot)
            send_again(objects, workspace.dataset, snapshot)
        elif number < documents.newest:
            continue  # it was removed there
        else:
            push(objects, workspace, snapshot.path, snapshot.manifest, number, now, keep=False)
            sent.append(number)
    push_decisions(objects, workspace)
    return sent


def _require_same(documents: Documents, snapshot: Snapshot) -> None:
    """Raise `StoreError` where the store's snapshot of this number is another one."""
    theirs = documents.read(snapshot.number).snapshot.texts.get("manifest.json")
    if theirs != (snapshot.path / "manifest.json").read_bytes():
        raise StoreError(
            f"{documents.objects.address} has another {snapshot.name} of `{snapshot.path.parents[1].name}` than "
            f"{snapshot.path}; push to another prefix, or run the nights with --home {documents.objects.address}"
        )
