"""The points of a plot, chosen and packed for the browser."""

import functools
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.reading.catalog import NO_CODE, Category
from assay.reading.columns import View
from assay.reading.sampling import thin

MOST_POINTS = 200_000


def packed(view: View, mask: np.ndarray, wanted: dict[str, Any]) -> bytes:
    """The points to draw, as columns of little-endian bytes after a header of four uint32.

    Header: points, samples in the region, selected samples in all, 1 where z is sent. Then x and y float32,
    [z float32,] row uint32, color uint16 (category) or float32 (number), selected uint8, flagged uint8.

    Args:
        mask: the selected rows, bool of shape (n,).
        wanted: `method`, and optionally `region`, `limit`, `deep`, `color`, and `ring`, whose issues are ringed.
    """
    method = str(wanted["method"])
    layout = view.layout(method)
    limit = max(0, min(int(wanted.get("limit", MOST_POINTS)), MOST_POINTS))
    rows, there = choose(view, method, wanted.get("region"), mask, limit)
    columns = [layout.x[rows], layout.y[rows]]
    if deep := bool(wanted.get("deep")) and layout.z is not None:
        columns.append(layout.z[rows])
    header = struct.pack("<4I", len(rows), there, int(mask.sum()), int(deep))
    color = _color(view, str(wanted.get("color", "label")), rows)
    data = [*(c.astype("<f4") for c in columns), rows.astype("<u4"), color, mask[rows].astype(np.uint8)]
    data.append(_flagged(view, str(wanted.get("ring") or ""))[rows].astype(np.uint8))
    return header + b"".join(c.tobytes() for c in data)


def _flagged(view: View, metric: str) -> np.ndarray:
    if metric in view.flags() or (metric == "label_issue" and view.snapshot.parts("label_issues")):
        return view.issue(metric)
    return np.zeros(len(view), dtype=bool)


def choose(
    view: View, method: str, region: Sequence[float] | None, mask: np.ndarray, limit: int
) -> tuple[np.ndarray, int]:
    """Rows to draw (int64, ascending) and how many samples the region has; half the room is for the selected."""
    layout = view.layout(method)
    priority = view.once("priority", lambda: np.random.default_rng(0).permutation(len(view)).astype(np.int32))
    rows = view.once(("finite", method), lambda: np.flatnonzero(np.isfinite(layout.x) & np.isfinite(layout.y)))
    if region is not None:
        x0, y0, x1, y1 = (float(v) for v in region)
        x, y = layout.x[rows], layout.y[rows]
        rows = rows[(x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)]
    there = len(rows)
    if there <= limit:
        return rows, there
    if mask.all():
        make = functools.partial(thin, layout.x, layout.y, rows, limit, priority)
        return (view.once(("overview", method, limit), make) if region is None else make()), there
    chosen = thin(layout.x, layout.y, rows[mask[rows]], limit // 2, priority)
    context = thin(layout.x, layout.y, rows[~mask[rows]], limit - len(chosen), priority)
    return np.sort(np.concatenate([chosen, context])), there


def _color(view: View, key: str, rows: np.ndarray) -> np.ndarray:
    column = view.column(key)
    if isinstance(column, Category):
        codes = column.codes[rows]
        return np.where(codes < 0, NO_CODE, np.minimum(codes, NO_CODE - 1)).astype("<u2")
    return column.values[rows].astype("<f4")
