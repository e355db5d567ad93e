"""Vectors brought by the user: read from ingest's `contents`, made unit length, in bounded memory."""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assay.embedders.pipeline import checked_vectors
from assay.health.embedding import Refusals
from assay.store.facts import FactStore
from assay.store.progress import Progress
from assay.store.tables import TableReader
from assay.store.vectors import vectors_frame

_ROWS = 16_384  # contents in one part; there is no work to lose


def given_dimensions(tables: TableReader) -> int:
    """The most frequent length of the given vectors (of equally frequent ones the largest); 0 without any."""
    lengths: Counter[int] = Counter()
    for part in tables.parts("contents"):
        for batch in pq.ParquetFile(part).iter_batches(_ROWS, columns=["vector"]):
            for counted in pc.value_counts(pc.list_value_length(batch.column(0)).drop_null()).to_pylist():
                lengths[counted["values"]] += counted["counts"]
    return max(lengths, key=lambda length: (lengths[length], length), default=0)


def store_given(
    tables: TableReader, missing: pl.Series, store: FactStore, dimensions: int, storage: str, label: str
) -> Refusals:
    """Put the vectors of the `missing` contents into `store` as rows of length 1."""
    refusals, progress = Refusals(), Progress(label, len(missing))
    wanted = set(missing)
    for frame in _parts(tables):
        frame = frame.filter(pl.col("content_hash").is_in(list(wanted.intersection(frame["content_hash"]))))
        if frame.is_empty():
            continue
        fits = (frame["vector"].list.len().fill_null(0) == dimensions) & (dimensions > 0)
        for name, length in frame.filter(~fits).select("content_hash", pl.col("vector").list.len()).iter_rows():
            refusals.reasons[name] = ("vector_wrong_length", f"{length or 0} numbers where most have {dimensions}")
        good = frame.filter(fits)
        if not good.is_empty():
            _store(store, good, dimensions, storage, refusals)
        progress.advance(len(frame))
    return refusals


def _store(store: FactStore, frame: pl.DataFrame, dimensions: int, storage: str, refusals: Refusals) -> None:
    flat = frame["vector"].explode(empty_as_null=False).cast(pl.Float32).to_numpy()
    unit, problems = checked_vectors(flat.reshape(-1, dimensions))
    names = frame["content_hash"].to_list()
    for row, reason in problems.items():
        refusals.reasons[names[row]] = reason
    good = [row for row in range(len(names)) if row not in problems]
    store.append(vectors_frame([names[row] for row in good], store.fingerprint, unit[good].astype(storage)))


def _parts(tables: TableReader) -> Iterator[pl.DataFrame]:
    """`content_hash`, `vector` of all contents, in their order, some rows at a time, each content once."""
    seen: set[str] = set()
    for part in tables.parts("contents"):
        for batch in pq.ParquetFile(part).iter_batches(_ROWS, columns=["content_hash", "vector"]):
            frame = pl.DataFrame(pa.Table.from_batches([batch]))
            frame = frame.unique("content_hash", keep="first", maintain_order=True)
            frame = frame.filter(~pl.col("content_hash").is_in(list(seen & set(frame["content_hash"]))))
            seen.update(frame["content_hash"])
            yield frame


def given_norms(tables: TableReader, dimensions: int) -> np.ndarray:
    """Lengths of the vectors as they were given, float64; those with NaN or another number of entries left out."""
    norms = [np.zeros(0)]
    for frame in _parts(tables):
        good = frame.filter(pl.col("vector").list.len() == dimensions)
        if dimensions and not good.is_empty():
            flat = good["vector"].explode(empty_as_null=False).cast(pl.Float64).to_numpy().reshape(-1, dimensions)
            lengths = np.sqrt((flat**2).sum(axis=1))
            norms.append(lengths[np.isfinite(lengths)])
    return np.concatenate(norms)
