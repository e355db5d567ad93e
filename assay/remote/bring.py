"""Files of a dataset put into a folder of its cache: from what the cache has already, else from the store."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from assay.remote.cached import LANES, Documents
from assay.remote.documents import File, Files
from assay.store.files import atomic_file, link_or_copy, sync_tree
from assay.store.snapshots import file_sha256, snapshot_numbers
from assay.store.workspace import Workspace


class Bringer:
    """Brings files by their digests, each from the store at most once."""

    def __init__(self, workspace: Workspace, documents: Documents) -> None:
        self.workspace, self.documents = workspace, documents
        self.have: dict[str, Path] | None = None

    def has(self, folder: Path, files: Files) -> None:
        """Note that files are in a folder now."""
        if self.have is not None:
            self.have |= {file.sha256: folder / file.path for file in files.objects}

    def bring(self, files: Files, folder: Path) -> None:
        """Write files below a folder: from what the cache has, else from the store."""
        with aside_of(self.workspace.root) as loose, ThreadPoolExecutor(LANES) as pool:
            once = {file.sha256: file for file in files.objects}
            sources = dict(zip(once, pool.map(lambda file: self._source(file, loose), once.values()), strict=True))
            for file in files.objects:
                (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(sources[file.sha256], folder / file.path)
        for path, data in files.texts.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(folder / path) as aside:
                aside.write_bytes(data)
        sync_tree(folder)

    def _source(self, file: File, loose: Path) -> Path:
        """A file of these bytes: one that the cache has, or a new one in `loose`."""
        found = self._index().get(file.sha256)
        with contextlib.suppress(OSError):
            if found and found.stat().st_size == file.bytes and file_sha256(found) == file.sha256:
                return found
        target = loose / file.sha256
        key = f"{self.workspace.dataset}/objects/{file.sha256}"
        self.documents.objects.fetch(key, file.bytes, file.sha256, target)
        return target

    def _index(self) -> dict[str, Path]:
        """Where the cache has which bytes, according to the documents of the snapshots that it has."""
        if self.have is None:
            index: dict[str, Path] = {}
            for number in snapshot_numbers(self.workspace.snapshots):
                if number in self.documents.listed and self.documents.has_copy(number):
                    document = self.documents.read(number)
                    folder = self.workspace.snapshots / f"v{number:08d}"
                    index |= {file.sha256: self.workspace.root / file.path for file in document.state.objects}
                    index |= {file.sha256: folder / file.path for file in document.snapshot.objects}
            self.have = index
        return self.have


@contextlib.contextmanager
def aside_of(parent: Path) -> Iterator[Path]:
    """A folder beside; what a kill leaves of it, gc removes."""
    folder = Path(tempfile.mkdtemp(prefix=".pull-", dir=parent))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
