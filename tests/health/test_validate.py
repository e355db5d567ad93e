"""Validation of the embedding: plain oracles for every number."""

import numpy as np
import polars as pl
import pytest

from assay.contracts.tables import empty
from assay.health.drift import class_shifts, domain_auc, energy_coefficient, mean_shift
from assay.health.fidelity import trustworthiness_continuity
from assay.health.inputs import input_rows
from assay.health.neighbourhood import knn_accuracy, knn_votes, mean_similarity
from assay.health.stage import drift, validate
from assay.knn.stage import index
from assay.layouts.stage import project
from assay.publishing.stage import publish
from assay.store.workspace import Workspace
from tests.graph_builder import cosine, vector_stages
from tests.knn.test_exact import clustered
from tests.snapshot_builder import stage_output, toy_spec

SPEC = toy_spec(index={"k": 10}, project={"methods": ["pca"]})
HASHES = [f"{row * 2654435761 % 2**32:08x}" for row in range(2000)]


def run(workspace, vectors, labels=None, embedder="toy", flagged=()):
    stages = vector_stages(workspace, vectors, labels=labels, embedder=embedder)
    indexed = index(SPEC, workspace, *stages)
    projected = project(SPEC, workspace, *stages, indexed)
    rows = [(name, "a", None, None, 1.0, True, None, None, True, True) for name in flagged]
    issues = pl.DataFrame(rows, schema=empty("label_findings").schema, orient="row")
    measured = stage_output(workspace, "metrics", {"label_findings": issues})
    output = validate(SPEC, workspace, *stages, indexed, projected, measured)
    drifted = drift(SPEC, workspace, stages[0], stages[2])
    return Outputs(output, drifted), (*stages, indexed, projected, measured, output, drifted)


class Outputs:
    """The tables of several stages, as a snapshot has them."""

    def __init__(self, *outputs):
        self.outputs = outputs

    def read(self, table):
        return pl.concat([output.read(table) for output in self.outputs])


def numbers(output, table="dataset_metrics", key="metric"):
    frame = output.read(table)
    return dict(zip(frame[key], frame["value"], strict=True))


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path, "toy")


@pytest.mark.parametrize("k", [1, 5, 15])
def test_trustworthiness_and_continuity_are_the_formula(k):
    """Counted by hand from ranks: neighbours by cosine in the vectors, by distance in the picture."""
    vectors = clustered(120, 16)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    places = np.random.default_rng(0).normal(size=(120, 2)) + vectors[:, :2] * 5
    n = len(vectors)

    def ranks(distance):
        np.fill_diagonal(distance, np.inf)
        return distance.argsort(axis=1).argsort(axis=1) + 1

    true, seen = ranks(-(vectors @ vectors.T)), ranks(np.square(places[:, None] - places[None]).sum(axis=2))

    def faith(judging, judged):
        return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * (judging - k)[(judged <= k) & (judging > k)].sum()

    assert trustworthiness_continuity(vectors, places, k) == pytest.approx((faith(true, seen), faith(seen, true)))


def test_a_perfect_picture_is_trusted_fully():
    """On a circle, cosine and distance order alike: both are 1."""
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 60)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert trustworthiness_continuity(circle, circle, 5) == (1.0, 1.0)


def test_votes_by_hand():
    """The more similar side wins; unlabelled neighbours say nothing; nobody labelled, no vote."""
    labels = np.array([0, 1, 1, -1, 0])
    rows = np.array([[1, 2], [0, 2], [0, 4], [0, 3], [3, 3]])
    similarities = np.array([[0.5, 0.5], [0.9, 0.3], [0.2, 0.2], [0.4, 0.9], [0.9, 0.9]])
    votes = knn_votes(labels, rows, similarities, 2)
    assert votes.tolist() == [1, 0, 0, 0, -1]
    assert knn_accuracy(labels, votes) == 0.0
    assert knn_accuracy(np.array([1, 0, 1, -1, 0]), votes) == pytest.approx(2 / 3)
    assert knn_accuracy(np.full(5, -1), votes) is None
    assert knn_votes(np.full(5, -1), rows, similarities, 0).tolist() == [-1] * 5


def test_mean_similarity_is_the_mean_of_all_pairs():
    """Equal to the mean of the off-diagonal cosines."""
    vectors = clustered(50, 8)
    pairs = cosine(vectors)
    expected = pairs[~np.eye(50, dtype=bool)].mean()
    assert mean_similarity(vectors) == pytest.approx(expected, abs=1e-6)
    assert mean_similarity(vectors[:1]) is None


