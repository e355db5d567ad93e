"""Finished stages around given vectors, for tests of what stands on the kNN graph."""

import numpy as np
import polars as pl

from assay.contracts.tables import empty
from assay.store.digests import take, write_sealed
from assay.store.stage import StageOutput
from assay.store.vectors import vectors_frame
from assay.store.workspace import Workspace
from tests.snapshot_builder import samples, stage_output


def vector_stages(
    workspace: Workspace,
    vectors: np.ndarray,
    labels: list[str | None] | None = None,
    unit_of: list[int] | None = None,
    ids: list[str] | None = None,
    embedder: str = "toy",
) -> tuple[StageOutput, StageOutput, StageOutput]:
    """`(cleaned, collapsed, embedded)`: one sample a row; `unit_of[i]` is the row that stands for row i."""
    ids = ids or [f"s{row:05d}" for row in range(len(vectors))]
    rows = samples(ids, labels)
    units = pl.DataFrame(
        {"sample_id": ids, "unit_id": [ids[row] for row in (unit_of or range(len(ids)))]},
        schema={"sample_id": pl.String, "unit_id": pl.String},
    )
    stored = vectors_frame(rows["content_hash"].to_list(), embedder, np.asarray(vectors, dtype=np.float32))
    cleaned = stage_output(workspace, "clean", {"samples": rows, "rejects": empty("rejects")})
    collapsed = stage_output(workspace, "dedup", {"units": units, "exact_duplicates": empty("exact_duplicates")})
    embedded = StageOutput("embed", "none", workspace.work / "embed-none", ("vectors",))
    if len(stored):
        key = str(hash((vectors.tobytes(), embedder)))
        path = workspace.work / f"embed-{key}"
        embedded = _embed_output(path, key, stored)
    return cleaned, collapsed, embedded


def _embed_output(path, key: str, stored: pl.DataFrame) -> StageOutput:
    from assay.store.parts import write_part

    (path / "vectors").mkdir(parents=True, exist_ok=True)
    part = path / "vectors" / "part-00000.parquet"
    write_part("vectors", stored, part)
    write_sealed(
        path / "manifest.json", {"key": key, "config": {}, "files": {"vectors/part-00000.parquet": take(part)}}
    )
    return StageOutput("embed", key, path, ("vectors",))


def cosine(vectors: np.ndarray) -> np.ndarray:
    """Cosine of all pairs in float64, the diagonal below everything; zero rows are 0 to all."""
    rows = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.where(length > 0, length, 1.0)
    pairs = rows @ rows.T
    np.fill_diagonal(pairs, -2.0)
    return pairs
