"""What a fitted embedder learned, kept as a fact and used again: HOME/DATASET/facts/embedders/FINGERPRINT/basis.npz.

A basis fitted anew each night would make last night's vectors incomparable and embed everything again. So the
stored basis whose contents overlap most with tonight's is used, and a new one is fitted only when less than
`REFIT_BELOW` of the contents in either are in both (about a fifth more, or a ninth exchanged).
"""

import contextlib
import hashlib
import io
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.lib.npyio import NpzFile

from assay.contracts.errors import EmbedderError
from assay.store.digests import read_trailed, write_trailed
from assay.store.files import hash_text
from assay.store.workspace import Workspace

REFIT_BELOW = 0.8  # Jaccard overlap of the contents
FIT_SAMPLE = 20_000  # contents that a basis is fitted on, at most: those with the smallest hashes


@dataclass(frozen=True)
class Basis:
    """A stored or planned basis.

    Attributes:
        path: its file; not there yet when the basis still has to be fitted.
        overlap: |contents tonight ∩ contents fitted| ÷ |∪|, in [0, 1]; 1 for a new basis.
        content_hashes: tonight's contents, sorted, each once.
    """

    algorithm: str
    fingerprint: str
    path: Path
    overlap: float
    content_hashes: pl.Series

    @property
    def is_fitted(self) -> bool:
        return self.path.exists()

    def sample(self) -> pl.Series:
        """The contents to fit on."""
        return self.content_hashes.head(FIT_SAMPLE)

    def save(self, **arrays: np.ndarray) -> None:
        """Store what was learned, whole or not at all."""
        contents = np.frombuffer(bytes.fromhex("".join(self.content_hashes)), dtype=np.uint8).reshape(-1, 16)
        buffer = io.BytesIO()
        np.savez(buffer, algorithm=np.array(self.algorithm), contents=contents, **arrays)  # type: ignore[arg-type]
        write_trailed(self.path, buffer.getvalue())

    def load(self) -> dict[str, np.ndarray]:
        """What was learned.

        Raises:
            EmbedderError: the file is damaged.
        """
        try:
            with _stored(self.path) as stored:
                return {name: stored[name] for name in stored.files}
        except Exception as error:
            raise EmbedderError(
                f"the fitted embedder in {self.path} is damaged ({error}); remove {self.path.parent} and "
                f"{self.path.parents[2] / 'vectors' / self.fingerprint}, and run again: it will be fitted again"
            ) from error


def plan_basis(workspace: Workspace, algorithm: str, content_hashes: pl.Series) -> Basis:
    """The stored basis of `algorithm` that overlaps most with tonight's contents, or a new one to be fitted."""
    hashes = content_hashes.unique().sort()
    folder = workspace.facts / "embedders"
    fingerprint = fingerprint_of(algorithm=algorithm, contents=hash_text("\n".join(hashes)))
    new = Basis(algorithm, fingerprint, folder / fingerprint / "basis.npz", 1.0, hashes)
    best = max(stored_bases(workspace, new), key=lambda basis: basis.overlap, default=new)
    return best if best.overlap >= REFIT_BELOW else new


def stored_bases(workspace: Workspace, wanted: Basis) -> list[Basis]:
    """The stored bases of the algorithm of `wanted`, by name, each with its overlap with the contents of that."""
    found = []
    for path in sorted((workspace.facts / "embedders").glob("*/basis.npz")):
        fitted_on = _fitted_on(path, wanted.algorithm)
        if fitted_on is not None:
            overlap = _overlap(wanted.content_hashes, fitted_on)
            found.append(Basis(wanted.algorithm, path.parent.name, path, overlap, wanted.content_hashes))
    return found


def fitted_on(workspace: Workspace, fingerprint: str) -> pl.Series:
    """The contents that the stored basis of a fingerprint was fitted on; none where there is no such basis."""
    path = workspace.facts / "embedders" / fingerprint / "basis.npz"
    try:
        with _stored(path) as stored:
            return pl.Series([row.hex() for row in map(bytes, stored["contents"])], dtype=pl.String)
    except FileNotFoundError:
        return pl.Series([], dtype=pl.String)


def _fitted_on(path: Path, algorithm: str) -> pl.Series | None:
    """The contents that a stored basis was fitted on; None where it is another algorithm's, or damaged: then it is put
    aside and told, and a basis is fitted anew."""
    try:
        with _stored(path) as stored:
            if str(stored["algorithm"]) != algorithm:
                return None
            return pl.Series([row.hex() for row in map(bytes, stored["contents"])], dtype=pl.String)
    except Exception as error:  # whatever NumPy makes of noise
        with contextlib.suppress(OSError):
            os.replace(path, path.with_name(f".damaged-{path.name}"))
        print(f"damaged: {path}: {error}; it is put aside, and fitted again when needed", file=sys.stderr)
        return None


def _stored(path: Path) -> NpzFile:
    return cast(NpzFile, np.load(io.BytesIO(read_trailed(path)), allow_pickle=False))


def _overlap(here: pl.Series, there: pl.Series) -> float:
    both = int(here.is_in(there.implode()).sum())
    return both / max(len(here) + len(there) - both, 1)


def fingerprint_of(**described: Any) -> str:
    """32 hex digits of everything named, through sorted JSON."""
    text = json.dumps(described, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
