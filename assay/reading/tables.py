"""The lists of the two pages: confusion matrix, duplicate groups, leaks, rejects, class and health tables."""

from typing import Any

import numpy as np
import polars as pl

from assay.reading.catalog import Category, Number
from assay.reading.columns import View
from assay.reading.samples import cards, group_cards

PLAIN = (
    "classes", "label_noise", "embedding_health", "dataset_metrics", "groups", "group_issues", "annotators", "rejects",
    "proposal_quality",
)  # fmt: skip
MOST_ROWS = 500
MOST_CLASSES = 60  # of the confusion matrix; the classes with the most flagged labels
BINS = 48


class NoSuchTable(KeyError):
    """A table that the page may not list."""


def plain(view: View, table: str, offset: int, limit: int) -> dict[str, Any]:
    """Some rows of a small table, as they are."""
    if table not in PLAIN:
        raise NoSuchTable(f"no list of {table!r}; there are {PLAIN}")
    rows = view.once(("table", table), lambda: view.scan(table).collect())
    page = rows.slice(max(offset, 0), min(limit, MOST_ROWS))
    return {"total": len(rows), "columns": rows.columns, "rows": [[_finite(v) for v in row] for row in page.rows()]}


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def confusion(view: View) -> dict[str, Any]:
    """Flagged labels by given × suggested: the classes that occur most, and the count of each cell."""
    given, suggested, flagged = view.category("label"), view.category("suggested"), view.label_issue()
    chosen = np.flatnonzero(flagged & (given.codes >= 0) & (suggested.codes >= 0))
    pairs = pl.DataFrame(
        {
            "given": np.array(given.names, dtype=object)[given.codes[chosen]] if len(chosen) else [],
            "suggested": np.array(suggested.names, dtype=object)[suggested.codes[chosen]] if len(chosen) else [],
        },
        schema={"given": pl.String, "suggested": pl.String},
    )
    cells = (
        pairs.group_by("given", "suggested").len().sort(["len", "given", "suggested"], descending=[True, False, False])
    )
    busy = pl.concat([cells.select("given", "len"), cells.select(pl.col("suggested").alias("given"), "len")])
    names = busy.group_by("given").sum().sort(["len", "given"], descending=[True, False])["given"]
    shown = sorted(names.head(MOST_CLASSES))
    inside = cells.filter(pl.col("given").is_in(shown) & pl.col("suggested").is_in(shown))
    return {"classes": shown, "cells": inside.rows(), "total": len(chosen), "left_out": max(len(names) - len(shown), 0)}


def duplicate_groups(view: View, mask: np.ndarray, offset: int, limit: int) -> dict[str, Any]:
    """Groups with a member in `mask`, largest first: cards of their members, the kept one first."""
    members = view.once("duplicates_by_group", lambda: _with_rows(view))
    if len(members) and not mask.all():
        rows = members["row"].to_numpy()
        touched = members.filter(pl.Series(mask[rows]))["group_id"].unique()
        members = members.filter(pl.col("group_id").is_in(touched.implode()))
    order = members.group_by("group_id").len().sort(["len", "group_id"], descending=[True, False])
    page = order.slice(max(offset, 0), min(limit, 60))["group_id"]
    groups = []
    for group in page:
        rows = members.filter(pl.col("group_id") == group).sort(
            "keep", "similarity", "sample_id", descending=[True, True, False]
        )
        groups.append({"id": group, "n": len(rows), "members": group_cards(view, rows.head(24))})
    return {"total": len(order), "groups": groups}


def _with_rows(view: View) -> pl.DataFrame:
    frame = view.scan("duplicates").collect()
    frame = frame.with_columns(row=pl.Series(view.rows_of(frame["sample_id"]), dtype=pl.Int64))
    return frame.filter(pl.col("row") >= 0)


def leaks(view: View, mask: np.ndarray, pair: str, offset: int, limit: int) -> dict[str, Any]:
    """Pairs across splits with either end in `mask`; the counts per pair of splits; most similar first."""
    frame = view.once("leaks_by_pair", lambda: leak_rows(view))
    counts = frame.group_by("pair").len().sort(["len", "pair"], descending=[True, False]).rows()
    if pair:
        frame = frame.filter(pl.col("pair") == pair)
    if len(frame) and not mask.all():
        touched = mask[frame["a"].to_numpy()] | mask[frame["b"].to_numpy()]
        frame = frame.filter(pl.Series(touched))
    page = frame.slice(max(offset, 0), min(limit, 100))
    left, right = cards(view, page["a"].to_numpy()), cards(view, page["b"].to_numpy())
    return {
        "total": len(frame),
        "pairs": counts,
        "leaks": [
            {"a": a, "b": b, "tier": tier, "similarity": similarity}
            for a, b, tier, similarity in zip(left, right, page["tier"], page["similarity"], strict=True)
        ],
    }


def leak_rows(view: View) -> pl.DataFrame:
    """Each pair across splits once: `a` and `b` are rows, `pair` names the splits; most similar first."""
    frame = view.scan("leaks").collect()
    low, high = pl.min_horizontal("split", "other_split"), pl.max_horizontal("split", "other_split")
    frame = frame.with_columns(
        a=pl.Series(view.rows_of(frame["sample_id"]), dtype=pl.Int64),
        b=pl.Series(view.rows_of(frame["other_id"]), dtype=pl.Int64),
        pair=pl.concat_str([low, high], separator=" ↔ "),
    )
    # both directions of a pair may be stored: show one
    once = frame.with_columns(lo=pl.min_horizontal("a", "b"), hi=pl.max_horizontal("a", "b"))
    once = once.filter((pl.col("a") >= 0) & (pl.col("b") >= 0)).unique(["lo", "hi"], keep="first", maintain_order=True)
    return once.sort(["similarity", "a"], descending=[True, False])


def facet(view: View, key: str, mask: np.ndarray, whole: bool) -> dict[str, Any]:
    """Counts of one column in a selection, beside those of the whole snapshot."""
    column = view.column(key)
    rows = None if whole else mask
    if isinstance(column, Category):
        total, here = view.once(("counts", key), column.counts), column.counts(rows)
        return {
            "key": key, "kind": "category", "names": column.names, "counts": total[:-1].tolist(),
            "selected": here[:-1].tolist(), "none": int(total[-1]), "none_selected": int(here[-1]),
        }  # fmt: skip
    low, high = view.once(("bounds", key), column.bounds)
    if key.startswith("scores.") or key == "label_issues.score":
        low, high = 0.0, 1.0
    place = view.once(("bins", key), lambda: _bins(column, low, high))
    counts = view.once(("counts", key), lambda: np.bincount(place, minlength=BINS + 1))
    here = counts if whole else np.bincount(place[mask], minlength=BINS + 1)
    return {
        "key": key, "kind": "number", "low": low, "high": high, "counts": counts[:BINS].tolist(),
        "selected": here[:BINS].tolist(), "none": int(counts[BINS]), "none_selected": int(here[BINS]),
    }  # fmt: skip


def _bins(column: Number, low: float, high: float) -> np.ndarray:
    """Bin of each row, uint8; the bin after the last is for nulls."""
    with np.errstate(invalid="ignore"):
        place = np.floor((column.values - low) * (BINS / max(high - low, 1e-30)))
    place = np.clip(place, 0, BINS - 1)
    return np.where(np.isfinite(column.values), place, BINS).astype(np.uint8)
