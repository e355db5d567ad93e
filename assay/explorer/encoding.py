"""What a visitor searches for, as a vector: words or a picture, by the embedder that made a snapshot's own vectors."""

import hashlib
import threading
from pathlib import Path

import numpy as np
from cachetools import LRUCache

from assay.contracts.errors import AssayError, UnreadableSample
from assay.contracts.spec import Spec, make_spec
from assay.embedders.base import Embedder
from assay.reading.columns import View
from assay.reading.facts import can_search_words
from assay.store.workspace import Workspace

MOST_PICTURES = 64  # that were searched for lately
NEEDS_PICTURES = "search by a picture needs a dataset of pictures whose embedder assay runs itself"
NEEDS_WORDS = "this snapshot's embedder has no text tower; search by meaning needs texts, an open_clip model, or CLAP"


class Encoder:
    """Vectors of words and pictures in the space of one snapshot. The model is loaded at the first question."""

    def __init__(self, workspace: Workspace, view: View) -> None:
        self._workspace, self._view = workspace, view
        self._lock = threading.Lock()
        self._pictures: LRUCache[str, np.ndarray] = LRUCache(MOST_PICTURES)

    def words(self, text: str) -> np.ndarray:
        """(d,) float32 of some words.

        Raises:
            AssayError: the snapshot's embedder knows no words, or cannot be had any more.
        """
        if not can_search_words(self._view):
            raise AssayError(NEEDS_WORDS)
        tower = "" if self._view.face["text"] else "text"
        with self._lock:
            vector = self._embedder(tower).encode([text])[0]
        if not np.any(vector):
            raise AssayError("the embedder knows none of these words")
        return vector

    def keep(self, picture: bytes) -> str:
        """The name under which `picture` finds a file's vector from now on: the digest of its bytes.

        Raises:
            AssayError: the bytes are no picture, or no picture can be embedded.
        """
        if not can_search_pictures(self._view):
            raise AssayError(NEEDS_PICTURES)
        name = hashlib.blake2b(picture, digest_size=16).hexdigest()
        with self._lock:
            if name not in self._pictures:
                try:
                    self._pictures[name] = self._embedder("").encode([picture])[0]
                except UnreadableSample as error:
                    raise AssayError(f"this cannot be read as a picture: {error.reason}: {error.detail}") from None
        return name

    def picture(self, name: str) -> np.ndarray:
        """(d,) float32 of a picture that was kept.

        Raises:
            AssayError: it is not known, or not any more.
        """
        found = self._pictures.get(name)
        if found is None:
            raise AssayError("the explorer does not know this picture any more; paste or drop it again")
        return found

    def _embedder(self, tower: str) -> Embedder:
        return self._view.once(("embedder", tower), lambda: self._load(tower))

    def _load(self, tower: str) -> Embedder:
        """The embedder of the snapshot. A model that has changed since would give vectors of another space."""
        from assay.embedders.registry import make_embedder

        spec = spec_of(self._view)
        if spec is None:
            raise AssayError("the snapshot does not say by what it was embedded")
        made = make_embedder(spec, self._workspace, self._view.hashes.unique(), tower)
        vectors = self._view.scan("vectors").select("embedder").head(1).collect()["embedder"].to_list()
        if not tower and vectors != [made.fingerprint]:
            raise AssayError("the model is no longer the one that this snapshot was embedded with; run the night again")
        made.load()
        return made


def can_search_pictures(view: View) -> bool:
    """Whether a picture that was not in the dataset can be embedded as the dataset was."""
    return (
        view.face["kind"] in ("picture", "captioned")
        and bool(view.snapshot.parts("vectors"))
        and spec_of(view) is not None
    )


def spec_of(view: View) -> Spec | None:
    """The spec that a snapshot was made by; None where it says none that can be read, or vectors were brought."""
    manifest = view.snapshot.manifest
    if "config" not in manifest or "spec_base" not in manifest:
        return None
    try:
        spec = make_spec(manifest["config"], Path(manifest["spec_base"]), "the snapshot's spec")
        taken = spec.data.content in ("file", "text") and spec.embed.kind != "vectors"
    except AssayError:
        return None
    return spec if taken else None
