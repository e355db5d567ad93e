"""What can be reviewed: one queue a kind of finding, its items worst first, and which of them are decided.

An item is what one decision settles: a sample, a group of duplicates, a pair across splits. Whether it is settled is
read from the decisions that stand, so progress outlives the page, the server and the night.
"""

from typing import Any

import numpy as np
import polars as pl

from assay.contracts.metrics import described
from assay.reading.columns import View
from assay.reading.tables import leak_rows

LABELS, DUPLICATES, LEAKS = "label_issue", "duplicate", "leak"
TITLES = {
    LABELS: ("Labels that look wrong", "label", "labels"),
    LEAKS: ("Leaks between splits", "pair", "pairs"),
    DUPLICATES: ("Duplicates", "group", "groups"),
    "label_conflict": ("Copies whose labels disagree", "sample", "samples"),
    "outlier": ("Outliers", "sample", "samples"),
}
SELDOM_WRONG = {"grayscale", "odd_aspect", "odd_size"}  # told last: most such samples are as they should be
PARTS_OF_OTHERS = {"knn_distance", "junk_cluster", "off_class"}  # told by `outlier`
MOST_ITEMS = 5_000
OF_LABEL, OF_MEMBER = ("accept_label", "reject_label"), ("keep", "drop")


def queues(view: View) -> list[dict[str, Any]]:
    """Every queue that has items, the most useful first: key, title, meaning, unit, total, done."""
    settled = {key: _settled(view, key) for key in keys(view)}
    return [in_words(key, len(items), int(items["done"].sum())) for key, items in settled.items() if len(items)]


def in_words(key: str, total: int, done: int = 0) -> dict[str, Any]:
    """One queue in words: key, title, meaning, unit (one, many), total, done."""
    metric = described(key)
    name, one, many = TITLES.get(key, (metric.title, "sample", "samples"))
    return {"key": key, "title": name, "says": metric.meaning, "unit": [one, many], "total": total, "done": done}


def of_counts(counts: dict[str, int]) -> list[dict[str, Any]]:
    """Queues of which only the sizes are known, in the order of `keys`; those without items are left out."""
    largest = sorted(counts, key=lambda key: (-counts[key], key))
    return [in_words(key, counts[key]) for key in in_order(largest) if counts.get(key)]


def in_order(metrics: list[str]) -> list[str]:
    """Queues by use: those that matter most, then each other kind of issue in the order given, the harmless last."""
    others = [metric for metric in metrics if metric not in TITLES and metric not in PARTS_OF_OTHERS]
    return [*TITLES, *sorted(others, key=lambda metric: metric in SELDOM_WRONG)]


def keys(view: View) -> list[str]:
    """Keys of the queues: labels, leaks, duplicates, outliers, then each other kind of issue, the largest first."""
    counted = view.metrics().filter(pl.col("n_issues") > 0).sort(["n_issues", "metric"], descending=[True, False])
    return in_order(counted["metric"].to_list())


Decided = dict[int, set[str]]  # the kinds of decision that stand, by row


def queue(view: View, key: str, mask: np.ndarray | None = None) -> dict[str, Any]:
    """The items of one queue, worst first: `rows` of each, whether it is `done`, and how many there are in all.

    Args:
        mask: only items with a sample among these rows, bool of shape (n,).

    Raises:
        KeyError: there is no such queue.
    """
    if key not in keys(view):
        raise KeyError(f"no queue {key[:100]!r}; there are {keys(view)}")
    items = _settled(view, key)
    if mask is not None and not mask.all() and len(items):
        touched = [bool(mask[rows].any()) for rows in items["rows"].to_list()]
        items = items.filter(pl.Series(touched, dtype=pl.Boolean))
    shown = items.head(MOST_ITEMS)
    listed = [{"rows": rows, "done": done} for rows, done in shown.select("rows", "done").iter_rows()]
    return {"key": key, "total": len(items), "done": int(items["done"].sum()), "items": listed}


