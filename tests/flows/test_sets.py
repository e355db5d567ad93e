"""Whole nights where a label is a set of classes, and what people see and decide of them."""

import io

import numpy as np
import polars as pl
import pytest

from assay.contracts.tables import CONTRACTS
from assay.store.decisions import read_decisions
from assay.store.snapshots import verify
from assay.store.workspace import Workspace
from tests.explorer.visit import client_of
from tests.metrics.test_sets import flipped, sets_of_blobs
from tests.nightly import run_nightly

SPEC = """
name = "sets"
modality = "vectors"
[source]
kind = "table"
path = "samples.parquet"
label_separator = ";"
[project]
methods = ["pca"]
"""


def table(snapshot, name: str) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(part) for part in snapshot.parts(name)])


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """`(home, first snapshot, second, true sets)`: vectors with lists as labels; in the second night one label less."""
    folder = tmp_path_factory.mktemp("nights")
    vectors, carried = sets_of_blobs(400)
    noisy, _ = flipped(carried)
    labels = [[f"class {code}" for code in np.nonzero(row)[0][::-1]] for row in noisy]
    (folder / "sets.toml").write_text(SPEC)
    snapshots = []
    for missing in ([], [3]):
        given = [None if i in missing else label for i, label in enumerate(labels)]
        columns = {"vector": vectors.tolist(), "label": pl.Series(given, dtype=pl.List(pl.String))}
        pl.DataFrame(columns).write_parquet(folder / "samples.parquet")
        snapshots.append(run_nightly(folder / "sets.toml", folder / "home"))
    return folder / "home", *snapshots, carried


def test_a_night_of_sets_is_published_whole(nights):
    """Both snapshots verify and keep their contracts; the sets are canonical; the diff names the label taken away."""
    _, first, second, carried = nights
    assert verify(first) == [] and verify(second) == []
    labels = table(first, "samples").sort("position")["label"]
    assert all(text == ";".join(sorted(text.split(";"))) for text in labels)
    issues = table(first, "label_issues").filter("is_issue")
    truth = [";".join(f"class {code}" for code in np.nonzero(row)[0]) or ";" for row in carried]
    given = table(first, "samples").sort("position").with_columns(truth=pl.Series(truth))
    both = issues.join(given.select("sample_id", "truth"), on="sample_id")
    assert len(both) > 15 and (both["suggested_label"] == both["truth"]).mean() > 0.8
    changed = table(second, "diff").filter(pl.col("change") == "label_changed")
    assert changed["sample_id"].to_list() == ["row-00000003"]
    assert set(first.manifest["tables"]) <= set(CONTRACTS)


def test_the_health_of_the_vectors_does_not_take_sets_for_classes(nights):
    """The neighbours' vote is left out with a note; the shift of classes is of single ones."""
    _, _, second, _ = nights
    health = table(second, "embedding_health").filter(pl.col("check") == "embedding_knn_accuracy").row(0, named=True)
    assert health["value"] is None and health["ok"] and "label_probe_auc" in health["note"]
    numbers = table(second, "dataset_metrics").filter(pl.col("metric") == "drift_class_shift_mean")
    assert numbers["note"][0] == "over 6 classes"


def test_the_report_lists_wrong_sets_and_no_confusion(nights):
    """Flagged sets, wrong and missing classes have their sections; there is no matrix of sets."""
    _, first, _, _ = nights
    page = (first.path / "report.html").read_text(encoding="utf-8")
    assert "Labels that look wrong" in page and "Missing classes" in page
    assert "Which classes are confused" not in page


def test_the_explorer_filters_by_class_and_accepts_canonical_sets(nights):
    """`carries` finds every carrier; an accepted suggestion and a set typed in any order are written canonically."""
    home, first, _, _ = nights
    client = client_of(Workspace(home, "sets"))
    post = lambda path, **body: client.post(f"/api/1/{path}", json=body)  # noqa: E731
    assert client.get("/api/1/meta").json()["label_separator"] == ";"
    labels = table(first, "samples").select("sample_id", "label")
    wanted = {"carries": ["class 1", "class 4"]}
    found = post("gallery", filter=wanted, sort="position", descending=False, offset=0, limit=1000).json()
    plain = [text for text in labels["label"] if {"class 1", "class 4"} <= set(text.split(";"))]
    assert found["total"] == len(plain) > 0
    worst = table(first, "label_issues").filter("is_issue").sort("score", descending=True).row(0, named=True)
    post("decide", kind="accept_label", ids=[worst["sample_id"]])
    post("decide", kind="accept_label", ids=["row-00000001"], value=" class 2;class 0; class 2")
    post("decide", kind="accept_label", ids=["row-00000002"], value=";")
    assert post("decide", kind="accept_label", ids=["row-00000005"], value="  ").status_code == 400
    values = dict(read_decisions(Workspace(home, "sets")).select("sample_id", "value").iter_rows())
    expected = {worst["sample_id"]: worst["suggested_label"], "row-00000001": "class 0;class 2", "row-00000002": ";"}
    assert values == expected
    cleaned = pl.read_csv(io.BytesIO(post("export", what="cleaned", format="csv", filter={}).content))
    kept = dict(cleaned.select("sample_id", "label").iter_rows())
    assert all(kept[sample] == value for sample, value in expected.items())