def test_unmoved_vectors_cannot_be_told_apart():
    """The same contents twice give an AUC of a half, not below: copies stand in one fold."""
    vectors = clustered(400, 16)
    assert domain_auc(vectors, vectors, HASHES[:400], HASHES[:400]) == 0.5
    nearly = vectors + np.float32(1e-4)  # the same contents, seen by the classifier
    assert domain_auc(vectors, nearly, HASHES[:400], HASHES[:400]) == pytest.approx(0.5, abs=0.02)
    fresh = domain_auc(vectors[:200], vectors[200:], HASHES[:200], HASHES[200:400])
    assert 0.4 < fresh < 0.6
    assert energy_coefficient(vectors, vectors) == pytest.approx(0.0, abs=1e-6)
    assert mean_shift(vectors, vectors) == 0.0


def test_moved_vectors_are_told_apart():
    """A shift by one radius is plain to all three measures."""
    vectors = clustered(400, 100)
    moved = vectors + np.eye(1, 100, dtype=np.float32)
    assert domain_auc(vectors, moved, HASHES[:400], HASHES[400:800]) > 0.95
    assert energy_coefficient(vectors, moved) > 0.1
    assert mean_shift(vectors, moved) > 0.5


def test_energy_coefficient_by_hand():
    """Two points against two others: 2·E|A−B| = 2·2, within 0.5 each, so (4 − 1) ÷ 4."""
    a = np.array([[0.0], [1.0]])
    b = np.array([[2.0], [3.0]])
    assert energy_coefficient(a, b) == pytest.approx(0.75)
    assert energy_coefficient(a * 0, a * 0) == 0.0


def test_class_shift_names_the_class_that_moved():
    """Only the turned class has moved; classes too small on either side are left out."""
    a = np.repeat([[1.0, 0.0], [0.0, 1.0]], 6, axis=0)
    b = np.repeat([[1.0, 0.0], [1.0, 0.0]], 6, axis=0)
    labels = np.array(["x"] * 6 + ["y"] * 6)
    assert class_shifts(a, b, labels, labels) == {"x": 0.0, "y": 1.0}
    assert class_shifts(a, b, labels, np.array(["x"] * 2 + ["y"] * 10)) == {"y": pytest.approx(0.9, abs=0.2)}
    assert class_shifts(a, b, np.array([None] * 12), labels) == {}


def test_first_night(workspace):
    """Every check is there and true to the data; without an earlier snapshot there is no drift, and it says so."""
    vectors = clustered(150, 16)
    labels = [str(int(row)) for row in vectors[:, 0] > 0]
    output, _ = run(workspace, vectors, labels, flagged=["s00000"])
    health = output.read("embedding_health")
    assert set(health["check"]) == {
        "projection_pca_trustworthiness", "projection_pca_continuity",
        "embedding_knn_accuracy", "embedding_mean_similarity", "drift_domain_auc",
        "units", "label_classes", "label_classes_of_one", "label_twins",
    }  # fmt: skip
    order = np.argsort(-cosine(vectors), axis=1)[:, :10]
    close = np.take_along_axis(cosine(vectors), order, axis=1).clip(0)
    is_one = np.array([label == "1" for label in labels])
    vote = (close * is_one[order]).sum(axis=1) > (close * ~is_one[order]).sum(axis=1)
    assert numbers(output)["embedding_knn_accuracy"] == pytest.approx((vote == is_one).mean())
    assert numbers(output)["embedding_knn_accuracy_trusted"] == pytest.approx((vote == is_one)[1:].mean())
    assert health.filter(pl.col("check") == "drift_domain_auc")["note"][0] == "no earlier snapshot"


def test_drift_against_the_last_snapshot(workspace):
    """The second night is compared with the first one published; a changed embedder is not compared."""
    vectors = clustered(120, 16)
    labels = ["a", "b"] * 60
    _, stages = run(workspace, vectors, labels)
    publish(SPEC, workspace, *stages)
    same, _ = run(workspace, vectors, labels)
    assert numbers(same)["drift_domain_auc"] == pytest.approx(0.5, abs=0.05)
    assert numbers(same)["drift_energy"] == pytest.approx(0.0, abs=1e-6)
    moved, _ = run(workspace, vectors + 0.3, labels)
    assert numbers(moved)["drift_domain_auc"] > 0.9
    assert not moved.read("embedding_health").filter(pl.col("check") == "drift_domain_auc")["ok"][0]
    assert numbers(moved)["drift_class_shift_max"] > numbers(same)["drift_class_shift_max"]
    other, _ = run(workspace, vectors, labels, embedder="other")
    assert numbers(other)["drift_domain_auc"] is None


