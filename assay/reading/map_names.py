"""Names on the plot: of each class where its samples are densest, or, without labels, of each cluster in its words."""

from typing import Any

import numpy as np
import polars as pl

from assay.reading.catalog import Category
from assay.reading.columns import Layout, View
from assay.store.evenly import evenly

MOST_NAMES = 150
MOST_POINTS = 20_000
CELLS = 48  # along each side, to find where a class is densest
CLUSTERS = 16
WORDS = 3  # of a cluster


def map_names(view: View, method: str) -> list[dict[str, Any]]:
    """`{name, x, y, n, kind}`: what to write where, the largest first; `kind` is "class" or "words".

    Raises:
        KeyError: the snapshot has no such projection.
    """
    return view.once(("map_names", method), lambda: _make(view, method))


def _make(view: View, method: str) -> list[dict[str, Any]]:
    layout, label = view.layout(method), view.category("label")
    finite = np.isfinite(layout.x) & np.isfinite(layout.y)
    if len(label.names) > 1:
        return _classes(layout, label, finite)
    if view.face["text"] and view.snapshot.parts(view.face["facts"]):
        return _clusters(view, layout, finite)
    return []


def _classes(layout: Layout, label: Category, finite: np.ndarray) -> list[dict[str, Any]]:
    found = []
    counts = label.counts(finite)[:-1]
    for code in np.argsort(-counts, kind="stable")[:MOST_NAMES]:
        rows = np.flatnonzero(finite & (label.codes == code))
        if len(rows):
            x, y = densest(layout.x[rows], layout.y[rows])
            found.append({"name": label.names[code], "x": x, "y": y, "n": int(counts[code]), "kind": "class"})
    return found


def densest(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The middle of the samples around the fullest cell: a class of two islands is named on the larger."""
    columns, rows = (_bins(values) for values in (x, y))
    filled = np.zeros((CELLS + 2, CELLS + 2))
    np.add.at(filled, (columns + 1, rows + 1), 1)
    shifts = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    around = np.sum([filled[1 + a : CELLS + 1 + a, 1 + b : CELLS + 1 + b] for a, b in shifts], axis=0)
    column, row = np.unravel_index(int(np.argmax(around)), around.shape)
    near = (np.abs(columns - column) <= 2) & (np.abs(rows - row) <= 2)
    return float(np.median(x[near])), float(np.median(y[near]))


def _bins(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    return np.minimum(((values - low) * (CELLS / max(high - low, 1e-12))).astype(np.int64), CELLS - 1)


def _clusters(view: View, layout: Layout, finite: np.ndarray) -> list[dict[str, Any]]:
    """Clusters of the plot by k-means, each with the words that set it apart from the others by tf-idf."""
    from sklearn.cluster import KMeans
    from sklearn.feature_extraction.text import TfidfVectorizer

    rows = np.flatnonzero(finite)
    rows = rows[evenly(len(rows), MOST_POINTS)]
    if len(rows) < 4 * CLUSTERS:
        return []
    table, column = view.face["facts"], view.face["text"]
    place = view.place(table)[rows]
    texts = view.scan(table).select(pl.col(column).fill_null("").alias("text")).collect()["text"]
    here = [texts[int(p)] if p >= 0 else "" for p in place]
    xy = np.stack([layout.x[rows], layout.y[rows]], 1)
    cluster = KMeans(CLUSTERS, n_init=1, random_state=0).fit_predict(xy)
    joined = [" ".join(here[i][:2_000] for i in np.flatnonzero(cluster == k)) for k in range(CLUSTERS)]
    counter = TfidfVectorizer(
        sublinear_tf=True, stop_words="english", max_df=0.6, token_pattern=r"(?u)\b[^\W\d_]{3,}\b"
    )
    try:
        weights = counter.fit_transform(joined).toarray()
    except ValueError:  # no word is left
        return []
    words, found = counter.get_feature_names_out(), []
    for k in range(CLUSTERS):
        best = [words[i] for i in np.argsort(-weights[k], kind="stable")[:WORDS] if weights[k][i] > 0]
        mine = np.flatnonzero(cluster == k)
        if best:
            x, y = densest(xy[mine, 0], xy[mine, 1])
            found.append({"name": " ".join(best), "x": x, "y": y, "n": len(mine), "kind": "words"})
    return sorted(found, key=lambda name: -name["n"])
