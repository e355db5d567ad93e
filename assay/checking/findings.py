"""What is found of a batch, from what a night's stages say of it beside the snapshot."""

import difflib
from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import log_ndtr

from assay.checking.batch import Batch
from assay.checking.joined import Joined
from assay.checking.labels import by_chance_at_most
from assay.contracts.metrics import thresholds
from assay.health.previous import take_sample
from assay.health.stage import DRIFT_SAMPLE, METRICS, drift_rows
from assay.knn.insert import nearest
from assay.metrics.content import content_issues
from assay.metrics.corpus import Corpus
from assay.metrics.inputs import Inputs
from assay.metrics.measures import joined as joined_measures
from assay.metrics.outliers.outliers import FALSE, NEIGHBORS, standardize, stored_reference, tail_score
from assay.sources.label_text import classes_of
from assay.sources.labels import distinct_classes
from assay.store.snapshots import Snapshot
from assay.store.tables import Tables

MATCHED = ("sample_id", "other_id", "where", "tier", "similarity")


def duplicates(joined: Joined) -> pl.DataFrame:
    """Each sample of the batch that is a copy, with the one it is a copy of."""
    rows = joined.tables.read("copies").filter(joined.is_new(), pl.col("sample_id") != pl.col("group_id"))
    labels = joined.tables.read("samples", ["sample_id", "label"])
    others = labels.rename({"sample_id": "group_id", "label": "other_label"})
    rows = rows.join(labels, on="sample_id", how="left", maintain_order="left")
    rows = rows.join(others, on="group_id", how="left", maintain_order="left")
    return rows.select(
        *_ends(joined, "group_id"),
        "tier",
        "similarity",
        "label",
        "other_label",
        (pl.col("label") != pl.col("other_label")).fill_null(False).alias("conflict"),
    )


def leaks(joined: Joined) -> pl.DataFrame:
    """Each pair of copies in two splits of which one is the batch's, that one first."""
    rows = joined.tables.read("leaks")
    turned = rows.rename(
        {"sample_id": "other_id", "other_id": "sample_id", "split": "other_split", "other_split": "split"}
    )
    mine = pl.concat([rows.filter(joined.is_new()), turned.select(rows.columns).filter(~joined.is_new("other_id"))])
    mine = mine.filter(joined.is_new()).select(
        *_ends(joined, "other_id"),
        "split",
        "other_split",
        "tier",
        "similarity",
    )
    return mine.sort("sample_id", "where", "other_id")


def _ends(joined: Joined, other: str) -> list[pl.Expr]:
    """The sample, the one in the column `other`, and where that one stands."""
    where = pl.when(joined.is_new(other)).then(pl.lit("batch")).otherwise(pl.lit("snapshot"))
    return [joined.plain().alias("sample_id"), joined.plain(other).alias("other_id"), where.alias("where")]


def outliers(joined: Joined, corpus: Corpus, references: Path) -> pl.DataFrame:
    """Samples that stand farther from the snapshot's than these from each other, beyond what chance gives.

    The chance of a distance is its rank among the snapshot's own; of one beyond all of them, the tail of the
    snapshot's reference, if that is less.
    """
    is_new = corpus.unit_ids.str.starts_with(joined.mark).to_numpy()
    old, new = corpus.vectors[~is_new], corpus.vectors[is_new]
    if len(old) <= 1 or not len(new):
        return pl.DataFrame(
            schema={"sample_id": pl.String, "score": pl.Float64, "distance": pl.Float64, "nearest_id": pl.String}
        )
    near, similar = nearest(old, new, min(NEIGHBORS, len(old) - 1))
    distance = (1.0 - similar.astype(np.float64)).clip(0.0).mean(axis=1)
    own = _own_distances(corpus, is_new)
    scale = stored_reference(references, corpus.embedder, {"knn_distance": own}, len(old)).get("knn_distance")
    z = standardize(distance, scale)
    chance = (1 + len(own) - np.searchsorted(np.sort(own), distance, side="left")) / (1 + len(own))
    chance = np.where(distance > own.max(), np.minimum(chance, np.exp(log_ndtr(-z))), chance)
    ids = corpus.unit_ids.filter(pl.Series(~is_new))
    frame = pl.DataFrame(
        {
            "unit": corpus.unit_ids.filter(pl.Series(is_new)),
            "score": tail_score(z),
            "distance": distance,
            "nearest_id": ids.gather(near[:, 0]),
        }
    ).filter(pl.Series(by_chance_at_most(chance, FALSE), dtype=pl.Boolean))
    units = joined.tables.read("units").filter(joined.is_new())
    rows = units.join(frame, left_on="unit_id", right_on="unit", how="inner", maintain_order="left")
    return rows.sort(-pl.col("score"), "sample_id").select(
        joined.plain().alias("sample_id"), "score", "distance", "nearest_id"
    )


