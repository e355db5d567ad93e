"""The saved index of a snapshot: load it, check it, search it from any program, without torch or Prefect.

    index/meta.json      method, sizes, ef, and the SHA-256 of every other file
    index/ids.parquet    sample_id of each row
    index/basis.npy      (d, 256) basis of the space that the graph was built in; only where d is larger
    index/hnsw.bin       the HNSW graph; absent where exact search was used

hnswlib neither checks what it loads nor keeps `ef`: a damaged file would be a memory hazard, so digests come first.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from data_contracts.errors import SnapshotError
from tasks.snapshots import file_sha256

FORMAT = 1
FILES = ("ids.parquet", "basis.npy", "hnsw.bin")
VectorsOf = Callable[[list[str]], np.ndarray]


@dataclass(frozen=True)
class SavedIndex:
    """What `load_index` found: `ids` in row order, and the HNSW graph where there is one."""

    method: str  # exact | hnsw
    ids: list[str]
    dimensions: int
    ef: int
    basis: np.ndarray | None
    graph: Any | None  # hnswlib.Index


def save_index(
    folder: Path, ids: list[str], dimensions: int, ef: int, graph: Any | None, basis: np.ndarray | None
) -> None:
    """Write the index folder; `meta.json` last, with the digests of the others."""
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame({"sample_id": ids}, schema={"sample_id": pl.String}).write_parquet(folder / "ids.parquet")
    if graph is not None:
        graph.save_index(str(folder / "hnsw.bin"))
        if basis is not None:
            np.save(folder / "basis.npy", basis, allow_pickle=False)
    meta = {
        "format": FORMAT,
        "method": "exact" if graph is None else "hnsw",
        "space": "cosine",
        "count": len(ids),
        "dimensions": dimensions,
        "graph_dimensions": 0 if graph is None else graph.dim,
        "ef": ef,
        "sha256": {name: file_sha256(folder / name) for name in FILES if (folder / name).exists()},
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def load_index(folder: Path) -> SavedIndex:
    """The index in `folder`, its digests verified, `ef` set.

    Raises:
        SnapshotError: a file is absent, damaged, or of another format.
    """
    folder = Path(folder)
    meta = _read_meta(folder)
    for name, wanted in meta["sha256"].items():
        if name not in FILES:
            raise SnapshotError(f"{folder}/meta.json names the file {name!r:.80}; an index has only {', '.join(FILES)}")
        found = file_sha256(folder / name) if (folder / name).is_file() else "no file"
        if found != wanted:
            raise SnapshotError(
                f"{folder / name} is damaged: its SHA-256 is {found}, wanted {wanted}; run `assay verify`, "
                "then remove the snapshot and run the dataset again"
            )
    ids = pl.read_parquet(folder / "ids.parquet")["sample_id"].to_list()
    if len(ids) != meta["count"]:
        raise SnapshotError(f"{folder}/ids.parquet has {len(ids)} rows, meta.json says {meta['count']}")
    basis = np.load(folder / "basis.npy", allow_pickle=False) if "basis.npy" in meta["sha256"] else None
    graph = _load_graph(folder, meta) if meta["method"] == "hnsw" else None
    return SavedIndex(meta["method"], ids, meta["dimensions"], meta["ef"], basis, graph)


def _read_meta(folder: Path) -> dict:
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        right = (
            meta["format"] == FORMAT
            and meta["method"] in ("exact", "hnsw")
            and all(isinstance(meta[key], int) for key in ("count", "dimensions", "graph_dimensions", "ef"))
            and "ids.parquet" in meta["sha256"]
            and ("hnsw.bin" in meta["sha256"]) == (meta["method"] == "hnsw")
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SnapshotError(f"{folder} has no readable index ({type(error).__name__}: {error})") from None
    if not right:
        raise SnapshotError(f"{folder}/meta.json is not of index format {FORMAT}; run the dataset again to rebuild it")
    return meta


def _load_graph(folder: Path, meta: dict) -> Any:
    import hnswlib

    graph = hnswlib.Index(space="ip", dim=meta["graph_dimensions"])
    graph.load_index(str(folder / "hnsw.bin"), max_elements=meta["count"])
    graph.set_ef(meta["ef"])
    return graph


class Searcher:
    """Nearest units to any vector: through the HNSW graph where there is one, else exactly over all vectors.

    With `vectors_of` the candidates of the graph are ranked by their true similarity; without it, by the similarity
    in the graph's own space.
    """

    def __init__(self, index: SavedIndex, vectors_of: VectorsOf | None = None):
        if index.graph is None and vectors_of is None and index.ids:
            raise SnapshotError("this snapshot's index is exact: to search it, give the vectors too (`vectors_of`)")
        self.index, self._vectors_of = index, vectors_of
        exact = index.graph is None and index.ids and vectors_of is not None
        self._vectors = _unit_rows(vectors_of(index.ids)) if exact else None

    def search(self, vector: np.ndarray, k: int) -> list[tuple[str, float]]:
        """The `k` units nearest to `vector`, shape (d,): (sample_id, cosine), nearest first, ties in row order.

        Raises:
            SnapshotError: `vector` is of another length than the index's vectors.
        """
        query = np.asarray(vector, dtype=np.float32).reshape(-1)
        if len(query) != self.index.dimensions:
            raise SnapshotError(
                f"the vector has {len(query)} dimensions, this index {self.index.dimensions}; use the same embedder"
            )
        k = min(k, len(self.index.ids))
        if k < 1 or not np.isfinite(query).all():
            return []
        query = _unit_rows(query[None, :])[0]
        rows, similarity = self._exact(query) if self._vectors is not None else self._graph(query, k)
        order = np.lexsort((rows, -similarity))[:k]
        return [(self.index.ids[rows[i]], float(similarity[i])) for i in order]

    def _exact(self, query: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.arange(len(self._vectors)), self._vectors @ query

    def _graph(self, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        projected = query if self.index.basis is None else _unit_rows(query[None, :] @ self.index.basis)[0]
        rows, distances = _reachable(self.index, projected, min(3 * k, len(self.index.ids)))
        if self._vectors_of is None:
            return rows, 1.0 - distances
        return rows, _unit_rows(self._vectors_of([self.index.ids[row] for row in rows])) @ query


def open_searcher(folder: Path, vectors_of: VectorsOf | None = None) -> Searcher:
    """A `Searcher` over the index in `folder`.

    `vectors_of(sample_ids)` gives the vectors of some samples as a matrix (len(sample_ids), d). An exact index asks
    for all of them once; an HNSW index for the candidates of each search.

    Raises:
        SnapshotError: the index is damaged, or exact and there is no `vectors_of`.
    """
    return Searcher(load_index(folder), vectors_of)


def _reachable(index: SavedIndex, query: np.ndarray, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """As many of the `wanted` nearest as the graph can reach; hnswlib raises where it reaches fewer than asked."""
    index.graph.set_ef(max(index.ef, wanted))
    while True:
        try:
            rows, distances = index.graph.knn_query(query[None, :], k=wanted, num_threads=1)
            return rows[0].astype(np.int64), distances[0]
        except RuntimeError:
            if wanted == 1:
                return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
            wanted = max(1, wanted // 2)


def _unit_rows(matrix: np.ndarray) -> np.ndarray:
    matrix = np.asarray(matrix, dtype=np.float32)
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(length > 0, length, 1.0)
