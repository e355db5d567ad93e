"""A batch of new data beside a stored snapshot, before it is let in.

The batch goes through a night's own stages (ingest, clean, embed, dedup, near_dedup) together with the snapshot, and
by its fitted embedder and references; what they say of the batch's samples is taken out. Nothing of the dataset is
written to, and no lock is taken: a check runs beside a night.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from assay.checking.batch import Batch, batch_spec, read_batch, refuse_unfit, workplace
from assay.checking.findings import (
    classes_in,
    content_findings,
    drift,
    duplicates,
    leaks,
    outliers,
    rejects,
    unknown_classes,
)
from assay.checking.joined import Joined, join
from assay.checking.labels import judge_labels
from assay.checking.result import Check, Limit, held_against
from assay.checking.tables import FINDINGS, TABLES, held
from assay.contracts.spec import Spec
from assay.embedders.stage import embed
from assay.metrics.corpus import read_corpus
from assay.metrics.inputs import Inputs
from assay.metrics.sql import Relation
from assay.store.lock import disk_full_is_clear, lack_of_memory_is_clear
from assay.store.snapshots import Snapshot
from assay.store.workspace import Workspace


def check_batch(
    spec: Spec, workspace: Workspace, snapshot: Snapshot, batch: Any, split: str | None = None,
    limits: Sequence[Limit] = (),
) -> Check:  # fmt: skip
    """What a batch would bring into the dataset.

    Args:
        batch: a folder or a table, as the spec's source is one; or a frame (Polars, pandas, Arrow).
        split: in which samples of the batch stand that name none; by default the snapshot's training split.
        limits: how many findings are let pass.

    Raises:
        SpecError: the spec does not fit the snapshot, or a batch of such data cannot be judged by itself.
        SourceError: the batch as a whole cannot be used.
        SnapshotError: the snapshot is damaged, or of another version of assay.
    """
    refuse_unfit(spec, snapshot)
    with disk_full_is_clear(workspace.home), lack_of_memory_is_clear(), workplace(workspace) as place:
        read = read_batch(batch_spec(spec, batch, place), snapshot, place)
        tables, notes = _tables(read, snapshot, place, split)
    frames = {name: held(name, tables[name]) if name in tables else TABLES[name].create_empty() for name in TABLES}
    n = len(frames["samples"]) + frames["rejects"].filter(pl.col("stage") != embed.name).height
    return held_against(Check(spec.name, snapshot.number, n, frames, tuple(notes)), list(limits))


def _tables(
    batch: Batch, snapshot: Snapshot, place: Workspace, split: str | None
) -> tuple[dict[str, pl.DataFrame], list[str]]:
    """The tables of findings, and what there is to say about them."""
    samples = batch.cleaned.read("samples").sort("position")
    found = {"rejects": rejects(batch), "unknown_classes": unknown_classes(batch, snapshot)}
    notes: list[str] = []
    if len(samples):
        joined = join(batch, snapshot, place, split)
        if joined.split and samples["split"].has_nulls():
            notes.append(f"samples that name no split are held for {joined.split}")
        notes += [
            f"the files of the {name} are in no folder of this machine: of copies among them only equal ones are found"
            for name in joined.hidden
        ]
        found |= {"duplicates": duplicates(joined), "leaks": leaks(joined), "drift": drift(batch, snapshot)}
        found |= _by_vectors(batch, joined, snapshot, place, notes)
    found["samples"] = marked(samples, found, snapshot, batch.spec.source.label_separator)
    return found, notes


def _by_vectors(
    batch: Batch, joined: Joined, snapshot: Snapshot, place: Workspace, notes: list[str]
) -> dict[str, pl.DataFrame]:
    """Outliers, labels, and issues of single contents."""
    kind = batch.spec.data
    brought: dict[str, Relation] = {name: joined.tables.parts(name) for name in kind.fact_tables()}
    corpus = read_corpus(joined.tables)
    flagged = snapshot.scan("label_issues").filter("is_issue").select("sample_id").collect()["sample_id"]
    with tempfile.TemporaryDirectory(dir=place.root, prefix=".sql-") as spill:
        inputs = Inputs(joined.spec, corpus, brought, Path(spill))
        is_new = corpus.samples.select(joined.is_new())["sample_id"]
        labels, note = judge_labels(inputs, is_new, flagged)
        issues = content_findings(joined, inputs)
    if note:
        notes.append(f"labels were not judged: {note}")
    return {
        "outliers": outliers(joined, corpus, place.facts / "reference"),
        "label_issues": labels.with_columns(joined.plain()),
        "issues": issues,
    }


def marked(samples: pl.DataFrame, found: dict[str, pl.DataFrame], snapshot: Snapshot, separator: str) -> pl.DataFrame:
    """Each sample with the kinds of findings that name it."""
    kinds = [name for name in FINDINGS if name in found and name != "unknown_classes"]
    pairs = [found[name].select("sample_id", pl.lit(name).alias("found")).drop_nulls().unique() for name in kinds]
    unknown = set(found["unknown_classes"]["label"])
    carried = [not unknown.isdisjoint(classes_in(text, separator)) for text in samples["label"]]
    strange = samples.filter(pl.Series(carried, dtype=pl.Boolean))
    pairs.append(strange.select("sample_id", pl.lit("unknown_classes").alias("found")))
    named = pl.concat(pairs).group_by("sample_id").agg(pl.col("found").sort())
    there = snapshot.read("samples", ["sample_id", "content_hash"]).rename({"content_hash": "was"})
    rows = samples.join(there, on="sample_id", how="left", maintain_order="left")
    rows = rows.join(named, on="sample_id", how="left", maintain_order="left")
    return rows.select(
        "sample_id",
        "uri",
        "label",
        "split",
        pl.col("found").fill_null([]),
        (pl.col("was") != pl.col("content_hash")).fill_null(False).alias("replaces"),
    )
