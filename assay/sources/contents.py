"""The content of each row of a batch: its hash, its size, and the text or the vector itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from assay.sources.columns import Fates
from assay.store.files import hash_bytes
from assay.store.stage import StageWriter

PART_BYTES = 64 * 2**20  # of one part of `contents`


def content_frame(found: Sequence[tuple[str | None, int, str | None]], matrix: np.ndarray | None) -> pl.DataFrame:
    """Columns content_hash, size_bytes, text, vector from `(content_hash, size, text)` of each row and its vectors."""
    vectors = pl.Series("vector", [None] * len(found), dtype=pl.List(pl.Float32))
    if matrix is not None and matrix.shape[1]:
        vectors = pl.Series("vector", matrix).arr.to_list()
    return pl.DataFrame(
        {
            "content_hash": pl.Series([row[0] for row in found], dtype=pl.String),
            "size_bytes": pl.Series([row[1] for row in found], dtype=pl.Int64),
            "text": pl.Series([row[2] for row in found], dtype=pl.String),
            "vector": vectors,
        }
    )


def text_contents(texts: Sequence[str | None], fates: Fates) -> list[tuple[str | None, int, str | None]]:
    """Hash and size of each text's UTF-8. A row without text is refused."""
    found: list[tuple[str | None, int, str | None]] = []
    for place, text in enumerate(texts):
        if text is None:
            fates.refuse(place, "missing_text", "no text")
            found.append((None, 0, None))
        else:
            data = text.encode("utf-8")
            found.append((hash_bytes(data), len(data), text))
    return found


def vector_contents(matrix: np.ndarray) -> list[tuple[str | None, int, str | None]]:
    """Hash and size of each vector's float32 bytes (little-endian)."""
    little = np.ascontiguousarray(matrix, dtype="<f4")
    return [(hash_bytes(row.tobytes()), row.nbytes, None) for row in little]


@dataclass
class ContentWriter:
    """Writes each content once, in parts of some `PART_BYTES`, as batches come."""

    writer: StageWriter
    _seen: set[bytes] = field(default_factory=set)
    _pending: list[pl.DataFrame] = field(default_factory=list)
    _pending_bytes: int = 0

    def add(self, contents: pl.DataFrame) -> None:
        """Queue the contents that were not met before and hold a text or a vector."""
        contents = contents.filter(pl.col("text").is_not_null() | pl.col("vector").is_not_null())
        keys = [bytes.fromhex(content_hash) for content_hash in contents["content_hash"]]
        fresh = []
        for place, key in enumerate(keys):
            if key not in self._seen:
                self._seen.add(key)
                fresh.append(place)
        if fresh:
            frame = contents[fresh].select("content_hash", "text", "vector")
            self._pending.append(frame)
            self._pending_bytes += int(frame.estimated_size())
        if self._pending_bytes >= PART_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is queued."""
        if self._pending:
            self.writer.write("contents", pl.concat(self._pending))
        self._pending, self._pending_bytes = [], 0
