"""Thumbnails, texts and vectors of some rows: read from the facts by content hash, a row group at a time, some kept."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from cachetools import LRUCache

from assay.contracts.errors import AssayError
from assay.modalities.pairs.towers import has_text_tower
from assay.reading.columns import View

MOST_BYTES = 200 * 2**20  # of row groups kept by one reader


class FactReader:
    """Values of one column of one facts table, by row of the view."""

    def __init__(self, view: View, table: str, column: str) -> None:
        self.column = column
        self._parts = view.snapshot.parts(table)
        self._place = view.place(table)
        self._starts = part_starts(view, table)
        self._kept: LRUCache[tuple[int, int], pa.Array] = LRUCache(MOST_BYTES, getsizeof=lambda values: values.nbytes)
        self._groups: dict[int, set[int]] = {}
        self._lock = threading.Lock()
        self._reading = [threading.Lock() for _ in range(64)]

    def get(self, row: int) -> Any:
        """The value at one row, or None."""
        place = int(self._place[row])
        if place < 0:
            return None
        part = int(np.searchsorted(self._starts, place, "right")) - 1
        place -= int(self._starts[part])
        with self._reading[part % len(self._reading)]:  # many ask for one part at once: read it once
            start, values = self._find(part, place) or self._read(part, place)
        return values[place - start].as_py()

    def _find(self, part: int, place: int) -> tuple[int, pa.Array] | None:
        with self._lock:
            for start in self._groups.get(part, ()):
                if (part, start) in self._kept and start <= place < start + len(self._kept[part, start]):
                    return start, self._kept[part, start]
        return None

    def _read(self, part: int, place: int) -> tuple[int, pa.Array]:
        """The row group that holds a place, and where it starts; kept, while there is room."""
        file = pq.ParquetFile(self._parts[part], memory_map=True)
        start = 0
        for group in range(file.metadata.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if place < start + rows:
                break
            start += rows
        chunks = file.read_row_group(group, columns=[self.column], use_threads=False).column(0).chunks
        values = chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)  # of one it would be a copy
        with self._lock:
            self._groups.setdefault(part, set()).add(start)
            if values.nbytes <= MOST_BYTES:
                self._kept[part, start] = values
        return start, values


def part_starts(view: View, table: str) -> np.ndarray:
    """Row at which each part of a table starts, and after the last one their number."""
    counts = [pq.read_metadata(part).num_rows for part in view.snapshot.parts(table)]
    return np.cumsum([0, *counts])


def reader(view: View, table: str, column: str) -> FactReader:
    """The one reader of a column."""
    return view.once(("reader", table, column), lambda: FactReader(view, table, column))


def thumbnail(view: View, row: int) -> bytes | None:
    """The small picture of one sample, or None."""
    return _shown(view, "preview", row)


def text(view: View, row: int) -> str | None:
    """The text of one sample, as given, or None."""
    return _shown(view, "text", row)


def _shown(view: View, part: str, row: int) -> Any:
    """The preview or the text of one sample, as far as its face has one."""
    table, column = view.face["facts"], view.face[part]
    return reader(view, table, column).get(row) if column else None


def similarities(view: View, row: int | None = None, vector: np.ndarray | None = None) -> np.ndarray:
    """Cosine similarity of every sample to one of them, or to a vector; float32 of shape (n,), −inf without a vector.

    Exact, and streamed: one batch of vectors is in memory at a time.
    """
    place = view.place("vectors")
    if vector is None:
        if row is None or place[row] < 0:
            raise AssayError("this sample has no vector, so nothing can be compared with it")
        value = reader(view, "vectors", "vector").get(row)
        vector = np.asarray(value, dtype=np.float32)
    vector = vector / max(float(np.linalg.norm(vector)), 1e-30)
    found = [_part_similarities(path, vector) for path in view.snapshot.parts("vectors")]
    scores = np.concatenate([*found, np.array([-np.inf], dtype=np.float32)])  # place −1 is the last
    return scores[place].astype(np.float32)


def _part_similarities(path: Path, vector: np.ndarray) -> np.ndarray:
    scores = []
    for batch in pq.ParquetFile(path, memory_map=True).iter_batches(65_536, columns=["vector"]):
        column = batch.column(0)
        matrix = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1).astype(np.float32, copy=False)
        if matrix.shape[1] != len(vector):
            raise AssayError(f"vectors have {matrix.shape[1]} dimensions, the query {len(vector)}")
        norms = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))
        with np.errstate(invalid="ignore", divide="ignore"):
            scores.append(np.nan_to_num(matrix @ vector / norms, nan=-np.inf, posinf=-np.inf))
    return np.concatenate(scores) if scores else np.zeros(0, np.float32)


def can_search_words(view: View) -> bool:
    """Whether words can be embedded as the samples were: texts that assay embeds itself, or a model with a tower
    of words."""
    config = view.snapshot.manifest.get("config", {})
    embed = config.get("embed", {})
    if view.face["text"]:
        return bool(embed) and embed.get("kind") != "vectors" and bool(view.snapshot.parts("vectors"))
    base = Path(view.snapshot.manifest.get("spec_base", "."))
    return has_text_tower(embed.get("kind", ""), embed.get("model", ""), base)
