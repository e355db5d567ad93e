"""The newest published snapshot's vectors, to compare tonight's with."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assay.sources.label_text import classes_of
from assay.store.snapshots import Snapshot
from assay.store.tables import TableReader
from assay.store.units import embedder_of, to_unit_length
from assay.store.vectors import read_vectors


@dataclass(frozen=True)
class VectorSample:
    """Some contents of one snapshot: unit-length vectors (n, d), content hashes and labels (None: unlabelled)."""

    vectors: np.ndarray
    content_hashes: list[str]
    labels: np.ndarray


def identity(snapshot: Snapshot | None) -> list[Any]:
    """What a stage's key holds about the snapshot: its number and the digest of its manifest."""
    if snapshot is None:
        return []
    digest = hashlib.sha256((snapshot.path / "manifest.json").read_bytes()).hexdigest()
    return [snapshot.number, digest]


def previous_sample(snapshot: Snapshot, size: int) -> tuple[str, VectorSample]:
    """`(embedder, sample)` of a published snapshot; the embedder is empty where it has no vectors."""
    return embedder_of(snapshot), take_sample(snapshot, size)


def take_sample(tables: TableReader, size: int) -> VectorSample:
    """The `size` contents of `samples` with the lowest hashes: a random but repeatable choice.

    Two snapshots of one dataset choose the same contents, as far as both have them.
    """
    rows = tables.scan("samples").select("content_hash", "label", "position").sort("position").collect()
    chosen = rows.unique("content_hash", keep="first", maintain_order=True).sort("content_hash").head(size)
    vectors, found = read_vectors(tables, chosen["content_hash"])
    found &= np.isfinite(vectors).all(axis=1)
    kept = chosen.filter(pl.Series(found, dtype=pl.Boolean))
    return VectorSample(
        to_unit_length(vectors[found]), kept["content_hash"].to_list(), np.array(kept["label"].to_list())
    )


def by_class(sample: VectorSample, separator: str) -> VectorSample:
    """A row for each class of each label, where labels are sets."""
    pairs = [(row, name) for row, text in enumerate(sample.labels) if text for name in classes_of(text, separator)]
    rows = np.array([row for row, _ in pairs], dtype=np.int64)
    hashes = [sample.content_hashes[row] for row in rows]
    return VectorSample(sample.vectors[rows], hashes, np.array([name for _, name in pairs], dtype=object))
