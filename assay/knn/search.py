"""The saved index of a snapshot: write it, and load it verified, from any program, without torch or Prefect.

    index/meta.json      method, sizes, ef, and the SHA-256 of every other file
    index/ids.parquet    sample_id of each row
    index/basis.npy      (d, 256) basis of the space that the graph was built in; only where d is larger
    index/hnsw.bin       the HNSW graph; absent where the search needed none. Where there are several, hnsw-00000.bin …

hnswlib neither checks what it loads nor keeps `ef`: a damaged file would be a memory hazard, so digests come first.
To query it, project the vector as `vector @ basis` if there is a basis, and scale it to unit length. The graph's
distances are 1 − cosine, and its rows are places in `ids`.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.contracts.errors import SnapshotError
from assay.store.snapshots import file_sha256

FORMAT = 1
FILES = ("ids.parquet", "basis.npy", "hnsw.bin")
SHARD = re.compile(r"hnsw-[0-9]{5}\.bin")


@dataclass(frozen=True)
class SavedIndex:
    """What `load_index` found: `ids` in row order, and the HNSW graph where there is one."""

    method: str  # exact | hnsw
    ids: list[str]
    dimensions: int
    ef: int
    basis: np.ndarray | None
    graph: Any | None  # hnswlib.Index, or several as a `ShardedGraph`


def save_index(
    folder: Path, ids: list[str], dimensions: int, ef: int, graph: Any | None, basis: np.ndarray | None
) -> None:
    """Write the index folder; `meta.json` last, with the digests of the others."""
    folder.mkdir(parents=True, exist_ok=True)
    pl.DataFrame({"sample_id": ids}, schema={"sample_id": pl.String}).write_parquet(folder / "ids.parquet")
    shards = getattr(graph, "graphs", [])
    for number, shard in enumerate(shards):
        shard.save_index(str(folder / f"hnsw-{number:05d}.bin"))
    if graph is not None:
        if not shards:
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
        "sha256": {path.name: file_sha256(path) for path in sorted(folder.iterdir()) if _is_ours(path.name)},
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
        if not _is_ours(name):
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


def _is_ours(name: str) -> bool:
    return name in FILES or SHARD.fullmatch(name) is not None


def _read_meta(folder: Path) -> dict[str, Any]:
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        right = (
            meta["format"] == FORMAT
            and meta["method"] in ("exact", "hnsw")
            and all(isinstance(meta[key], int) for key in ("count", "dimensions", "graph_dimensions", "ef"))
            and "ids.parquet" in meta["sha256"]
            and any(name.startswith("hnsw") for name in meta["sha256"]) == (meta["method"] == "hnsw")
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SnapshotError(f"{folder} has no readable index ({type(error).__name__}: {error})") from None
    if not right:
        raise SnapshotError(f"{folder}/meta.json is not of index format {FORMAT}; run the dataset again to rebuild it")
    return meta


def _load_graph(folder: Path, meta: dict[str, Any]) -> Any:
    import hnswlib

    from assay.knn.sharded_hnsw import ShardedGraph

    graphs = []
    for name in sorted(name for name in meta["sha256"] if name.startswith("hnsw")):
        graphs.append(hnswlib.Index(space="ip", dim=meta["graph_dimensions"]))
        graphs[-1].load_index(str(folder / name), max_elements=meta["count"] if name == "hnsw.bin" else 0)
    graph = graphs[0] if len(graphs) == 1 else ShardedGraph(graphs)
    graph.set_ef(meta["ef"])
    return graph
