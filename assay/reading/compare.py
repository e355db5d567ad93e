"""Two snapshots of one dataset: what was added, removed, newly flagged, resolved; both plots on the same ground."""

from typing import Any

import numpy as np
import polars as pl

from assay.reading.columns import View
from assay.reading.samples import cards
from assay.store.evenly import evenly
from assay.store.snapshots import diff

MOST_ROWS = 300
MOST_POINTS = 60_000  # of those that are as they were, and of those that changed


def changes(old: View, new: View) -> pl.DataFrame:
    """Rows of the `diff` table between two views, any two."""
    return new.once(("changes", old.snapshot.number), lambda: diff(old.snapshot, new.snapshot))


def compare(old: View, new: View, change: str = "", metric: str = "") -> dict[str, Any]:
    """Counts by change and metric, headline numbers of both, and cards of the samples of one change."""
    rows = changes(old, new)
    counts = rows.group_by("change", "metric").len().sort("change", "metric")
    shown = rows.filter((pl.col("change") == change) & (pl.col("metric") == metric)) if change else rows.head(0)
    where = old if change == "removed" else new
    places = where.rows_of(shown["sample_id"].head(MOST_ROWS))
    return {
        "counts": counts.rows(),
        "headline": [old.snapshot.manifest.get("headline", {}), new.snapshot.manifest.get("headline", {})],
        "n": [len(old), len(new)],
        "total": len(shown),
        "snapshot": where.snapshot.number,
        "cards": cards(where, places[places >= 0]),
    }


def plots(old: View, new: View, method: str) -> dict[str, Any]:
    """Both projections as columns, with the code of each point's change (0: unchanged, 1: added or removed,
    2: newly flagged or worse, 3: resolved, 4: label, content or name changed)."""
    code = {"added": 1, "removed": 1, "new_issue": 2, "worse": 2, "resolved": 3}
    code |= {"label_changed": 4, "content_changed": 4, "moved": 4}
    rows = changes(old, new).with_columns(code=pl.col("change").replace_strict(code, return_dtype=pl.Int8))
    rows = rows.sort("code", descending=True, maintain_order=True)  # the last of a sample's rows colours it
    sides = []
    for view in (old, new):
        layout = view.layout(method)
        here = view.spread(rows["sample_id"], rows["code"].to_numpy(), 0)
        shown = np.flatnonzero(np.isfinite(layout.x))
        if len(shown) > MOST_POINTS:
            sorts = (shown[here[shown] == 0], shown[here[shown] > 0])
            shown = np.concatenate([rows[evenly(len(rows), MOST_POINTS)] for rows in sorts])
        sides.append({
            "x": layout.x[shown].tolist(), "y": layout.y[shown].tolist(), "code": here[shown].tolist(),
            "row": shown.tolist(), "snapshot": view.snapshot.number,
        })  # fmt: skip
    return {"sides": sides}
