"""Every SQL metric against a plain Python version, and hand-made rows."""

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import assay.judge.stage
from assay import metrics
from assay.metrics.sql import select

LABELS = 3


class Queries:
    """SQL files by name, over the relations that were handed in so far; a file reads those that it names."""

    def __init__(self, spill):
        self.spill, self.relations = spill, {}
        folders = [Path(module.__file__).parent for module in (metrics, assay.judge.stage)]
        self.files = {file.stem: file for folder in folders for file in folder.rglob("*.sql")}

    def table(self, name, frame):
        self.relations[name] = frame

    def run(self, name, **parameters):
        return select(self.files[name], self.relations, self.spill, **parameters)


def last_verdict(metric, was):
    """The row of sample "a", or none where last night said nothing of it (`was` is None)."""
    schema = {"sample_id": pl.String, "metric": pl.String, "was_issue": pl.Boolean}
    return pl.DataFrame([] if was is None else [("a", metric, was)], schema=schema, orient="row")


@pytest.fixture
def queries(tmp_path):
    """SQL over nothing yet."""
    return Queries(tmp_path)


def random_graph(n=40, k=8, seed=0):
    """`edges` and `cases` of random units, some with two labels, some with none."""
    rng = np.random.default_rng(seed)
    edges = {"unit": [], "neighbor": [], "rank": [], "distance": []}
    for unit in range(n):
        near = rng.permutation([u for u in range(n) if u != unit])[:k]
        for rank, (other, distance) in enumerate(zip(near, np.sort(rng.random(k)), strict=True), 1):
            for name, value in zip(edges, (unit, int(other), rank, float(distance)), strict=True):
                edges[name].append(value)
    cases = []
    for unit in range(n):
        kind = rng.random()
        if kind < 0.1:
            cases.append((unit, -1, 1, 0.0, 1))
        elif kind < 0.2:
            cases += [(unit, 0, 2, 2 / 3, 2), (unit, 1, 1, 1 / 3, 2)]
        else:
            cases.append((unit, int(rng.integers(LABELS)), 1, 1.0, 1))
    frame = pl.DataFrame(cases, schema=["unit", "label", "n", "share", "n_values"], orient="row")
    return pl.DataFrame(edges), frame


@pytest.fixture
def graph(queries):
    """`(queries, edges by unit, cases)` with both registered."""
    edges, cases = random_graph()
    queries.table("edges", edges)
    queries.table("cases", cases)
    near = defaultdict(list)
    for row in edges.iter_rows(named=True):
        near[row["unit"]].append(row)
    return queries, near, list(cases.iter_rows(named=True))


def shares(cases):
    """{unit: {label: share}} of the labelled cases."""
    out = defaultdict(dict)
    for case in cases:
        if case["label"] >= 0:
            out[case["unit"]][case["label"]] = case["share"]
    return out


def test_knn_distance(graph):
    """The mean distance to the nearest five."""
    queries, near, _ = graph
    mean = {u: np.mean([e["distance"] for e in edges if e["rank"] <= 5]) for u, edges in near.items()}
    found = dict(queries.run("knn_distance", neighbors=5).iter_rows())
    assert found == pytest.approx(mean)


def test_silhouette_and_purity(graph):
    """Silhouette of each case over its labelled neighbours; a class not among them is far."""
    queries, near, cases = graph
    by_unit = shares(cases)
    expected = {}
    for case in cases:
        weight, total = Counter(), Counter()
        for edge in near[case["unit"]]:
            for label, share in by_unit[edge["neighbor"]].items():
                weight[label] += share
                total[label] += share * edge["distance"]
        if case["label"] < 0 or not weight:
            continue
        farthest = max(e["distance"] for e in near[case["unit"]])
        mean = {label: total[label] / weight[label] for label in weight}
        beyond = max(farthest, 0.7)
        own = mean.get(case["label"], beyond)
        other = min((d for label, d in mean.items() if label != case["label"]), default=beyond)
        expected[case["unit"], case["label"]] = (
            (other - own) / max(other, own),
            weight[case["label"]] / sum(weight.values()),
        )
    found = {(u, c): (s, p) for u, c, s, p in queries.run("silhouette", typical=0.7).iter_rows()}
    assert found.keys() == expected.keys()
    for key in found:
        assert found[key] == pytest.approx(expected[key])


