"""Remove from the store what nothing needs: old snapshots, and objects that no document names.

A reader may be fetching a snapshot while it is removed, and a publisher may count on an object that only an old
snapshot names. So a removed snapshot's document is kept aside for a grace period, in which its objects stay; and an
object that no document names stays until it is older than that. Ages are by the store's clock.
"""

from datetime import timedelta

from assay.remote.cached import Documents
from assay.remote.documents import read_document
from assay.remote.objects import PROBES, Objects
from assay.store.workspace import Workspace


def collect(
    objects: Objects, workspace: Workspace, old: list[int], grace_hours: float = 24.0, dry_run: bool = False
) -> list[str]:
    """Remove the snapshots `old`, and the objects that are not needed any more.

    Returns:
        The keys that were, or with `dry_run` would be, removed.

    Raises:
        SnapshotError: a document cannot be read, so nobody knows what it needs; nothing was removed.
        StoreError: the store cannot be used.
    """
    dataset, before = workspace.dataset, objects.probe() - timedelta(hours=grace_hours)
    stored = objects.below(f"{dataset}/objects")
    documents = Documents(objects, workspace)
    needed = {document.number: set(document.snapshot.digests()) for document in documents.read_all()}
    old = sorted(set(old) & needed.keys() - {documents.newest})
    for number in old if not dry_run else ():
        objects.put(f"{dataset}/removed/v{number:08d}.json", documents.read(number).as_bytes())
        objects.delete([documents.key(number)])
    removed = objects.below(f"{dataset}/removed")
    past = [one.key for one in removed if one.modified < before]
    live = set().union(*(digests for number, digests in needed.items() if number not in old))
    live |= set(documents.read(documents.newest).state.digests()) if documents.newest else set()
    live |= set().union(*(_names(objects, one.key) for one in removed if one.key not in past))
    doomed = [one.key for one in stored if one.modified < before and one.name not in live]
    if doomed and not dry_run:
        doomed = _still_doomed(objects, workspace, doomed)
    doomed += past + [one.key for one in objects.below(PROBES) if one.modified < before]
    if not dry_run:
        objects.delete(doomed)
    return [documents.key(number) for number in old] + doomed


def _names(objects: Objects, key: str) -> set[str]:
    """The objects of a removed snapshot."""
    return set(read_document(objects.get(key), f"{objects.address}/{key}").snapshot.digests())


def _still_doomed(objects: Objects, workspace: Workspace, doomed: list[str]) -> list[str]:
    """Those that no document names that was published meanwhile."""
    live: set[str] = set()
    for document in Documents(objects, workspace).read_all():
        live |= {*document.snapshot.digests(), *document.state.digests()}
    return [key for key in doomed if key.rpartition("/")[2] not in live]
