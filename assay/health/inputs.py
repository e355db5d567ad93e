"""Whether there is enough data to judge: too few units, a single class, classes of one unit, classes that are one
misspelt.

None of this stops a night. Each has a row in `embedding_health`, so that an empty table is not mistaken for clean data.
"""

from typing import Any

import polars as pl

from assay.sources.label_text import classes_of, count_confusable
from assay.store.tables import TableReader

FEWEST = 20  # units from which neighbourhoods and folds say something
NAMED = 3  # classes named in a note
OPINIONS = ("label_issues_note", "annotators_note")  # of the metrics stage: what it did not judge, and why


def unit_labels(tables: TableReader, units: pl.DataFrame) -> pl.DataFrame:
    """Columns unit_id, label, n: each label that a unit's copies carry, and by how many; null where none is given."""
    pairs = tables.scan("samples").select("sample_id", "label").join(tables.scan("units"), on="sample_id")
    counted = pairs.group_by("unit_id", "label").agg(pl.len().alias("n")).collect()
    return counted.filter(pl.col("unit_id").is_in(units["sample_id"].implode()))


def input_rows(
    labels: pl.DataFrame, n_units: int, n_neighbors: int, separator: str, tables: TableReader
) -> list[tuple[Any, ...]]:
    """Rows of `embedding_health`; `labels` as of `unit_labels`."""
    sizes = class_sizes(labels["label"], separator)
    few = units_note(n_units, int(labels["n"].sum()))
    rows = [
        ("units", float(n_units), f">= {FEWEST}", n_units >= FEWEST, few),
        classes_row(labels, sizes, n_neighbors),
    ]
    if len(sizes):
        rows += [ones_row(sizes), twins_row(sizes["label"].to_list())]
    for note in opinions(tables):
        rows.append(("judged_" + note["metric"].removesuffix("_note"), None, "judged", not len(sizes), note["note"]))
    return rows


def class_sizes(labels: pl.Series, separator: str) -> pl.DataFrame:
    """Columns label, n: the units that carry each class, by name."""
    texts = labels.drop_nulls().value_counts(name="n").rename({labels.name: "label"})
    if separator:
        sets = [(name, n) for text, n in texts.iter_rows() for name in classes_of(text, separator)]
        texts = pl.DataFrame(sets, schema={"label": pl.String, "n": pl.UInt32}, orient="row")
    return texts.group_by("label").agg(pl.col("n").sum()).sort("label")


def units_note(n: int, n_samples: int) -> str:
    """What this number of units means for the results."""
    note = "samples with a vector, duplicates collapsed"
    if n == 1 < n_samples:
        return f"{note}: all {n_samples:,} samples are copies of one"
    if n < FEWEST:
        return f"{note}: too few to compare; where there is nothing to compare with, scores are 0 and accuracies empty"
    return note


def classes_row(labels: pl.DataFrame, sizes: pl.DataFrame, n_neighbors: int) -> tuple[Any, ...]:
    """How many classes there are to tell apart. A dataset without labels is fine."""
    n = len(sizes)
    if n == 0:
        note = "no sample with a vector is labelled: label issues, label noise and classes are empty"
    elif n == 1:
        note = "one class: there is none to tell it from, so no label is judged"
    else:
        missing, n_samples = int(labels.filter(pl.col("label").is_null())["n"].sum()), int(labels["n"].sum())
        note = f"{missing:,} of {n_samples:,} samples are unlabelled" if missing else "every sample is labelled"
        if n > n_neighbors:
            note += f"; more classes than the {n_neighbors} neighbours that vote: the vote sees the nearest ones only"
    return "label_classes", float(n), ">= 2", n != 1, note


def ones_row(sizes: pl.DataFrame) -> tuple[Any, ...]:
    """Classes with a single unit, whose label cannot be judged."""
    alone = sizes.filter(pl.col("n") == 1)["label"].to_list()
    note = "classes of one unit cannot be judged; the score is 0"
    if alone:
        note = f"{note}: {', '.join(repr(name[:40]) for name in alone[:NAMED])}{' …' if len(alone) > NAMED else ''}"
    numbers = sizes["label"].str.contains(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
    if len(alone) > len(sizes) / 2 and numbers.all() and len(sizes) > NAMED:
        note += "; the labels are numbers, nearly all different: measurements rather than classes?"
    return "label_classes_of_one", float(len(alone)), "== 0", not alone, note


def twins_row(names: list[str]) -> tuple[Any, ...]:
    """Classes whose names differ in case or Unicode form only."""
    n = count_confusable(names)
    return "label_twins", float(n), "== 0", n == 0, "pairs of classes whose names differ only in case or Unicode form"


def opinions(tables: TableReader) -> list[dict[str, Any]]:
    """What the metrics stage did not judge, and why."""
    notes = tables.scan("dataset_measures").filter(pl.col("metric").is_in(OPINIONS)).select("metric", "note")
    return notes.sort("metric").collect().to_dicts()
