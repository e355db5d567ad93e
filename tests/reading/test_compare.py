"""Two snapshots side by side: what is counted, listed and drawn is what changed between them."""

import numpy as np
import polars as pl
import pytest

from assay.reading import compare as comparing
from assay.reading.compare import compare, plots
from tests.reading.made import made_view
from tests.snapshot_builder import samples, scores


def night(folder, ids: list[str], labels: dict[str, str], flagged: set[str]):
    """A night of these samples, at places that their letters give."""
    rows = samples(ids, [labels.get(name, "x") for name in ids])
    places = rows.select("sample_id").with_columns(
        method=pl.lit("pca"), x=pl.Series([float(ord(name[0])) for name in ids]), y=pl.lit(0.0)
    )
    issues = scores([(name, "dark", 0.9 if name in flagged else 0.1, name in flagged) for name in ids])
    return made_view(folder, {"samples": rows, "scores": issues, "projection": places})


@pytest.fixture
def two(tmp_path):
    """`a` stays, `b` goes, `c` comes, `d` is flagged, `e` is no more, `f` has another label, and is flagged besides."""
    old = night(tmp_path / "old", list("abdef"), {}, {"e"})
    return old, night(tmp_path / "new", list("acdef"), {"f": "y"}, {"d", "f"})


def test_each_change_is_counted_and_shown_where_it_is(two):
    """What was removed on the older side, all else on the newer one; nothing is listed until a change is chosen."""
    counts = {(change, metric): n for change, metric, n in compare(*two)["counts"]}
    assert counts == {
        ("added", ""): 1, ("removed", ""): 1, ("new_issue", "dark"): 2, ("resolved", "dark"): 1,
        ("label_changed", ""): 1,
    }  # fmt: skip
    assert compare(*two)["cards"] == [] and compare(*two)["n"] == [5, 5]
    for change, metric, ids in (
        ("removed", "", ["b"]),
        ("added", "", ["c"]),
        ("new_issue", "dark", ["d", "f"]),
        ("worse", "", []),
    ):
        found = compare(*two, change, metric)
        assert sorted(card["id"] for card in found["cards"]) == ids and found["total"] == len(ids)


def test_points_have_the_colour_of_their_gravest_change(two):
    """Added or removed before flagged before resolved before another label."""
    old, new = plots(*two, "pca")["sides"]
    codes = [dict(zip([chr(int(x)) for x in side["x"]], side["code"], strict=True)) for side in (old, new)]
    assert codes == [{"a": 0, "b": 1, "d": 2, "e": 3, "f": 2}, {"a": 0, "c": 1, "d": 2, "e": 3, "f": 2}]
    with pytest.raises(KeyError, match="no projection 'umap'"):
        plots(*two, "umap")


def test_a_crowd_is_thinned_and_every_change_is_drawn(tmp_path, monkeypatch):
    """At most so many that stayed as they were, and as many that did not; none twice."""
    monkeypatch.setattr(comparing, "MOST_POINTS", 20)
    ids = [f"{chr(97 + i % 26)}{i}" for i in range(90)]
    old = night(tmp_path / "old", ids, {}, set())
    new = night(tmp_path / "new", ids, {}, set(ids[5:12]))
    for side in plots(old, new, "pca")["sides"]:
        codes = np.array(side["code"])
        assert (codes > 0).sum() == 7 and 10 <= (codes == 0).sum() <= 20
        assert len(set(side["row"])) == len(side["row"]) == len(side["x"])
