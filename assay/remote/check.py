"""Check the store: each object that a document names is there, and those of one snapshot are what was written."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from assay.contracts.errors import SnapshotError, StoreError
from assay.remote.cached import LANES, Documents
from assay.remote.documents import File
from assay.remote.objects import Objects
from assay.store.workspace import Workspace


def check(objects: Objects, workspace: Workspace, number: int) -> list[str]:
    """What is wrong in the store, in words; empty where all is well. The objects of snapshot `number` are read whole.

    Raises:
        StoreError: the store cannot be read.
    """
    sizes = {one.name: one.size for one in objects.below(f"{workspace.dataset}/objects")}
    documents, problems = Documents(objects, workspace, keep=False), []
    for each in sorted(documents.listed):
        try:
            document = documents.read(each)
        except SnapshotError as error:
            problems.append(str(error))
            continue
        state = document.state.objects if each == documents.newest else []
        for file in [*document.snapshot.objects, *state]:
            found = sizes.get(file.sha256)
            if found != file.bytes:
                problems.append(
                    f"v{each:08d}/{file.path}: {'missing' if found is None else f'{found:,} bytes'} in the store"
                )
    if not problems and number in documents.listed:
        problems = _damaged(objects, workspace, documents.read(number).snapshot.objects)
    return problems


def _damaged(objects: Objects, workspace: Workspace, files: list[File]) -> list[str]:
    """Those of some files whose object is not what was written."""
    with tempfile.TemporaryDirectory(dir=workspace.root, prefix=".check-") as aside, ThreadPoolExecutor(LANES) as pool:

        def one(file: File) -> str:
            target = Path(aside) / file.sha256
            try:
                objects.fetch(f"{workspace.dataset}/objects/{file.sha256}", file.bytes, file.sha256, target)
            except StoreError as error:
                return f"{file.path}: {error}"
            finally:
                target.unlink(missing_ok=True)
            return ""

        once = {file.sha256: file for file in files}
        return [problem for problem in pool.map(one, once.values()) if problem]
