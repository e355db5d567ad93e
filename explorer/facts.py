"""Thumbnails, texts and vectors of some rows: read from the facts by content hash, a row group at a time, some kept."""

import threading
from collections import OrderedDict

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.errors import AssayError
from explorer.columns import View

MOST_BYTES = 200 * 2**20  # of row groups kept by one reader


class FactReader:
    """Values of one column of one facts table, by row of the view."""

    def __init__(self, view: View, table: str, column: str):
        self.column = column
        self._files = [pq.ParquetFile(part, memory_map=True) for part in view.snapshot.parts(table)]
        self.part, self.place = _locate(view, table)
        self._starts = [
            np.cumsum([0] + [file.metadata.row_group(g).num_rows for g in range(file.metadata.num_row_groups)])
            for file in self._files
        ]
        self._kept: OrderedDict[tuple[int, int], pa.Array] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, row: int):
        """The value at one row, or None."""
        part, place = int(self.part[row]), int(self.place[row])
        if part < 0:
            return None
        group = int(np.searchsorted(self._starts[part], place, "right")) - 1
        return self._group(part, group)[place - int(self._starts[part][group])].as_py()

    def _group(self, part: int, group: int) -> pa.Array:
        with self._lock:
            if (part, group) in self._kept:
                self._kept.move_to_end((part, group))
                return self._kept[part, group]
            values = self._files[part].read_row_group(group, columns=[self.column], use_threads=False)
            values = values.column(0).combine_chunks()
            self._kept[part, group] = values
            self._bytes += values.nbytes
            while self._bytes > MOST_BYTES and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
            return values


def _locate(view: View, table: str) -> tuple[np.ndarray, np.ndarray]:
    """Part number and row within it of each row's content, int32; part −1 where the facts do not have it."""

    def load():
        frames = [
            pl.read_parquet(part, columns=["content_hash"])
            .with_row_index("place")
            .with_columns(part=pl.lit(number, dtype=pl.Int32), place=pl.col("place").cast(pl.Int32))
            for number, part in enumerate(view.snapshot.parts(table))
        ]
        if not frames:
            return np.full(len(view), -1, np.int32), np.zeros(len(view), np.int32)
        if len(frames) == 1 and frames[0]["content_hash"].equals(view.hashes):
            return np.zeros(len(view), np.int32), np.arange(len(view), dtype=np.int32)
        known = pl.concat(frames).unique("content_hash", keep="first")
        found = view.hashes.to_frame().join(known, on="content_hash", how="left", maintain_order="left")
        return found["part"].fill_null(-1).to_numpy(), found["place"].fill_null(0).to_numpy()

    return view.once(("locate", table), load)


def reader(view: View, table: str, column: str) -> FactReader:
    """The one reader of a column."""
    return view.once(("reader", table, column), lambda: FactReader(view, table, column))


def thumbnail(view: View, row: int) -> bytes | None:
    """The stored JPEG of one image, or None."""
    return reader(view, "image_facts", "thumbnail").get(row) if view.snapshot.parts("image_facts") else None


def text(view: View, row: int) -> str | None:
    """The text of one sample, as given, or None."""
    return reader(view, "text_facts", "text").get(row) if view.snapshot.parts("text_facts") else None


def similarities(view: View, row: int | None = None, vector: np.ndarray | None = None) -> np.ndarray:
    """Cosine similarity of every sample to one of them, or to a vector; float32 of shape (n,), −inf without a vector.

    Exact, and streamed: one batch of vectors is in memory at a time.
    """
    part_of, place_of = _locate(view, "vectors")
    out = np.full(len(view), -np.inf, dtype=np.float32)
    parts = view.snapshot.parts("vectors")
    if vector is None:
        if part_of[row] < 0:
            raise AssayError("this sample has no vector, so nothing can be compared with it")
        value = reader(view, "vectors", "vector").get(row)
        vector = np.asarray(value, dtype=np.float32)
    vector = vector / max(float(np.linalg.norm(vector)), 1e-30)
    for number, path in enumerate(parts):
        scores = _part_similarities(path, vector)
        rows = np.flatnonzero(part_of == number)
        out[rows] = scores[place_of[rows]]
    return out


def _part_similarities(path, vector: np.ndarray) -> np.ndarray:
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
    """Whether the snapshot's embedder has a text tower."""
    return view.snapshot.manifest.get("config", {}).get("embed", {}).get("kind") == "open_clip"


def words_vector(view: View, words: str) -> np.ndarray:
    """The embedder's vector of some words; the model is loaded at the first search.

    Raises:
        AssayError: the embedder has no text tower, or its weights cannot be had.
    """
    if not can_search_words(view):
        raise AssayError("this snapshot's embedder has no text tower; search by words needs an open_clip model")
    encode = view.once("text_tower", lambda: _load_text_tower(view))
    return encode(words)


def _load_text_tower(view: View):
    import open_clip
    import torch

    embed = view.snapshot.manifest["config"]["embed"]
    model = open_clip.create_model(embed["model"], pretrained=embed.get("pretrained") or None).eval()
    if not hasattr(model, "encode_text"):
        raise AssayError(f"{embed['model']} has no text tower")
    tokenize = open_clip.get_tokenizer(embed["model"])

    def encode(words: str) -> np.ndarray:
        with torch.inference_mode():
            return model.encode_text(tokenize([words]))[0].float().numpy()

    return encode
