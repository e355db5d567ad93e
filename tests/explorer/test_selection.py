"""Selection: a filter gives exactly the rows that pass, over all points."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from assay.reading.columns import View
from assay.reading.selection import FilterError, inside, ordered, select
from assay.store.snapshots import open_snapshot
from assay.store.workspace import Workspace
from tests.explorer.make_snapshot import CLASSES, HOSTILE


@pytest.fixture(scope="module")
def view(home):
    return View(open_snapshot(Workspace(home, "toy"), 1))


def oracle(polygon, x, y):
    """Even-odd rule, a point at a time, an edge at a time."""
    odd = False
    for (x1, y1), (x2, y2) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            odd = not odd
    return odd


coordinates = st.floats(-3, 3, width=32)


@settings(max_examples=60)
@given(
    arrays.arrays(np.float32, (40, 2), elements=coordinates),
    st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=12),
)
def test_a_lasso_holds_what_the_plain_even_odd_rule_says(points, polygon):
    """Any polygon, crossing itself or flat, agrees with the slow version on every point."""
    found = inside(np.array(polygon, dtype=np.float64), points[:, 0], points[:, 1])
    wanted = [oracle([tuple(map(float, p)) for p in polygon], float(x), float(y)) for x, y in points]
    assert found.tolist() == wanted


def test_points_without_coordinates_are_outside():
    """NaN is in no lasso."""
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=float)
    x, y = np.array([0.0, np.nan, 0.5, 0.0]), np.array([0.0, 0.0, np.nan, 5.0])
    assert inside(square, x, y).tolist() == [True, False, False, False]


def test_parts_of_a_filter_narrow_each_other(view):
    """Range, class and lasso together are the intersection of the three, counted in plain Python."""
    wanted = {
        "ranges": {"scores.dark": [0.0, 0.05]},
        "values": {"label": ["airplane", "chair"]},
        "lasso": {"method": "umap", "points": [[0, -20], [20, -20], [20, 20], [0, 20]]},
    }
    mask = select(view, wanted)
    samples = view.scan("samples").sort("position").collect()
    dark = view.number("scores.dark")
    x = view.layout("umap").x
    plain = [
        label in ("airplane", "chair") and dark[i] <= np.float32(0.05) and x[i] >= 0
        for i, label in enumerate(samples["label"])
    ]
    assert 0 < mask.sum() < len(view)
    assert mask.tolist() == plain


def test_hidden_flags_and_cells(view):
    """Hiding leaves the rest, flags are those of the scores, a cell is the flagged ones of one confusion."""
    assert (
        select(view, {"hidden": {"label": ["airplane"]}}).sum()
        == len(view) - select(view, {"values": {"label": ["airplane"]}}).sum()
    )
    flagged = view.scan("scores").filter((pl.col("metric") == "outlier") & pl.col("is_issue")).collect()
    assert set(view.ids.filter(pl.Series(select(view, {"flags": ["outlier"]})))) == set(flagged["sample_id"])
    issues = view.scan("label_issues").filter("is_issue").collect()
    given, suggested = issues.select("label", "suggested_label").row(0)
    cell = issues.filter((pl.col("label") == given) & (pl.col("suggested_label") == suggested))
    assert set(view.ids.filter(pl.Series(select(view, {"cell": [given, suggested]})))) == set(cell["sample_id"])


def test_no_ids_is_nothing_and_no_filter_is_everything(view):
    """An empty list of ids must not select, and then decide about, the whole dataset."""
    assert select(view, {"ids": []}).sum() == 0
    assert select(view, {}).sum() == len(view)
    assert select(view, {"ids": ["s/0000003", "not there"]}).nonzero()[0].tolist() == [3]


@pytest.mark.parametrize("text", [text for text in HOSTILE if len(text) < 100])
def test_hostile_words_are_only_words(view, text):
    """Quotes, SQL and markup are searched for as they are: the label and the caption that hold them."""
    assert set(np.flatnonzero(select(view, {"text": text}))) >= {HOSTILE.index(text)}
    assert select(view, {"values": {"label": [text]}}).sum() == 1


def test_text_is_found_in_the_content_of_texts(home):
    """A text dataset is searched in its texts, whatever the case."""
    view = View(open_snapshot(Workspace(home, "texts")))
    mask = select(view, {"text": "VIEW OF BONSAI"})
    assert mask.sum() == sum("view of bonsai" in text for text in view.scan("text_facts").collect()["text"])


def test_similar_samples_are_the_nearest_by_cosine(view):
    """The k most similar equal a plain NumPy computation over all vectors, the sample itself first."""
    wanted = {"similar": {"id": "s/0000005", "k": 25}}
    rows = ordered(view, select(view, wanted), "similarity", True, wanted)
    matrix = view.scan("vectors").collect()["vector"].to_numpy()
    plain = np.argsort(-(matrix @ matrix[5]), kind="stable")[:25]
    assert rows[0] == 5 and set(rows.tolist()) == set(plain.tolist())


def test_sorting_puts_nulls_last_either_way(view):
    """Unknown values never lead the gallery."""
    column = view.column("scores.outlier").values
    saved = column[7]
    column[7] = np.nan
    try:
        for descending in (True, False):
            assert ordered(view, np.ones(len(view), bool), "scores.outlier", descending, {})[-1] == 7
    finally:
        column[7] = saved


@pytest.mark.parametrize(
    "wanted",
    [
        {"where": "1=1"},
        [],
        {"ranges": {"label": [0, 1]}},
        {"ranges": {"scores.outlier": [0]}},
        {"flags": ["nothing"]},
        {"lasso": {"method": "umap", "points": [[0, 0]]}},
        {"lasso": {"method": "umap", "points": [[0, 0], [1, "a"], [2, 2]]}},
        {"lasso": {"method": "../x", "points": [[0, 0], [1, 0], [1, 1]]}},
        {"values": {"__class__": ["a"]}},
        {"similar": {"id": "nobody"}},
        {"cell": ["a"]},
        {"values": 3},
        {"words": {"text": "a dog"}},
    ],
)
def test_what_is_no_filter_is_refused_in_words(view, wanted):
    """Unknown keys, columns, shapes: an error that says so, never a guess."""
    with pytest.raises((FilterError, Exception)) as caught:
        select(view, wanted)
    assert isinstance(caught.value, FilterError) or "text tower" in str(caught.value)


def test_lasso_in_three_dimensions_sees_what_is_drawn(view):
    """A turned projection is selected as it was looked at."""
    layout, matrix = view.layout("pca"), [[0.6, 0.0, 0.8], [0.0, 1.0, 0.0]]
    mask = select(
        view, {"lasso": {"method": "pca", "matrix": matrix, "points": [[0, -50], [50, -50], [50, 50], [0, 50]]}}
    )
    assert mask.tolist() == (np.float64(0.6) * layout.x + np.float64(0.8) * layout.z >= 0).tolist()


def test_every_class_of_the_corpus_is_there(view):
    """Guards the tests above: ten classes and the hostile ones."""
    assert set(view.column("label").names) == set(CLASSES) | set(HOSTILE)
