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
            }
        ),
    )
    queries.table("thresholds", pl.DataFrame({"metric": ["dark"], "threshold": [0.5]}))
    queries.table("dismissed", pl.DataFrame({"sample_id": ["d", "a"], "metric": ["dark", "leak"]}))
    assert queries.run("scores").select("sample_id", "score", "is_issue").rows() == [
        ("a", 0.6, True),
        ("b", 0.4, False),
        ("c", 1.0, True),
        ("d", 0.9, False),
    ]


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
