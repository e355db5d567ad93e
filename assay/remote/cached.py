"""The documents of a dataset's snapshots in the store, and the copies of them in the cache.

HOME/DATASET/.remote/vNNNNNNNN-ETAG.json    a document as it was read; a document never changes
"""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from assay.contracts.errors import SnapshotError
from assay.remote.documents import DOCUMENT, Document, read_document
from assay.remote.objects import Objects
from assay.store.files import atomic_file
from assay.store.workspace import Workspace

LANES = 8  # requests at a time


class Documents:
    """The documents that were in the store when it was asked.

    Args:
        keep: whether to keep copies beside the dataset, as a cache does.
    """

    def __init__(self, objects: Objects, workspace: Workspace, keep: bool = True) -> None:
        self.objects, self.dataset = objects, workspace.dataset
        self.folder = workspace.root / ".remote" if keep else None
        self.listed = {
            int(found[1]): re.sub(r"[^\w-]", "", one.etag)
            for one in objects.below(f"{self.dataset}/snapshots")
            if (found := DOCUMENT.fullmatch(one.name))
        }
        self._read: dict[int, Document] = {}

    @property
    def newest(self) -> int:
        """The highest number; 0 where there is none."""
        return max(self.listed, default=0)

    def key(self, number: int) -> str:
        """Of a document, in the store."""
        return f"{self.dataset}/snapshots/v{number:08d}.json"

    def copy(self, number: int) -> Path | None:
        """Where the cache has a document; None where nothing is kept."""
        return self.folder and self.folder / f"v{number:08d}-{self.listed[number]}.json"

    def has_copy(self, number: int) -> bool:
        """Whether the cache has this very document."""
        copy = self.copy(number)
        return copy is not None and copy.is_file()

    def read(self, number: int) -> Document:
        """One document, from the cache where it is there.

        Raises:
            MissingError: it was removed since.
            SnapshotError: it cannot be read.
        """
        if number not in self._read:
            where = f"{self.objects.address}/{self.key(number)}"
            self._read[number] = self._kept(number) or read_document(self.objects.get(self.key(number)), where)
        return self._read[number]

    def _kept(self, number: int) -> Document | None:
        """The cache's copy of a document; one that is damaged goes."""
        copy = self.copy(number)
        if copy is None or not copy.is_file():
            return None
        try:
            return read_document(copy.read_bytes(), str(copy))
        except SnapshotError as error:
            print(f"damaged: {error}; it is fetched again", file=sys.stderr)
            copy.unlink()
            return None

    def read_all(self) -> list[Document]:
        """Every document, oldest first. Raises as `read`."""
        with ThreadPoolExecutor(LANES) as pool:
            return list(pool.map(self.read, sorted(self.listed)))

    def read_good(self) -> list[Document]:
        """Every document that can be read, oldest first."""

        def one(number: int) -> Document | None:
            try:
                return self.read(number)
            except SnapshotError:
                return None

        with ThreadPoolExecutor(LANES) as pool:
            return [document for document in pool.map(one, sorted(self.listed)) if document]

    def keep(self, number: int) -> None:
        """Note that the cache has a snapshot."""
        copy = self.copy(number)
        if copy is not None and not copy.is_file():
            with atomic_file(copy) as aside:
                aside.write_bytes(self.read(number).as_bytes())

    def forget_others(self) -> None:
        """Remove the copies of documents that are no longer in the store."""
        if self.folder is None:
            return
        known = {self.copy(number) for number in self.listed}
        for path in self.folder.glob("v*.json"):
            if path not in known:
                path.unlink(missing_ok=True)
