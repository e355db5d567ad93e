"""De-duplicate in tiers: bytes, pixels or normalised text, perceptual hash or MinHash; after the index, embeddings.

`dedup` runs before there are vectors and says which sample stands for which (`units`), so that everything after it
works on one sample for each group. `near_dedup` runs after the index, joins units whose vectors are close and whose
pixels or shingles confirm it, and writes `copies` and `leaks`. Groups are stars around the sample
that is kept.
"""

import functools
import operator

import numpy as np
import polars as pl

from assay.contracts.spec import Spec
from assay.duplicates.exact import describe_pairs, exact_groups, preference
from assay.duplicates.group_tables import duplicate_rows, leak_rows
from assay.duplicates.grouping import best_of_group
from assay.duplicates.near import Measure, near_groups
from assay.duplicates.reference import renewals
from assay.modalities.tier import Tier, codes
from assay.store.stage import StageWriter, Work, stage, write_rows
from assay.store.tables import TableReader, Tables
from assay.store.workspace import Workspace

VERSION = 11


def _reads(spec: Spec) -> tuple[str, ...]:
    return ("samples", *spec.data.fact_tables(), *spec.data.tables)


@stage(version=VERSION, reads=_reads, writes=("exact_duplicates", "units"), hours=6)
def dedup(spec: Spec, workspace: Workspace, tables: Tables) -> Work:
    """samples, facts → exact_duplicates, units."""
    config = {"modality": spec.modality, **spec.part("dedup"), "embedding": None}
    return Work(config, functools.partial(_dedup, spec, workspace, tables))


@stage(
    version=VERSION,
    reads=lambda spec: (*_reads(spec), "units", "vectors", "neighbors"),
    writes=("copies", "leaks", "embedding_health"),
    hours=6,
)
def near_dedup(spec: Spec, workspace: Workspace, tables: Tables) -> Work:
    """samples, facts, units, vectors, neighbors → copies, leaks, embedding_health (the reference)."""
    config = {"modality": spec.modality, **spec.part("dedup"), "renewals": renewals(workspace)}
    return Work(config, functools.partial(_near_dedup, spec, workspace, tables))


def read_samples(spec: Spec, tables: TableReader) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The samples by position, and a row of facts for each (null where there is none)."""
    columns = ["sample_id", "position", "content_hash", "uri", "label", "split", "size_bytes"]
    samples = tables.read("samples", columns).sort("position")
    if spec.data.facts is None or spec.data.copies is None:
        return samples, samples.select(pl.col("size_bytes").alias("largest"))
    wanted = samples.select("content_hash")
    facts = tables.scan(spec.data.facts.table).select("content_hash", *spec.data.copies.columns)
    facts = facts.join(wanted.lazy().unique(), on="content_hash", how="semi")
    size = pl.reduce(operator.mul, [pl.col(name).cast(pl.Int64) for name in spec.data.copies.largest])
    found = facts.with_columns(size.alias("largest")).collect()
    found = found.unique("content_hash", keep="first", maintain_order=True)
    return samples, wanted.join(found, on="content_hash", how="left", maintain_order="left")


def make_tier(
    spec: Spec, workspace: Workspace, tables: TableReader, samples: pl.DataFrame, facts: pl.DataFrame
) -> Tier | None:
    """The tier that ties such samples beyond equal bytes; None where there is none."""
    copies = spec.data.copies
    return copies.tier(spec, samples, facts, tables, workspace) if copies else None


def _dedup(spec: Spec, workspace: Workspace, tables: Tables, writer: StageWriter) -> None:
    samples, facts = read_samples(spec, tables)
    tier = make_tier(spec, workspace, tables, samples, facts)
    contents = codes(samples["content_hash"])
    order = preference(samples, facts["largest"], spec.dedup.keep, spec.dedup.split_order)
    kept = exact_groups(contents, tier, order)
    tiers, similarity = describe_pairs(contents, tier, np.arange(len(kept)), kept)
    sample_ids = samples["sample_id"].to_numpy()
    write_rows(writer, "exact_duplicates", duplicate_rows(sample_ids, kept, tiers, similarity))
    units = pl.DataFrame(
        {"sample_id": sample_ids.tolist(), "unit_id": sample_ids[kept].tolist()},
        schema={"sample_id": pl.String, "unit_id": pl.String},
    )
    write_rows(writer, "units", units)


def _near_dedup(spec: Spec, workspace: Workspace, tables: Tables, writer: StageWriter) -> None:
    samples, facts = read_samples(spec, tables)
    sample_ids = samples["sample_id"].to_numpy()
    contents, tier = codes(samples["content_hash"]), make_tier(spec, workspace, tables, samples, facts)
    unit = _unit_rows(samples, tables)
    order = preference(samples, facts["largest"], spec.dedup.keep, spec.dedup.split_order)
    near = near_groups(spec, workspace, samples, unit, order, tables)
    kept = best_of_group(near.group, order)

    def describe(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tiers, similarity = np.full(len(left), "", dtype=object), np.zeros(len(left))
        same = unit[left] == unit[right]
        tiers[same], similarity[same] = describe_pairs(contents, tier, left[same], right[same])
        similarity[~same] = _of_units(near.similarity, unit[left[~same]], unit[right[~same]])
        tiers[~same] = _of_units(near.tiers, unit[left[~same]], unit[right[~same]])
        return tiers, similarity

    tiers, similarity = describe(np.arange(len(kept)), kept)
    rows = duplicate_rows(sample_ids, kept, tiers, similarity)
    conflicts = sample_ids[labels_conflict(samples["label"], kept, tiers)].tolist()
    rows = rows.with_columns(keep=pl.col("keep") | pl.col("sample_id").is_in(conflicts))
    write_rows(writer, "copies", rows)
    close_keys = [contents, *([tier.keys] if tier else []), unit]
    write_rows(writer, "leaks", leak_rows(sample_ids, samples["split"], kept, close_keys, describe, near.least))
    health = {"check": pl.String, "value": pl.Float64, "wanted": pl.String, "ok": pl.Boolean, "note": pl.String}
    writer.write("embedding_health", pl.DataFrame(near.health, schema=health, orient="row"))


def labels_conflict(labels: pl.Series, kept: np.ndarray, tiers: np.ndarray) -> np.ndarray:
    """(n,) bool: samples that are similar to the kept one, not equal, and carry another label. Such a conflict is for
    people to look at, and the sample is kept. Samples with equal bytes, pixels or text have one true label, and are
    superfluous whatever labels they carry."""
    given = labels.fill_null("").to_numpy()
    is_labelled = labels.is_not_null().to_numpy()
    differs = is_labelled & is_labelled[kept] & (given != given[kept])
    return differs & ~np.isin(tiers.astype(str), ["bytes", "pixels", "text"])


def _of_units(measure: Measure, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """`measure` of pairs of unit rows, each pair measured once."""
    pairs, inverse = np.unique(np.stack([left, right], axis=1), axis=0, return_inverse=True)
    return measure(pairs[:, 0], pairs[:, 1])[inverse.reshape(-1)]


def _unit_rows(samples: pl.DataFrame, tables: TableReader) -> np.ndarray:
    """(n,) the row of each sample's unit."""
    rows = samples.select("sample_id").with_row_index("row")
    units = (
        tables.read("units").join(rows, left_on="unit_id", right_on="sample_id", how="left").select("sample_id", "row")
    )
    return rows.join(units, on="sample_id", how="left", maintain_order="left")["row_right"].cast(pl.Int64).to_numpy()
