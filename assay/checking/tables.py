"""The tables of a check: a contract each. They belong to nobody's snapshot."""

import polars as pl

from assay.contracts.frames import dy
from assay.contracts.tables import TIERS, Contract


class Checked(Contract):
    """One row per sample of the batch that could be read, in its order."""

    sample_id = dy.String(primary_key=True)
    uri = dy.String(nullable=True)
    label = dy.String(nullable=True)
    split = dy.String(nullable=True)
    found = dy.List(dy.String())  # the tables that have it as a finding; empty where it may come in as it is
    replaces = dy.Bool()  # the snapshot has a sample of this id with another content


class FoundDuplicates(Contract):
    """Samples that are copies: of one of the snapshot, else of an earlier one of the batch."""

    sample_id = dy.String(primary_key=True)
    other_id = dy.String()
    where = dy.String(check=lambda c: c.is_in(["snapshot", "batch"]))  # the other one is
    tier = dy.String(check=lambda c: c.is_in(TIERS))
    similarity = dy.Float64(min=0.0, max=1.0)
    label = dy.String(nullable=True)
    other_label = dy.String(nullable=True)
    conflict = dy.Bool()  # both have a label, and not the same


class FoundLeaks(Contract):
    """Samples that are copies of one in another split, in the snapshot or in the batch."""

    sample_id = dy.String(primary_key=True)
    other_id = dy.String(primary_key=True)
    where = dy.String(primary_key=True, check=lambda c: c.is_in(["snapshot", "batch"]))
    split = dy.String()
    other_split = dy.String()
    tier = dy.String(check=lambda c: c.is_in(TIERS))
    similarity = dy.Float64(min=0.0, max=1.0)


class FoundOutliers(Contract):
    """Samples farther from the snapshot's than its own are from each other."""

    sample_id = dy.String(primary_key=True)
    score = dy.Float64(min=0.0, max=1.0)
    distance = dy.Float64()  # mean cosine distance to the nearest samples of the snapshot
    nearest_id = dy.String()  # of the snapshot


class FoundLabelIssues(Contract):
    """Samples whose label those of the snapshot contradict."""

    sample_id = dy.String(primary_key=True)
    label = dy.String()
    suggested_label = dy.String()
    confidence = dy.Float64(min=0.0, max=1.0)  # belief in the suggested label
    belief = dy.Float64(min=0.0, max=1.0)  # in the given one
    share = dy.Float64(min=0.0, max=1.0)  # of the snapshot's trusted labels that are believed as little


class UnknownClasses(Contract):
    """Classes that no sample of the snapshot has."""

    label = dy.String(primary_key=True)
    n = dy.Int64(min=1)
    nearest = dy.String(nullable=True)  # the class of the snapshot that is spelt most like it
    example = dy.String()  # a sample_id


class FoundIssues(Contract):
    """What is wrong with single contents, by the metrics and thresholds of a night."""

    sample_id = dy.String(primary_key=True)
    metric = dy.String(primary_key=True)
    score = dy.Float64(min=0.0, max=1.0)
    value = dy.Float64(nullable=True)


class FoundRejects(Contract):
    """What cannot be used, and why."""

    sample_id = dy.String(nullable=True)
    uri = dy.String(nullable=True)
    stage = dy.String()
    reason = dy.String()
    detail = dy.String(nullable=True)


class Moved(Contract):
    """How far the batch as a whole stands from the snapshot."""

    metric = dy.String(primary_key=True)
    value = dy.Float64(nullable=True)
    note = dy.String(nullable=True)


FINDINGS: dict[str, type[Contract]] = {
    "duplicates": FoundDuplicates,
    "leaks": FoundLeaks,
    "label_issues": FoundLabelIssues,
    "unknown_classes": UnknownClasses,
    "outliers": FoundOutliers,
    "issues": FoundIssues,
    "rejects": FoundRejects,
}
TABLES: dict[str, type[Contract]] = {"samples": Checked, **FINDINGS, "drift": Moved}


def held(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """A frame in the columns and types of its contract; raises where a row breaks it, which is a defect of ours."""
    contract = TABLES[name]
    return contract.validate(frame.select(contract.column_names()), cast=True)
