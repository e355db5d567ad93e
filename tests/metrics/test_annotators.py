"""Annotators: planted error rates are found again, in every form in which the labels of several people come."""

import numpy as np
import polars as pl
import pytest

from assay.contracts.errors import SpecError
from assay.contracts.spec import make_spec
from assay.metrics.annotators.model import Votes, krippendorff_alpha, peer_agreement
from tests.metrics.conftest import blobs

ERRORS = {"ann": 0.02, "bob": 0.1, "eve": 0.35}


def names(codes) -> list[str]:
    return [f"c{code}" for code in codes]


def labelled(codes, rate: float, rng, classes: int = 5) -> np.ndarray:
    """Labels that are wrong at `rate`."""
    wrong = rng.random(len(codes)) < rate
    return np.where(wrong, (codes + rng.integers(1, classes, len(codes))) % classes, codes)


def corpus(n: int = 900):
    vectors, codes = blobs(n, classes=5, dimensions=24, spread=0.5)
    return vectors, codes, np.random.default_rng(3)


def rates(output) -> dict[str, dict]:
    return {row["annotator"]: row for row in output.read("annotators").iter_rows(named=True)}


def test_a_column_that_names_who_labelled_each_row(night):
    """With one label a content, each annotator's planted error rate lies in its interval, or within three points."""
    vectors, codes, rng = corpus()
    who = np.array(list(ERRORS))[np.arange(900) % 3]
    given = np.select([who == name for name in ERRORS], [labelled(codes, rate, rng) for rate in ERRORS.values()])
    found = rates(night(vectors, names(given), groups={"worker": who.tolist()}, metrics={"annotator": "worker"}))
    assert sorted(found) == sorted(ERRORS)
    for name, row in found.items():
        true = float((given != codes)[who == name].mean())
        assert row["n"] == 300 and row["n_shared"] == 0 and row["peer_agreement"] is None
        assert row["error_rate"] == pytest.approx(true, abs=0.03)
        assert row["error_rate_low"] <= row["error_rate"] <= row["error_rate_high"]
    assert found["eve"]["error_rate_low"] > found["bob"]["error_rate_high"]


def test_a_content_that_several_people_labelled_stands_in_several_rows(night):
    """Three rows a content: error rates, agreement with the others and a consensus that beats the best but one."""
    vectors, codes, rng = corpus(300)
    rows = [(unit, name, label) for name, rate in ERRORS.items()
            for unit, label in enumerate(labelled(codes, rate, rng))]  # fmt: skip
    order = np.repeat(np.arange(300), 3)
    rows.sort(key=lambda row: row[0])
    given = np.array([row[2] for row in rows])
    output = night(
        vectors[order], names(given), unit=[3 * unit for unit in order],
        groups={"worker": [row[1] for row in rows]}, metrics={"annotator": "worker"},
    )  # fmt: skip
    found = rates(output)
    truth = codes[order]
    who = np.array([row[1] for row in rows])
    for name, row in found.items():
        assert row["error_rate"] == pytest.approx(float((given != truth)[who == name].mean()), abs=0.03)
        assert row["n_shared"] == row["n"] == 300
    assert found["ann"]["peer_agreement"] > found["eve"]["peer_agreement"]
    consensus = output.read("consensus").sort("sample_id")
    assert len(consensus) == 900 and (consensus["n_labels"] == 3).all()
    right = consensus["consensus"].to_numpy() == np.array(names(truth), dtype=object)
    assert right.mean() > 0.97
    assert consensus["confidence"].mean() == pytest.approx(right.mean(), abs=0.03)


def test_a_column_for_each_annotator(night):
    """The label's own column may be among them; what the vectors cannot tell, the labels of the others do."""
    _, codes, rng = corpus(600)
    columns = {name: labelled(codes, rate, rng) for name, rate in ERRORS.items()}
    bob = [None if i % 4 == 0 else f" c{code} " for i, code in enumerate(columns["bob"])]  # tidied as labels are
    output = night(
        rng.normal(size=(600, 8)), names(columns["ann"]), groups={"bob": bob, "eve": names(columns["eve"])},
        metrics={"annotator_labels": ["label", "bob", "eve"]},
    )  # fmt: skip
    found = rates(output)
    assert found["bob"]["n"] == 450
    assert found["label"]["error_rate"] < found["bob"]["error_rate"] < found["eve"]["error_rate"]
    assert found["eve"]["error_rate"] == pytest.approx(0.35, abs=0.06)
    assert output.read("groups").is_empty(), "an annotator's labels are no groups"
    assert "eve" not in output.read("proposals")["column"].to_list(), "nor are gaps in them filled"


