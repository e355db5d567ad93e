"""One night, one number: every place that says how many issues there are says the same."""

import html
import json
import re

import polars as pl
import pytest

from assay.reading import overview, queues
from assay.reading.columns import View
from assay.report import sections
from assay.report.terminal import last_words
from assay.store.snapshots import Snapshot


@pytest.fixture(scope="module")
def told(digits_night: Snapshot) -> dict:
    """The explorer's overview."""
    view = View(digits_night)
    return overview.told(view, digits_night.manifest, [], queues.queues(view), view.face["plural"])


def numbers_of(snapshot: Snapshot) -> dict[str, float]:
    """`dataset_metrics`: the value of each."""
    return dict(snapshot.read("dataset_metrics").select("metric", "value").iter_rows())


def test_counts_are_the_same_in_manifest_tables_report_and_explorer(digits_night, told):
    """Label issues, outliers and copies; all three are there, so that none agrees by being nought."""
    scores, n = digits_night.read("scores"), numbers_of(digits_night)
    per_metric = dict(scores.filter("is_issue").group_by("metric").len().iter_rows())
    view, headline = View(digits_night), digits_night.manifest["headline"]
    queue = {line["key"]: line["total"] for line in told["queues"]}
    labels = sections.label_issues(view, {})
    copies = sections.duplicate_groups(view)
    galleries = {line["metric"]: line["total"] for line in sections.metric_galleries(view)}

    issues = headline["n_label_issues"]
    assert issues == labels["total"] == queue["label_issue"] == per_metric["label_issue"] > 0
    assert issues == round(n["label_issue_rate"] * n["n_labeled"])
    assert issues == digits_night.read("label_issues")["is_issue"].sum()
    redundant = headline["n_duplicates"]
    assert redundant == copies["redundant"] == per_metric["duplicate"] > 0
    assert redundant == round(n["duplicate_rate"] * n["n_samples"])
    assert copies["with_copies"] == queue["duplicate"]
    outliers = headline["n_outliers"]
    assert outliers == galleries.get("outlier", 0) == queue.get("outlier", 0) == per_metric.get("outlier", 0) > 0
    assert outliers == round(n["outlier_rate"] * n["n_samples"])
    assert headline == {key: told["headline"][key] for key in headline}


def test_a_nights_last_words_and_the_report_begin_with_the_overviews_sentence(digits_night, told, capsys):
    """What `assay run` and `assay demo` print, what the page says, and what the explorer says."""
    last_words(digits_night, 1)
    printed = " ".join(capsys.readouterr().err.split())
    page = (digits_night.path / "report.html").read_text()
    read = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
    assert told["sentence"] in printed
    assert told["sentence"] in read, json.dumps(told["sentence"])


def test_the_noise_table_adds_up_to_the_rate_that_is_published(digits_night):
    """Wrong ÷ all in `label_noise`, `estimated_noise_rate`, and the report's share."""
    noise, rate = digits_night.read("label_noise"), numbers_of(digits_night)["estimated_noise_rate"]
    wrong = noise.filter(pl.col("label") != pl.col("true_label"))["count"].sum()
    assert 0 < rate < 1 and wrong / noise["count"].sum() == pytest.approx(rate, rel=1e-6)
    assert sections.noise(View(digits_night))["rate"] == pytest.approx(rate, rel=1e-6)
