"""validate: can the vectors, and the pictures of them, be trusted? drift: have they moved since the last snapshot?"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from assay.contracts.spec import Spec
from assay.health.drift import FEWEST, class_shifts, domain_auc, energy_coefficient, mean_shift
from assay.health.fidelity import trustworthiness_continuity
from assay.health.inputs import input_rows, unit_labels
from assay.health.neighbourhood import knn_accuracy, knn_votes, mean_similarity
from assay.health.previous import VectorSample, by_class, identity, previous_sample, take_sample
from assay.store.snapshots import last_night
from assay.store.stage import StageWriter, Work, stage
from assay.store.tables import TableReader, Tables
from assay.store.units import embedder_of, unit_graph, unit_vectors
from assay.store.workspace import Workspace

VERSION = 5
TABLES = ("embedding_health", "dataset_metrics")
FIDELITY_SAMPLE = 1_500  # units
FIDELITY_K = 15
FIDELITY = {
    "trustworthiness": "1 where all that is near on the map is near in the vectors, .5 by chance",
    "continuity": "1 where all that is near in the vectors is near on the map, .5 by chance",
}
VOTE_K = 10
DRIFT_SAMPLE = 2_000  # contents of each snapshot
HEALTH = {"check": pl.String, "value": pl.Float64, "wanted": pl.String, "ok": pl.Boolean, "note": pl.String}
METRICS = {"metric": pl.String, "value": pl.Float64, "note": pl.String}


@stage(
    version=VERSION,
    reads=("samples", "units", "vectors", "neighbors", "projection", "label_findings", "dataset_measures"),
    writes=TABLES,
    hours=3,
)
def validate(spec: Spec, workspace: Workspace, tables: Tables) -> Work:
    """samples, units, vectors, neighbors, projection, label_findings, dataset_measures → embedding_health,
    dataset_metrics."""

    def body(writer: StageWriter) -> None:
        units, vectors = unit_vectors(tables)
        health = fidelity_rows(units, vectors, tables)
        rows, similarities = unit_graph(tables, units["sample_id"], VOTE_K)
        separator = spec.source.label_separator
        judged = units.with_columns(label=pl.lit(None, pl.String)) if separator else units
        more, numbers = neighbourhood_rows(judged, vectors, rows, similarities, tables, are_sets=bool(separator))
        health += input_rows(unit_labels(tables, units), len(units), spec.index.k, separator, tables)
        _write(writer, health + more, numbers)

    return Work({}, body)


@stage(version=VERSION, reads=("samples", "vectors"), writes=TABLES, hours=1)
def drift(spec: Spec, workspace: Workspace, tables: Tables) -> Work:
    """samples, vectors, and those of the last snapshot → embedding_health, dataset_metrics."""
    snapshot = last_night(workspace)

    def body(writer: StageWriter) -> None:
        sample = take_sample(tables, DRIFT_SAMPLE)
        old = previous_sample(snapshot, DRIFT_SAMPLE) if snapshot else None
        _write(writer, *drift_rows(sample, embedder_of(tables), old, spec.source.label_separator))

    return Work({"previous": identity(snapshot)}, body)


def _write(writer: StageWriter, health: list[tuple[Any, ...]], numbers: list[tuple[Any, ...]]) -> None:
    writer.write("embedding_health", pl.DataFrame(health, schema=HEALTH, orient="row"))
    writer.write("dataset_metrics", pl.DataFrame(numbers, schema=METRICS, orient="row"))


def fidelity_rows(units: pl.DataFrame, vectors: np.ndarray, tables: TableReader) -> list[tuple[Any, ...]]:
    """Trustworthiness and continuity of each projection on a seeded sample of the units."""
    projection = tables.read("projection")
    sample = np.sort(np.random.default_rng(0).choice(len(units), min(len(units), FIDELITY_SAMPLE), replace=False))
    health = []
    for method in sorted(set(projection["method"]) - {"captions"}):  # those lie by other vectors
        places = projection.filter(pl.col("method") == method).select("sample_id", "x", "y")
        chosen = units[sample].select("sample_id").with_columns(pl.Series("row", sample))
        both = chosen.join(places, on="sample_id", maintain_order="left")
        n = len(both)
        k = min(FIDELITY_K, (n - 1) // 2)
        values: tuple[float | None, float | None] = (None, None)
        if k >= 1:
            seen = both.select("x", "y").to_numpy()
            values = trustworthiness_continuity(vectors[both["row"].to_numpy()], seen, k)
        wanted = 0.8 if method in ("umap", "tsne") else 0.5  # three axes cannot hold more; chance is 0.5
        for name, value in zip(("trustworthiness", "continuity"), values, strict=True):
            ok = value is None or value >= wanted
            asked = f"{FIDELITY[name]}; {k} neighbours of each of {n:,} units"
            note = asked if value is not None else f"{n} units are too few"
            health.append((f"projection_{method}_{name}", value, f">= {wanted}", ok, note))
    return health


def neighbourhood_rows(
    units: pl.DataFrame,
    vectors: np.ndarray,
    rows: np.ndarray,
    similarities: np.ndarray,
    tables: TableReader,
    are_sets: bool = False,
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Rows of `embedding_health` and of `dataset_metrics` on what neighbours have in common."""
    names = units["label"].drop_nulls().unique().sort()
    codes = units["label"].cast(pl.Enum(names)).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
    votes = knn_votes(codes, rows, similarities, len(names))
    accuracy = knn_accuracy(codes, votes)
    trusted = knn_accuracy(np.where(_is_flagged(units, tables), -1, codes), votes)
    chance = float(np.bincount(codes[codes >= 0]).max() / (codes >= 0).sum()) if len(names) else None
    close = mean_similarity(vectors)
    nearest = similarities[:, 0] if similarities.shape[1] else np.zeros(0)
    note = f"vote of {rows.shape[1]} neighbours, leave-one-out; the largest class alone gives {chance or 0:.3f}"
    note = note if len(names) else "labels are sets: see label_probe_auc" if are_sets else "no labels"
    better = accuracy is None or chance is None or len(names) < 2 or accuracy > chance
    health = [
        ("embedding_knn_accuracy", accuracy, "> largest class's share", better, note),
        ("embedding_mean_similarity", close, "<= 0.9", close is None or close <= 0.9, "mean cosine of all pairs"),
    ]
    numbers = [
        ("embedding_knn_accuracy", accuracy, note),
        ("embedding_knn_accuracy_trusted", trusted, "the same, judged on labels that are not flagged"),
        ("embedding_mean_similarity", close, "mean cosine of all pairs of units"),
        ("embedding_nearest_similarity_mean", _or_none(nearest, np.mean), "mean cosine to the nearest unit"),
        ("embedding_nearest_similarity_median", _or_none(nearest, np.median), "median cosine to the nearest unit"),
    ]
    return health, numbers


