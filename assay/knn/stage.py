"""index: the kNN graph over the duplicate-collapsed vectors, and the index that searches them.

Searches are imported where they are used, so a night whose graph exists already does not wait for torch.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assay.contracts.operations import Run
from assay.contracts.spec import Index, Spec
from assay.contracts.tables import empty
from assay.knn.kept import WHOLE, KeptGraph
from assay.store.progress import Progress
from assay.store.stage import StageWriter, Work, stage
from assay.store.tables import Tables
from assay.store.units import unit_vectors
from assay.store.workspace import Workspace

if TYPE_CHECKING:
    from assay.knn.sharded import OnEngine

VERSION = 5
SHARDS = "shards"  # below the facts
WANTED_RECALL = 0.95
EF_TRIES = 3  # each doubles ef
ROWS_OF_A_PART = 1_000_000
LEAST_SPARE, SPARE_PART = 8, 4  # ranks beyond k that are kept for when rows go: so many, or this part of k


@stage(version=VERSION, reads=("samples", "units", "vectors"), writes=("neighbors", "embedding_health"), hours=12)
def index(spec: Spec, workspace: Workspace, tables: Tables) -> Work:
    """samples, units, vectors → neighbors, embedding_health (recall), and the folder `index/`."""

    def body(writer: StageWriter) -> None:
        units, vectors = unit_vectors(tables)
        kept = KeptGraph(workspace.facts / "graph", units["content_hash"])
        engine = on_engine(spec.run, workspace.facts / SHARDS)
        rows, similarities, health = make_index(vectors, units["sample_id"].to_list(), spec.index, writer, kept, engine)
        write_neighbors(writer, units["sample_id"], rows, similarities)
        writer.write("embedding_health", health)
        # Of a search that was stopped, and is not needed now.
        shutil.rmtree(workspace.facts / SHARDS, ignore_errors=True)

    return Work(spec.part("index"), body)


def on_engine(run: Run, folder: Path) -> "OnEngine | None":
    """What searches on the machines of a spec's engine, through a folder; None for this one."""
    if run.engine == "local":
        return None
    from assay.knn.sharded import OnEngine

    return OnEngine(run, folder)


def make_index(
    vectors: np.ndarray,
    ids: list[str],
    config: Index,
    writer: StageWriter,
    kept: KeptGraph | None = None,
    engine: "OnEngine | None" = None,
) -> tuple[np.ndarray, np.ndarray, pl.DataFrame]:
    """The graph (rows, similarities) of unit-length vectors, with its recall; saves the index in `index/`. What is
    `kept` of the nights before is made use of, and brought up to date."""
    import torch

    from assay.knn.search import save_index

    n = len(vectors)
    k = min(config.k, max(0, n - 1))
    folder = writer.folder("index")
    if n > config.exact_below and k > 0 and not torch.cuda.is_available():  # a GPU compares all, faster
        found = _approximate(vectors, k, config, engine)
        if found is not None:
            rows, similarities, graph, basis, ef = found
            save_index(folder, ids, vectors.shape[1], ef, graph, basis)
            return rows, similarities, recall_check(vectors, rows, config.recall_sample, f"HNSW, ef {ef}")
    rows, similarities, method = _blocked(vectors, k, kept, engine)
    save_index(folder, ids, vectors.shape[1], 0, None, None)
    return rows, similarities, recall_check(vectors, rows, config.recall_sample, method)