def _own_distances(corpus: Corpus, is_new: np.ndarray) -> np.ndarray:
    """(n,) of the snapshot's units, the mean cosine distance to the nearest of their own."""
    rows, similar = corpus.neighbors[~is_new], corpus.similarities[~is_new].astype(np.float64)
    own = (rows >= 0) & ~is_new[np.maximum(rows, 0)]
    counted = own & (np.cumsum(own, axis=1) <= NEIGHBORS)
    total = counted.sum(axis=1)
    return np.where(counted, 1.0 - similar, 0.0).clip(0.0).sum(axis=1)[total > 0] / total[total > 0]


def content_findings(joined: Joined, inputs: Inputs) -> pl.DataFrame:
    """What is wrong with single contents of the batch, by a night's metrics and the spec's thresholds."""
    limits = thresholds(joined.spec.thresholds.model_dump())
    rows = joined_measures(content_issues(inputs))
    limit = pl.DataFrame({"metric": list(limits), "threshold": list(limits.values())})
    rows = rows.filter(joined.is_new()).join(limit, on="metric", how="inner")
    rows = rows.filter(pl.col("score") >= pl.col("threshold")).with_columns(pl.col("score").clip(0.0, 1.0))
    return rows.select(joined.plain().alias("sample_id"), "metric", "score", "value").sort("sample_id", "metric")


def unknown_classes(batch: Batch, snapshot: Snapshot) -> pl.DataFrame:
    """Classes of the batch that no sample of the snapshot has, with the one that is spelt most like it."""
    separator = batch.spec.source.label_separator
    known = distinct_classes(snapshot.read("samples", ["label"])["label"], separator)
    if not known:
        return pl.DataFrame(schema={"label": pl.String, "n": pl.Int64, "nearest": pl.String, "example": pl.String})
    samples = batch.cleaned.read("samples", ["sample_id", "label"]).drop_nulls("label")
    pairs = [(sample, name) for sample, text in samples.iter_rows() for name in classes_in(text, separator)]
    carried = pl.DataFrame(pairs, schema={"example": pl.String, "label": pl.String}, orient="row")
    strange = carried.filter(~pl.col("label").is_in(known)).group_by("label", maintain_order=True)
    found = strange.agg(pl.len().cast(pl.Int64).alias("n"), pl.col("example").first())
    lower = {name.casefold(): name for name in reversed(known)}
    close = [difflib.get_close_matches(name.casefold(), lower, n=1, cutoff=0.75) for name in found["label"]]
    nearest_one = pl.Series("nearest", [lower[names[0]] if names else None for names in close], dtype=pl.String)
    return found.with_columns(nearest_one).select("label", "n", "nearest", "example").sort(-pl.col("n"), "label")


def classes_in(label: str | None, separator: str) -> list[str]:
    """The classes of a label: the label itself, or where labels are sets all in it; none of none."""
    if label is None:
        return []
    return classes_of(label, separator) if separator else [label]


def rejects(batch: Batch) -> pl.DataFrame:
    """What cannot be used of the batch, and why."""
    frames = [output.read("rejects") for output in batch.stages]
    return pl.concat(frames).select("sample_id", "uri", "stage", "reason", "detail")


def drift(batch: Batch, snapshot: Snapshot) -> pl.DataFrame:
    """How far the batch as a whole stands from the snapshot, by a night's measures of it."""
    sample = take_sample(Tables("drift", ("samples", "vectors"), batch.stages), DRIFT_SAMPLE)
    old = batch.embedder, take_sample(snapshot, DRIFT_SAMPLE)
    _, numbers = drift_rows(sample, batch.embedder, old, batch.spec.source.label_separator)
    frame = pl.DataFrame(numbers, schema=METRICS, orient="row")
    return frame.with_columns(pl.col("note").str.replace("of the last snapshot", "of the snapshot"))
