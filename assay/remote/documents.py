"""What a snapshot is in a bucket: one document that names its files by their digests, and all that a night left behind.

    DATASET/objects/SHA256              a file, once however many snapshots and nights have it
    DATASET/snapshots/vNNNNNNNN.json    a document, written last, and only by whoever is first
    DATASET/removed/vNNNNNNNN.json      that of a snapshot that was removed; its files go once a while has passed
    DATASET/decisions/part-….parquet    what people decided

The files that differ every night whatever the data (`manifest.json`, `report.html`) are in the document itself.
"""

import base64
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from assay.contracts.errors import SnapshotError
from assay.store.digests import SEAL, sealed
from assay.store.snapshots import is_inside

FORMAT = 1
NIGHTLY = ("manifest.json", "report.html")  # names of files that are in the document
DIGEST = re.compile(r"[0-9a-f]{64}")
DOCUMENT = re.compile(r"v(\d{8})\.json")


@dataclass(frozen=True)
class File:
    """A file of a home: its path, its SHA-256, and its size in bytes."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Files:
    """Files of a folder: those that are objects, and the bytes of the others by path."""

    objects: list[File] = field(default_factory=list)
    texts: dict[str, bytes] = field(default_factory=dict)

    def digests(self) -> Iterator[str]:
        """Of the objects."""
        return (file.sha256 for file in self.objects)


@dataclass(frozen=True)
class Document:
    """A published snapshot.

    Attributes:
        about: `dataset`, `snapshot`, `created_at`, `samples`, and `publication`, which no other document has.
        snapshot: its files, by their paths below its folder.
        state: what the next night starts from, by paths below `HOME/DATASET`: facts and the outputs of stages.
    """

    about: dict[str, Any]
    snapshot: Files
    state: Files

    @property
    def number(self) -> int:
        """The snapshot's."""
        return int(self.about["snapshot"])

    def as_bytes(self) -> bytes:
        """JSON, with a digest of itself."""
        values = {"format": FORMAT, **self.about}
        for name, files in (("snapshot_files", self.snapshot), ("state_files", self.state)):
            texts = {path: base64.b64encode(zlib.compress(data, 9)).decode() for path, data in files.texts.items()}
            values[name] = {"objects": [[file.path, file.sha256, file.bytes] for file in files.objects], "texts": texts}
        return json.dumps(sealed(values), sort_keys=True).encode()


def read_document(data: bytes, where: str) -> Document:
    """The document in some bytes; `where` they were found, for a message.

    Raises:
        SnapshotError: they are none, or name a file outside the home.
    """
    try:
        values = json.loads(data)
        if values["format"] != FORMAT:
            raise SnapshotError(f"{where} was written by another version of assay (format {values['format']!r:.20})")
        if values[SEAL] != sealed(values)[SEAL]:
            raise ValueError("its content is not what was written")
        snapshot, state = (_files(values.pop(name)) for name in ("snapshot_files", "state_files"))
        about = {name: value for name, value in values.items() if name not in (SEAL, "format")}
        int(about["snapshot"])
    except (ValueError, TypeError, KeyError, AttributeError, zlib.error) as error:
        raise SnapshotError(
            f"{where} is no document of a snapshot ({error}); `assay verify` names every damage"
        ) from None
    outside = [path for path in all_paths(state) if path.split("/")[0] not in ("facts", "work")]
    outside += [path for path in all_paths(snapshot) if not path or path.endswith("/")]
    if outside:
        raise SnapshotError(f"{where} names {outside[0]!r:.200}, which is no file of a snapshot; it cannot be used")
    return Document(about, snapshot, state)


def all_paths(files: Files) -> Iterable[str]:
    """All paths."""
    return [*(file.path for file in files.objects), *files.texts]


def _files(values: dict[str, Any]) -> Files:
    """Files as a document names them; raises `ValueError` for a path that leads elsewhere, or what is no digest."""
    objects = [File(str(path), str(digest), int(size)) for path, digest, size in values["objects"]]
    texts = {str(path): zlib.decompress(base64.b64decode(text)) for path, text in values["texts"].items()}
    found = Files(objects, texts)
    for path in all_paths(found):
        if not is_inside(path):
            raise ValueError(f"it names {path!r:.200}")
    if wrong := [file.sha256 for file in objects if not DIGEST.fullmatch(file.sha256) or file.bytes < 0]:
        raise ValueError(f"{wrong[0]!r:.80} is no digest")
    return found