def _blocked(
    vectors: np.ndarray, k: int, kept: KeptGraph | None, engine: "OnEngine | None" = None
) -> tuple[np.ndarray, np.ndarray, str]:
    """`(rows, similarities, how they were found)` by what is kept, or a whole search. On a GPU nothing is kept: a whole
    search takes less time there than to read what was."""
    import torch

    from assay.knn.blocked import blocked_knn
    from assay.knn.lists import whole

    n = len(vectors)
    if not k:
        return np.zeros((n, 0), dtype=np.int32), np.zeros((n, 0), dtype=np.float32), WHOLE
    progress = Progress("index", n)
    if kept is None or torch.cuda.is_available():
        return *blocked_knn(vectors, k, advance=progress.advance), WHOLE
    width = min(k + max(LEAST_SPARE, k // SPARE_PART), n - 1)
    found = kept.grown(vectors, k, width, progress.advance)
    if found is None:
        progress.total += progress.done  # where new rows were put in, and it was too little
        every = engine.search(vectors, width) if engine else blocked_knn(vectors, width, advance=progress.advance)
        lists, method = whole(*every, n), WHOLE
        kept.keep(vectors, lists)
    else:
        lists, method = found
        progress.finish()
    return np.ascontiguousarray(lists.rows[:, :k]), np.ascontiguousarray(lists.similarities[:, :k]), method


def _approximate(vectors: np.ndarray, k: int, config: Index, engine: "OnEngine | None") -> tuple[Any, ...] | None:
    """HNSW's neighbours, graph, basis and ef, which doubles while recall is too low; None where too few rows are
    reachable."""
    from assay.knn.hnsw import build_graph, build_graphs, build_here, graph_knn

    progress = Progress("index", 2 * len(vectors))
    if config.shards > 1:
        build = engine.build if engine else build_here
        graph, basis = build_graphs(vectors, config.m, config.ef_construction, config.shards, build)
        progress.advance(len(vectors))
    else:
        graph, basis = build_graph(vectors, config.m, config.ef_construction, progress.advance)
    sample = sample_rows(len(vectors), config.recall_sample)
    found, best = None, -1.0
    for ef in (config.ef * 2**power for power in range(EF_TRIES)):
        try:
            if found and recall_at_10(vectors, graph_knn(graph, basis, vectors, k, ef, sample)[0], sample) <= best:
                continue
            progress.total = max(progress.total, progress.done + len(vectors))  # a larger ef is one more round
            rows, similarities = graph_knn(graph, basis, vectors, k, ef, advance=progress.advance)
        except RuntimeError:  # fewer than k are reachable: a larger ef reaches further
            continue
        found, best = (rows, similarities, graph, basis, ef), recall_at_10(vectors, rows[sample], sample)
        if best >= WANTED_RECALL:
            break
    return found


def sample_rows(n: int, size: int) -> np.ndarray:
    """`size` of `n` row numbers, seeded, ascending."""
    return np.sort(np.random.default_rng(0).choice(n, min(n, size), replace=False))


def recall_at_10(vectors: np.ndarray, found: np.ndarray, sample: np.ndarray) -> float:
    """Share of the first ten of `found` (m, k) that are among the true ten nearest (or tie with them)."""
    from assay.knn.blocked import kth_similarity, recall

    ten = min(10, found.shape[1])
    return recall(found[:, :ten], vectors, sample, kth_similarity(vectors, sample, ten))


def recall_check(vectors: np.ndarray, rows: np.ndarray, size: int, method: str) -> pl.DataFrame:
    """The row of `embedding_health` on the graph's recall@10 against exact search."""
    sample = sample_rows(len(vectors), size)
    measured = rows.shape[1] > 0 and len(sample) > 0
    value = recall_at_10(vectors, rows[sample], sample) if measured else None
    note = f"{method} over {len(vectors)} units, measured on {len(sample)}"
    if not rows.shape[1]:
        note = f"{len(vectors)} units have a vector: there are no neighbours"
    return pl.DataFrame(
        {
            "check": ["index_recall_at_10"],
            "value": [value],
            "wanted": [f">= {WANTED_RECALL}"],
            "ok": [value is None or value >= WANTED_RECALL],
            "note": [note],
        },
        schema_overrides={"value": pl.Float64},
    )


def write_neighbors(writer: StageWriter, ids: pl.Series, rows: np.ndarray, similarities: np.ndarray) -> None:
    """The `neighbors` table, in parts of about a million rows; one empty part where there are no neighbours."""
    n, k = rows.shape
    if not n or not k:
        writer.write("neighbors", empty("neighbors"))
        return
    step = max(1, ROWS_OF_A_PART // k)
    ranks = np.arange(1, k + 1, dtype=np.uint16)

    def part(number: int) -> pl.DataFrame:
        start = number * step
        near = rows[start : start + step]
        return pl.DataFrame(
            {
                "sample_id": ids.gather(np.repeat(np.arange(start, start + len(near)), k)),
                "rank": np.tile(ranks, len(near)),
                "neighbor_id": ids.gather(near.reshape(-1)),
                "similarity": similarities[start : start + step].reshape(-1),
            }
        )

    writer.write_parts("neighbors", -(-n // step), part)
