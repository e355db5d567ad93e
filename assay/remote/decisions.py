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
    there = set(part_names(workspace))
    names = sorted(_stored(objects, workspace) - there)

    def bring(name: str) -> None:
        data = objects.get(f"{workspace.dataset}/decisions/{name}")
        with atomic_file(decisions_folder(workspace) / name) as aside:
            aside.write_bytes(data)

    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(bring, names))
    return names


def push_decisions(objects: Objects, workspace: Workspace) -> list[str]:
    """Send the parts that the store lacks; their names. A damaged one is not sent."""
    ours = set(part_names(workspace)) - {NONE_YET}
    if not ours:
        return []
    names = sorted(ours - _stored(objects, workspace))
    for name in names:
        path = decisions_folder(workspace) / name
        if is_whole(path):
            objects.create(f"{workspace.dataset}/decisions/{name}", path.read_bytes())
    return names


def _stored(objects: Objects, workspace: Workspace) -> set[str]:
    """Names of the parts in the store."""
    names = {one.key.rpartition("/")[2] for one in objects.below(f"{workspace.dataset}/decisions")}
    return {name for name in names if PART.fullmatch(name)}