@pytest.mark.parametrize("n", [0, 1, 2, 4])
@pytest.mark.parametrize("labels", [None, ["é", "é", "<b>", "0"]])
def test_hardly_any_units(workspace, n, labels):
    """No, one, two or four units, with and without labels: a row or a note for each check, never a crash."""
    output, _ = run(workspace, clustered(max(n, 1), 8)[:n], labels and labels[:n])
    assert output.read("embedding_health")["check"].is_unique().all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_vectors_equal(workspace, value):
    """Nothing to tell apart: finite numbers, and one cone is called one."""
    output, stages = run(workspace, np.full((30, 4), value), ["a", "b"] * 15)
    publish(SPEC, workspace, *stages)
    again, _ = run(workspace, np.full((30, 4), value), ["a", "b"] * 15)
    assert numbers(again)["drift_domain_auc"] == pytest.approx(0.5)
    found = numbers(output, "embedding_health", "check")["embedding_mean_similarity"]
    assert found == pytest.approx(value)


CLOUD = clustered(40, 8)


@pytest.mark.parametrize(
    ("labels", "check", "ok", "says"),
    [
        ([None] * 40, "label_classes", True, "no sample with a vector is labelled"),
        (["a"] * 40, "label_classes", False, "one class"),
        (["a"] * 30 + [None] * 9 + ["b"], "label_classes", True, "9 of 40 samples are unlabelled"),
        ([str(i // 2) for i in range(40)], "label_classes", True, "more classes than the 10 neighbours"),
        (["a"] * 39 + ["solo"], "label_classes_of_one", False, "'solo'"),
        ([str(i / 7) for i in range(40)], "label_classes_of_one", False, "measurements"),
        ([str(i % 4) for i in range(40)], "label_classes_of_one", True, "cannot be judged"),
        (["ﬁ", "fi", "FI", "b"] * 10, "label_twins", False, "Unicode"),
        (["a", "b"] * 20, "units", True, "duplicates collapsed"),
    ],
)
def test_what_cannot_be_judged_is_said(workspace, labels, check, ok, says):
    """Each input that leaves tables empty or scores at 0 has a row in `embedding_health` that says so."""
    output, _ = run(workspace, CLOUD, labels)
    row = output.read("embedding_health").filter(pl.col("check") == check).row(0, named=True)
    assert row["ok"] is ok and says in row["note"]


def test_few_units_and_copies_of_one_are_said(workspace):
    """Two samples are too few to compare; forty copies of one are one unit, and the note says which it is."""
    few, _ = run(workspace, CLOUD[:2], ["a", "b"])
    row = few.read("embedding_health").filter(pl.col("check") == "units").row(0, named=True)
    assert not row["ok"] and "too few" in row["note"]
    labels = pl.DataFrame({"unit_id": ["s0", "s0"], "label": ["a", "b"], "n": [30, 10]})
    row = input_rows(labels, 1, 50, "", stage_output(workspace, "metrics", {}))[0]
    assert row[1] == 1.0 and not row[3] and "all 40 samples are copies of one" in row[4]


def test_classes_of_sets_are_counted_one_by_one(workspace):
    """With a separator the classes are those in the sets."""
    labels = pl.DataFrame({"unit_id": ["s0", "s1", "s2"], "label": ["a|b", "a", "|"], "n": [1, 1, 1]})
    rows = {row[0]: row for row in input_rows(labels, 3, 50, "|", stage_output(workspace, "metrics", {}))}
    assert rows["label_classes"][1] == 2.0 and rows["label_classes_of_one"][1] == 1.0


def test_what_the_metrics_did_not_judge_is_said_beside_the_other_checks(workspace):
    """The metrics stage's own note of labels that it could not judge becomes a failed check."""
    notes = pl.DataFrame({"metric": ["label_issues_note"], "value": [None], "note": ["no label is flagged: …"]},
                         schema=empty("dataset_measures").schema)  # fmt: skip
    labels = pl.DataFrame({"unit_id": ["s0", "s1"], "label": ["a", "b"], "n": [1, 1]})
    rows = {
        row[0]: row
        for row in input_rows(labels, 2, 50, "", stage_output(workspace, "metrics", {"dataset_measures": notes}))
    }
    assert rows["judged_label_issues"][3] is False and rows["judged_label_issues"][4] == "no label is flagged: …"