def test_class_overlap_and_coverage(graph):
    """The other class with most neighbour votes; the share of a class within reach of its own."""
    queries, near, cases = graph
    by_unit = shares(cases)
    votes, reached = defaultdict(Counter), defaultdict(list)
    for case in cases:
        if case["label"] < 0:
            continue
        for edge in near[case["unit"]]:
            for label, share in by_unit[edge["neighbor"]].items():
                votes[case["label"]][label] += case["share"] * share
        near_own = any(e["distance"] <= 0.2 and case["label"] in by_unit[e["neighbor"]] for e in near[case["unit"]])
        reached[case["label"]].append(near_own)
    for label, other, overlap in queries.run("class_overlap").iter_rows():
        rest = {c: v for c, v in votes[label].items() if c != label}
        assert overlap == pytest.approx(max(rest.values()) / sum(votes[label].values()))
        assert rest[other] == pytest.approx(max(rest.values()))
    found = dict(queries.run("class_coverage", radius=0.2).iter_rows())
    assert found == pytest.approx({label: np.mean(hits) for label, hits in reached.items()})


def samples(*rows):
    """A `samples` view from (sample_id, label, split)."""
    return pl.DataFrame(
        [(i, n, "0" * 32, label, split) for n, (i, label, split) in enumerate(rows)],
        schema={
            "sample_id": pl.String,
            "position": pl.Int64,
            "content_hash": pl.String,
            "label": pl.String,
            "split": pl.String,
        },
        orient="row",
    )


LEAKS = pl.DataFrame(
    {"sample_id": ["a", "a"], "other_id": ["c", "d"], "split": ["train"] * 2, "other_split": ["test"] * 2,
     "tier": ["bytes"] * 2, "similarity": [1.0, 0.9]}
)  # fmt: skip


def test_leaks_are_scored_from_both_sides(queries):
    """Both samples of a leaked pair get the greatest similarity as their score."""
    queries.table("leaks", LEAKS)
    found = {row["sample_id"]: row["score"] for row in queries.run("leak").iter_rows(named=True)}
    assert found == {"a": 1.0, "c": 1.0, "d": 0.9}


def test_leakage_per_pair_of_splits(queries):
    """Each ordered pair of splits has the share of the first that stands in the second; none is 0, not absent."""
    queries.table(
        "samples",
        samples(("a", "x", "train"), ("b", "x", "train"), ("c", "x", "test"), ("d", None, "test"), ("e", "x", "dev")),
    )
    queries.table("leaks", LEAKS)
    found = {row["metric"]: row["value"] for row in queries.run("leakage").iter_rows(named=True)}
    assert found["leakage:train→test"] == 0.5
    assert found["leakage:test→train"] == 1.0
    assert found["leakage:dev→test"] == 0.0
    assert len(found) == 6


def test_duplicates_and_conflicting_labels(queries):
    """Members that are not kept are duplicates; in a group of three with one dissenter all three are in conflict."""
    group = {
        "group_id": ["a"] * 3,
        "sample_id": ["a", "b", "c"],
        "tier": ["bytes"] * 3,
        "keep": [True, False, False],
        "similarity": [1.0, 0.9, 0.8],
    }
    queries.table("copies", pl.DataFrame(group))
    queries.table("samples", samples(("a", "x", None), ("b", "x", None), ("c", "y", None)))
    assert queries.run("duplicate").select("sample_id", "score").rows() == [("b", 0.9), ("c", 0.8)]
    found = queries.run("label_conflict").select("sample_id", "score", "value").rows()
    assert found == [("a", 0.5, 1), ("b", 0.5, 1), ("c", 1.0, 2)]