def drift_rows(
    sample: VectorSample, embedder: str, previous: tuple[str, VectorSample] | None, separator: str = ""
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Rows of `embedding_health` and of `dataset_metrics` on how the vectors moved since the previous snapshot."""
    reason = ""
    if previous is None:
        reason = "no earlier snapshot"
    elif previous[0] != embedder:
        reason = "the embedder changed: vectors of two embedders cannot be compared"
    elif min(len(sample.vectors), len(previous[1].vectors)) < FEWEST:
        reason = f"fewer than {FEWEST} vectors to compare"
    if reason or previous is None:
        return [("drift_domain_auc", None, "<= 0.6", True, reason)], [("drift_domain_auc", None, reason)]
    old, new = previous[1], sample
    value = domain_auc(old.vectors, new.vectors, old.content_hashes, new.content_hashes)
    a, b = (by_class(chosen, separator) if separator else chosen for chosen in (old, new))
    shifts = class_shifts(a.vectors, b.vectors, a.labels, b.labels)
    furthest = max(shifts, key=lambda label: (shifts[label], label)) if shifts else None
    note = f"can a linear classifier tell {len(new.vectors)} vectors from {len(old.vectors)} of the last snapshot?"
    numbers = [
        ("drift_domain_auc", value, note),
        ("drift_energy", energy_coefficient(old.vectors, new.vectors), "energy distance, 0 to 1"),
        ("drift_mean_shift", mean_shift(old.vectors, new.vectors), "in root mean square radii"),
        ("drift_class_shift_mean", _or_none(list(shifts.values()), np.mean), f"over {len(shifts)} classes"),
        ("drift_class_shift_max", shifts[furthest] if furthest else None, furthest),
    ]
    return [("drift_domain_auc", value, "<= 0.6", value <= 0.6, note)], numbers


def _is_flagged(units: pl.DataFrame, tables: TableReader) -> np.ndarray:
    """Whether each unit's label is flagged as an issue."""
    flagged = tables.scan("label_findings").filter(pl.col("is_issue")).select("sample_id").collect()["sample_id"]
    return units["sample_id"].is_in(flagged.implode()).to_numpy()


def _or_none(values: Sequence[float] | np.ndarray, statistic: Callable[..., Any]) -> float | None:
    return float(statistic(values)) if len(values) else None