def test_the_most_frequent_confusion_is_named(night):
    """An annotator who takes one class for another, as nobody else does, is told which."""
    vectors, codes, rng = corpus()
    who = rng.choice(["x", "y", "z"], 900)
    swaps = (codes == 2) & (who == "x") & (rng.random(900) < 0.4)
    given = np.where(swaps, 4, codes)
    found = rates(night(vectors, names(given), groups={"w": who.tolist()}, metrics={"annotator": "w"}))
    assert (found["x"]["confused_label"], found["x"]["confused_true_label"]) == ("c4", "c2")
    assert found["x"]["confused_count"] == pytest.approx(swaps.sum(), rel=0.25)
    assert found["y"]["error_rate"] < 0.01


def test_where_nothing_but_the_labels_speaks_no_error_is_told(night):
    """Vectors that know nothing and one label a content: agreement and errors are null, not zero."""
    rng = np.random.default_rng(0)
    labels = names(rng.integers(0, 3, 200))
    row = rates(night(rng.normal(size=(200, 8)), labels, groups={"w": ["x"] * 200}, metrics={"annotator": "w"}))["x"]
    assert row["n"] == 200 and row["error_rate"] is None and row["consensus_agreement"] is None


@pytest.mark.parametrize(
    ("vectors", "labels", "who"),
    [
        (np.ones((6, 4)), ["a"] * 6, ["x"] * 6),
        (np.ones((6, 4)), [None] * 6, ["x", None] * 3),
        (np.full((6, 4), np.nan), ["a", "b"] * 3, ["x"] * 6),
        (np.eye(2), ["a", "b"], ["'; drop table votes; --", "<b>"]),
        (np.zeros((0, 4)), [], []),
    ],
)
def test_degenerate_annotators_give_whole_tables(night, vectors, labels, who):
    """One class, no labels, no vectors, two samples, none: rows that keep the contract, or none."""
    output = night(vectors, labels, groups={"who": pl.Series(who, dtype=pl.String)}, metrics={"annotator": "who"})
    table = output.read("annotators")
    assert table["annotator"].is_in([name for name in who if name]).all()
    assert output.read("consensus").is_empty()


def test_an_absent_column_is_a_note(night):
    """A column that the source does not have is said, and costs nothing else."""
    output = night(np.eye(4), ["a", "b"] * 2, metrics={"annotator": "nobody"})
    notes = dict(output.read("dataset_metrics").select("metric", "note").iter_rows())
    assert "'nobody'" in notes["annotators_note"]
    assert output.read("annotators").is_empty()


@pytest.mark.parametrize(
    "values",
    [
        {"metrics": {"annotator": "a", "annotator_labels": ["b"]}},
        {"metrics": {"annotator_labels": ["b", "b"]}},
        {"metrics": {"annotator": "a"}, "label_separator": ";"},
    ],
)
def test_annotators_are_named_one_way(tmp_path, values):
    """Both keys, a column twice, or labels that are sets: the spec is refused."""
    source = {"kind": "table", "path": "x.csv", "label_separator": values.pop("label_separator", "")}
    with pytest.raises(SpecError, match="annotator"):
        make_spec({"name": "n", "modality": "text", "source": source, **values}, base=tmp_path)


def test_agreement_by_hand():
    """Four labels on two contents: the shares of the others that agree, and Krippendorff's alpha of them."""
    votes = Votes(
        np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 2, 0, 1, 0]), np.array([0, 0, 1, 1, 1, 0]), [], ["a", "b"]
    )
    assert peer_agreement(votes)[:5].tolist() == [0.5, 0.5, 0.0, 1.0, 1.0]
    assert np.isnan(peer_agreement(votes)[5])
    # 5 labels that share: 2 a, 3 b; observed disagreement 2/5, expected 1 − (2·1 + 3·2) / (5·4) = 0.6
    assert krippendorff_alpha(votes) == pytest.approx(1 - 0.4 / 0.6)