def test_dataset_counts_by_hand(queries):
    """Counts and rates of five samples, three labelled, one flagged."""
    queries.table(
        "samples", samples(("a", "x", None), ("b", "x", None), ("c", "y", None), ("d", None, None), ("e", None, None))
    )
    queries.table(
        "scores",
        pl.DataFrame(
            {
                "sample_id": ["a", "b"],
                "metric": ["label_issue", "outlier"],
                "score": [0.9, 0.9],
                "is_issue": [True, True],
            }
        ),
    )
    found = dict(queries.run("dataset_counts").select("metric", "value").iter_rows())
    assert (found["n_samples"], found["n_labeled"], found["n_classes"]) == (5, 3, 2)
    assert found["label_issue_rate"] == pytest.approx(1 / 3)
    assert found["outlier_rate"] == pytest.approx(0.2)
    assert found["class_imbalance"] == pytest.approx(1 + (2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)) / np.log(2))


def test_rates_without_labels_are_null(queries):
    """Where nothing is labelled the label rates are null, not zero and not a division by zero."""
    queries.table("samples", samples(("a", None, None)))
    queries.table("scores", pl.DataFrame(schema={"sample_id": pl.String, "metric": pl.String, "is_issue": pl.Boolean}))
    found = dict(queries.run("dataset_counts").select("metric", "value").iter_rows())
    assert found["label_issue_rate"] is None and found["class_imbalance"] is None


def test_thresholds_are_joined_late(queries):
    """A metric with a threshold is an issue from there on; one without keeps its own flag; scores stay in [0, 1];
    a suspicion that was taken back keeps its score and is no issue."""
    queries.table(
        "measures",
        pl.DataFrame(
            {
                "sample_id": ["a", "b", "c", "d"],
                "metric": ["dark", "dark", "leak", "dark"],
                "score": [0.6, 0.4, 1.7, 0.9],
                "value": [1.0, None, 2.0, None],
                "is_issue": [None, None, True, None],
                "stays": pl.Series([None] * 4, dtype=pl.Boolean),
                "starts": pl.Series([None] * 4, dtype=pl.Boolean),
            }
        ),
    )
    queries.table("thresholds", pl.DataFrame({"metric": ["dark"], "threshold": [0.5], "leeway": [0.0]}))
    queries.table("last_verdicts", last_verdict("dark", None))
    queries.table("dismissed", pl.DataFrame({"sample_id": ["d", "a"], "metric": ["dark", "leak"]}))
    assert queries.run("scores").select("sample_id", "score", "is_issue").rows() == [
        ("a", 0.6, True),
        ("b", 0.4, False),
        ("c", 1.0, True),
        ("d", 0.9, False),
    ]


@pytest.mark.parametrize("was, score, is_issue", [
    (None, 0.52, True), (True, 0.52, True), (False, 0.52, False),
    (None, 0.48, False), (True, 0.48, True), (False, 0.48, False),
    (True, 0.44, False), (False, 0.56, True),
])  # fmt: skip
def test_a_verdict_stays_until_its_score_is_clearly_on_the_other_side(queries, was, score, is_issue):
    """Within the leeway of the threshold last night's verdict holds; beyond it tonight's does."""
    nothing = pl.Series([None], dtype=pl.Boolean)
    row = {"sample_id": ["a"], "metric": ["off_class"], "score": [score], "value": [1.0]}
    queries.table("measures", pl.DataFrame(row | dict.fromkeys(("is_issue", "stays", "starts"), nothing)))
    queries.table("thresholds", pl.DataFrame({"metric": ["off_class"], "threshold": [0.5], "leeway": [0.05]}))
    queries.table("last_verdicts", last_verdict("off_class", was))
    queries.table("dismissed", pl.DataFrame(schema={"sample_id": pl.String, "metric": pl.String}))
    assert queries.run("scores")["is_issue"].to_list() == [is_issue]


