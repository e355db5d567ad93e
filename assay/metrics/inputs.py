"""What the metrics are computed from: read once, frozen, and given to every metric."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from assay.contracts.spec import Spec
from assay.metrics import sql
from assay.metrics.corpus import Coding, Corpus, cases_frame, code, edges_frame
from assay.metrics.label_sets.codes import Sets, carriers, read_sets

if TYPE_CHECKING:  # torch
    from assay.metrics.probe import Learner
    from assay.metrics.warm import Memory

EDGES = 10_000_000  # that are kept in memory for SQL


@dataclass(frozen=True)
class Inputs:
    """Everything that a metric may look at. Nothing in it changes while metrics are computed, so they can run side by
    side.

    Attributes:
        spec: the night's spec.
        corpus: samples, units, vectors and their neighbours, as arrays.
        tables: further tables by name, as frames or as Parquet files: copies, leaks, the facts, and `caption_vectors`
            where samples have captions.
        predictions: those of a model that the user brought (`assay.store.predictions`); None where there are none, or
            where no metric uses them.
        memory: the weights of the night before, that fits go on from; None where they begin with nothing.
        spill: a folder for queries that do not fit into memory.
    """

    spec: Spec
    corpus: Corpus
    tables: Mapping[str, sql.Relation]
    spill: Path
    predictions: pl.DataFrame | None = None
    memory: "Memory | None" = None

    @functools.cached_property
    def labels(self) -> Coding:
        """The labels as codes; where they are sets, a code stands for a set."""
        return code(self.corpus.samples, "label")

    @functools.cached_property
    def sets(self) -> Sets | None:
        """The classes behind labels that are sets; None where a label is one class."""
        separator = self.spec.source.label_separator
        return read_sets(self.labels, separator) if separator else None

    @property
    def class_names(self) -> list[str]:
        """The names of the classes, sorted."""
        return self.labels.names if self.sets is None else self.sets.names

    @functools.cached_property
    def cases(self) -> pl.DataFrame:
        """`corpus.cases_frame` of the labels."""
        return cases_frame(self.corpus, self.labels.codes)

    @functools.cached_property
    def case_of_samples(self) -> tuple[np.ndarray, np.ndarray]:
        """`(rows, case)`: the samples that have a vector, and the row of `cases` each belongs to."""
        unit = self.corpus.unit
        members = pl.DataFrame({"row": np.arange(len(unit)), "unit": unit, "label": self.labels.codes})
        numbered = self.cases.select("unit", "label").with_row_index("case")
        joined = members.join(numbered, on=["unit", "label"], how="inner").sort("row")
        return joined["row"].to_numpy(), joined["case"].to_numpy().astype(np.int64)

    @functools.cached_property
    def samples(self) -> pl.DataFrame:
        """The samples without the source's further columns, so that SQL knows their names."""
        return self.corpus.samples.select("sample_id", "position", "uri", "content_hash", "label", "split")

    @functools.cached_property
    def carriers(self) -> pl.DataFrame:
        """Columns sample_id, label, split: a row for each class that a sample carries."""
        if self.sets is None:
            return self.samples.filter(pl.col("label").is_not_null()).select("sample_id", "label", "split")
        return carriers(self.samples, self.labels, self.sets)

    @functools.cached_property
    def edges(self) -> sql.Relation:
        """The kNN graph as `corpus.edges_frame`, for SQL. A large one is written to files beside the stage's output."""
        n, step = self.corpus.n_units, max(1, EDGES // max(1, self.corpus.neighbors.shape[1]))
        if n <= step:
            return edges_frame(self.corpus)
        files = [self.spill / f"edges-{start:012d}.parquet" for start in range(0, n, step)]
        for number, file in enumerate(files):
            edges_frame(self.corpus, number * step, (number + 1) * step).write_parquet(file, compression="lz4")
        return files

    def learner(self, name: str, classes: list[str]) -> "Learner | None":
        """How the weights of a fit of that name are found; None: from nothing."""
        return self.memory.learner(name, classes) if self.memory else None

    @property
    def enough(self) -> bool:
        """Whether labels can be judged: two classes and two units at least."""
        known = self.cases["label"].filter(self.cases["label"] >= 0)
        return self.corpus.n_units >= 2 and known.n_unique() >= 2

    def select(
        self, file: Path, parameters: Mapping[str, float] | None = None, **relations: sql.Relation
    ) -> pl.DataFrame:
        """The result of one `.sql` file over `relations`."""
        return sql.select(file, relations, self.spill, self.spec.run, **(parameters or {}))