def _settled(view: View, key: str) -> pl.DataFrame:
    items = view.once(("queue", key), lambda: _items(view, key))
    kinds = view.once("decided_rows", lambda: _decided_rows(view))
    settle = {LABELS: _label_settled, DUPLICATES: _group_settled, LEAKS: _pair_settled}.get(key, _sample_settled)
    done = [settle(kinds, rows) for rows in items["rows"].to_list()] if kinds else [False] * len(items)
    return items.with_columns(done=pl.Series(done, dtype=pl.Boolean))


def _decided_rows(view: View) -> Decided:
    """The kinds of decision that stand, by row."""
    standing = view.decisions().filter(pl.col("kind") != "tag")
    kinds: Decided = {}
    for row, kind in zip(view.rows_of(standing["sample_id"]).tolist(), standing["kind"], strict=True):
        kinds.setdefault(row, set()).add(kind)
    return kinds


def _label_settled(kinds: Decided, rows: list[int]) -> bool:
    return bool(kinds.get(rows[0], set()) & {*OF_LABEL, "drop"})


def _sample_settled(kinds: Decided, rows: list[int]) -> bool:
    return bool(kinds.get(rows[0], set()) & {*OF_MEMBER, "accept_label"})


def _group_settled(kinds: Decided, rows: list[int]) -> bool:
    """All but one of the copies are decided about."""
    return sum(bool(kinds.get(row, set()) & set(OF_MEMBER)) for row in rows) >= len(rows) - 1


def _pair_settled(kinds: Decided, rows: list[int]) -> bool:
    """One end is dropped, or both are kept."""
    ends = [kinds.get(row, set()) for row in rows]
    return any("drop" in end for end in ends) or all("keep" in end for end in ends)


def _items(view: View, key: str) -> pl.DataFrame:
    """Column `rows`, a list of rows an item, worst first."""
    if key == DUPLICATES:
        return _groups(view)
    if key == LEAKS:
        pairs = leak_rows(view)
        return pl.DataFrame({"rows": [[a, b] for a, b in pairs.select("a", "b").iter_rows()]}, schema=_SCHEMA)
    if key == LABELS and view.snapshot.parts("label_issues"):
        flagged = view.scan("label_issues").filter(pl.col("is_issue")).select("sample_id", "score").collect()
    else:
        here = pl.col("is_issue") & (pl.col("metric") == key)
        flagged = view.scan("scores").filter(here).select("sample_id", "score").collect()
    flagged = flagged.with_columns(row=pl.Series(view.rows_of(flagged["sample_id"]), dtype=pl.Int64))
    worst = flagged.filter(pl.col("row") >= 0).sort(["score", "row"], descending=[True, False])
    return pl.DataFrame({"rows": [[row] for row in worst["row"]]}, schema=_SCHEMA)


def _groups(view: View) -> pl.DataFrame:
    """Groups whose labels disagree first, then the least alike: an exact copy needs no second look. Each has the kept
    sample and its copies; what is only contained in another is none, and no question."""
    members = view.scan("duplicates").filter(~pl.col("keep") | (pl.col("sample_id") == pl.col("group_id"))).collect()
    label = view.category("label").codes
    rows = view.rows_of(members["sample_id"])
    members = members.with_columns(row=pl.Series(rows, dtype=pl.Int64)).filter(pl.col("row") >= 0)
    members = members.with_columns(label=pl.Series(label[members["row"].to_numpy()], dtype=pl.Int32))
    groups = (
        members.sort(["keep", "similarity", "row"], descending=[True, True, False])
        .group_by("group_id", maintain_order=True)
        .agg(pl.col("row").alias("rows"), pl.col("label").n_unique().alias("labels"), pl.col("similarity").min())
    )
    ranked = groups.filter(pl.col("rows").list.len() > 1)
    return ranked.sort(["labels", "similarity", "group_id"], descending=[True, False, False]).select("rows")


_SCHEMA = {"rows": pl.List(pl.Int64)}
