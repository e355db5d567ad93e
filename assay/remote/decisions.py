"""Decisions travel by themselves: a part never changes, no two have one name, and what either side lacks is copied."""

import re
from concurrent.futures import ThreadPoolExecutor

from assay.remote.cached import LANES
from assay.remote.objects import Objects
from assay.store.decision_parts import decisions_folder, is_whole, part_names
from assay.store.decisions import NONE_YET
from assay.store.files import atomic_file
from assay.store.workspace import Workspace

PART = re.compile(r"part-[\w-]+\.parquet")


def pull_decisions(objects: Objects, workspace: Workspace) -> list[str]:
    """Fetch the parts that the cache lacks; their names."""
    return _fetch(objects, workspace, _stored(objects, workspace))


def push_decisions(objects: Objects, workspace: Workspace) -> list[str]:
    """Send the parts that the store lacks; their names. A damaged one is not sent."""
    ours = set(part_names(workspace)) - {NONE_YET}
    return _send(objects, workspace, ours - _stored(objects, workspace)) if ours else []


def exchange_decisions(objects: Objects, workspace: Workspace) -> None:
    """Both, by one listing of the store."""
    stored = _stored(objects, workspace)
    _send(objects, workspace, set(part_names(workspace)) - {NONE_YET} - stored)
    _fetch(objects, workspace, stored)


def _fetch(objects: Objects, workspace: Workspace, stored: set[str]) -> list[str]:
    names = sorted(stored - set(part_names(workspace)))

    def bring(name: str) -> None:
        data = objects.get(f"{workspace.dataset}/decisions/{name}")
        with atomic_file(decisions_folder(workspace) / name) as aside:
            aside.write_bytes(data)

    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(bring, names))
    return names


def _send(objects: Objects, workspace: Workspace, lacking: set[str]) -> list[str]:
    names = sorted(lacking)
    for name in names:
        path = decisions_folder(workspace) / name
        if is_whole(path):
            objects.create(f"{workspace.dataset}/decisions/{name}", path.read_bytes())
    return names


def _stored(objects: Objects, workspace: Workspace) -> set[str]:
    """Names of the parts in the store."""
    return {one.name for one in objects.below(f"{workspace.dataset}/decisions") if PART.fullmatch(one.name)}