@pytest.mark.parametrize("was, told, is_issue", [
    (None, (True, True, True), True), (None, (False, True, False), False), (None, (True, True, False), True),
    (True, (False, True, False), True), (True, (False, False, False), False),
    (False, (True, True, False), False), (False, (True, True, True), True),
])  # fmt: skip
def test_what_decides_by_itself_brings_its_own_leeway(queries, was, told, is_issue):
    """Of the three verdicts the one that fits last night's counts, in `scores` and in `label_issues`; and none where
    somebody took the suspicion back."""
    verdicts = dict(zip(("is_issue", "stays", "starts"), ([value] for value in told), strict=True))
    row = {"sample_id": ["a"], "score": [0.6]}
    queries.table("measures", pl.DataFrame(row | {"metric": ["label_issue"], "value": [1.0]} | verdicts))
    found = {"label": ["x"], "suggested_label": ["y"], "confidence": [0.7]}
    found |= {"other_label": ["z"], "other_confidence": [0.4]}
    queries.table("label_findings", pl.DataFrame(row | found | verdicts))
    queries.table("thresholds", pl.DataFrame({"metric": ["dark"], "threshold": [0.5], "leeway": [0.0]}))
    queries.table("last_verdicts", last_verdict("label_issue", was))
    for dismissed, wanted in (([], is_issue), (["a"], False)):
        metric = ["label_issue"] * len(dismissed)
        schema = {"sample_id": pl.String, "metric": pl.String}
        queries.table("dismissed", pl.DataFrame({"sample_id": dismissed, "metric": metric}, schema=schema))
        scores = queries.run("scores")
        assert scores["is_issue"].to_list() == [wanted]
        queries.table("scores", scores)
        issues = queries.run("label_issues")
        assert issues["is_issue"].to_list() == [wanted]
        suggestion = ("z", 0.4) if wanted and not told[0] else ("y", 0.7)
        assert issues.select("suggested_label", "confidence").row(0) == suggestion


def test_last_verdicts_are_of_what_is_as_it_was(queries):
    """A verdict follows the content with its label, under whatever name; not a new label, a new content, a metric
    that does not stay, or what somebody has decided about."""
    old = {"sample_id": list("abcde"), "content_hash": list("12345"), "label": ["x", "x", None, "x", "x"]}
    queries.table("old_samples", pl.DataFrame(old))
    scored = {"metric": ["outlier"] * 5 + ["dark"], "is_issue": [True, False, True, True, True, True]}
    queries.table("old_scores", pl.DataFrame({"sample_id": [*"abcde", "a"]} | scored))
    queries.table("steady", pl.DataFrame({"metric": ["outlier", "label_issue"]}))
    queries.table("decided", pl.DataFrame({"sample_id": ["e"]}))
    new = {"sample_id": list("rbcdef"), "content_hash": list("123456"), "label": ["x", "x", None, "y", "x", "x"]}
    queries.table("samples", pl.DataFrame(new))
    found = queries.run("last_verdicts").sort("sample_id")
    assert found.rows() == [("b", "outlier", False), ("c", "outlier", True), ("r", "outlier", True)]


def test_split_coverage(queries):
    """The share of a split's units that have a unit of the other split within the radius."""
    queries.table(
        "places",
        pl.DataFrame({"sample_id": list("abcd"), "split": ["train", "train", "test", None], "unit": [0, 1, 2, 3]}),
    )
    queries.table(
        "edges",
        pl.DataFrame({"unit": [0, 1, 2], "neighbor": [2, 2, 0], "rank": [1, 1, 1], "distance": [0.1, 0.5, 0.1]}),
    )
    found = dict(queries.run("split_coverage", radius=0.2).select("metric", "value").iter_rows())
    assert found == {"coverage:train→test": 0.5, "coverage:test→train": 1.0}


def test_group_issues_by_hand(queries):
    """Rates within a value and among the others; no row of a metric that nobody in the column is flagged with."""
    attributes = [(f"s{i}", "city", "Bonn" if i < 4 else "Köln") for i in range(10)] + [("s0", "lab", "x")]
    scores = [(f"s{i}", "dark", i in (0, 1, 9)) for i in range(11)] + [("s10", "bright", True), ("s5", "leak", False)]
    queries.table("attributes", pl.DataFrame(attributes, schema=["sample_id", "column", "value"], orient="row"))
    queries.table("scores", pl.DataFrame(scores, schema=["sample_id", "metric", "is_issue"], orient="row"))
    found = queries.run("group_issues").rows()
    assert found == [
        ("city", "Bonn", "dark", 2, pytest.approx(0.5), pytest.approx(1 / 6)),
        ("city", "Köln", "dark", 1, pytest.approx(1 / 6), pytest.approx(0.5)),
        ("lab", "x", "dark", 1, 1.0, None),
    ]
