"""Inputs of the metrics stage, made directly: samples, units, vectors and their exact kNN graph."""

import numpy as np
import polars as pl
import pytest

from assay.contracts.spec import make_spec
from assay.judge.stage import judge
from assay.metrics.stage import metrics
from assay.store.files import hash_text
from assay.store.stage import run_stage, write_rows
from assay.store.vectors import vectors_frame
from assay.store.workspace import Workspace


def exact_neighbors(vectors: np.ndarray, ids: list[str], k: int) -> pl.DataFrame:
    """The `neighbors` table by brute force."""
    k = min(k, len(ids) - 1)
    schema = {"sample_id": pl.String, "rank": pl.UInt16, "neighbor_id": pl.String, "similarity": pl.Float32}
    if k < 1:
        return pl.DataFrame(schema=schema)
    norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    with np.errstate(invalid="ignore"):
        similarity = np.nan_to_num((vectors / norms) @ (vectors / norms).T)
    np.fill_diagonal(similarity, -np.inf)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    names = np.asarray(ids, dtype=object)
    return pl.DataFrame(
        {
            "sample_id": np.repeat(names, k).tolist(),
            "rank": np.tile(np.arange(1, k + 1), len(ids)),
            "neighbor_id": names[order].ravel().tolist(),
            "similarity": np.take_along_axis(similarity, order, axis=1).ravel(),
        },
        schema=schema,
    )


class Inputs:
    """One night's inputs; `run()` gives the stage's output."""

    def __init__(
        self, home, vectors, labels, *, split=None, groups=None, unit=None, duplicates=None, leaks=None, k=50, **spec
    ):
        n = len(vectors)
        self.vectors = np.asarray(vectors, dtype=np.float32)
        self.ids = [f"s{i:05d}" for i in range(n)]
        self.unit = [self.ids[i if u is None else u] for i, u in enumerate(unit or [None] * n)]
        self.workspace = Workspace(home, "night")
        values = {"name": "night", "modality": "vectors", "source": {"kind": "table", "path": "x.csv"}, **spec}
        self.spec = make_spec(values, base=home)
        self.samples = pl.DataFrame(
            {
                "sample_id": self.ids,
                "position": list(range(n)),
                "uri": [None] * n,
                "content_hash": [hash_text(i) for i in self.ids],
                "modality": ["vectors"] * n,
                "label": list(labels),
                "split": split or [None] * n,
                "size_bytes": [1] * n,
                **(groups or {}),
            },
            schema_overrides={"label": pl.String, "split": pl.String, "uri": pl.String},
        )
        self.duplicates, self.leaks, self.k, self.graph = duplicates, leaks, k, None

    def outputs(self):
        heads = [i for i in range(len(self.ids)) if self.unit[i] == self.ids[i]]
        units = pl.DataFrame(
            {"sample_id": self.ids, "unit_id": self.unit}, schema={"sample_id": pl.String, "unit_id": pl.String}
        )
        graph = self.graph
        if graph is None:
            graph = exact_neighbors(self.vectors[heads], [self.ids[i] for i in heads], self.k)
        made = {
            "clean": {"samples": self.samples},
            "dedup": {"units": units},
            "embed": {"vectors": vectors_frame(self.samples["content_hash"].to_list(), "test", self.vectors)}
            if len(self.ids)
            else {},
            "index": {"neighbors": graph},
            "near_dedup": {
                "copies": self.duplicates
                if self.duplicates is not None
                else pl.DataFrame(
                    schema={
                        "group_id": pl.String,
                        "sample_id": pl.String,
                        "tier": pl.String,
                        "keep": pl.Boolean,
                        "similarity": pl.Float64,
                    }
                ),
                "leaks": self.leaks
                if self.leaks is not None
                else pl.DataFrame(
                    schema={c: pl.String for c in ("sample_id", "other_id", "split", "other_split", "tier")}
                    | {"similarity": pl.Float64}
                ),
            },
        }
        return [self._write(stage, tables) for stage, tables in made.items()]

    def _write(self, stage, tables):
        def body(writer):
            for name, frame in tables.items():
                write_rows(writer, name, frame)

        return run_stage(self.workspace, stage, version=1, tables=list(tables), config={}, inputs=(), body=body)

    def run(self):
        outputs = self.outputs()
        measured = metrics(self.spec, self.workspace, *outputs)
        return Finished(measured, judge(self.spec, self.workspace, outputs[0], measured))


class Finished:
    """The outputs of the stages metrics and judge, read as one."""

    def __init__(self, measured, judged):
        self.measured, self.judged = measured, judged
        self.tables = (*measured.tables, *judged.tables)

    def _stage(self, table):
        return self.judged if table in self.judged.tables else self.measured

    def read(self, table):
        return self._stage(table).read(table)

    @property
    def path(self):
        return self.measured.path

    def parts(self, table):
        return self._stage(table).parts(table)


@pytest.fixture
def night(tmp_path):
    """`night(vectors, labels, …)` → what the stages metrics and judge gave."""
    return lambda vectors, labels, **more: Inputs(tmp_path, vectors, labels, **more).run()


def blobs(n=300, classes=4, dimensions=12, spread=0.35, seed=0):
    """`(vectors, codes)`: Gaussian classes around orthogonal-ish centres."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(classes, dimensions))
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    codes = np.arange(n) % classes
    return (centers[codes] + spread * rng.normal(size=(n, dimensions)) / dimensions**0.5).astype(np.float32), codes
