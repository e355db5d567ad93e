"""Thresholds and decisions are applied after all that is measured; metrics are described once, and others can join."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import assay.metrics
from assay.contracts import metrics as records
from assay.contracts import plugins
from assay.contracts.errors import AssayError, SpecError
from assay.contracts.metrics import BUILT_IN, Metric
from assay.contracts.spec import make_spec
from assay.judge.stage import judge
from assay.metrics import training
from assay.metrics.stage import metrics
from assay.store.decisions import KINDS, append_decisions
from tests.metrics.conftest import Inputs, blobs

OUTSIDE = '''
"""A package that knows nothing of assay but its record."""
import polars as pl
from assay.contracts.metrics import Metric

def parity(inputs):
    rows = inputs.samples.select("sample_id", score=(pl.col("position") % 10) / 10)
    return rows.with_columns(value=pl.col("score") * 10)

metric = Metric("last_digit", "Last digits", "how great the last digit of its place is", "digit", 0.8,
                dismissed_by=("keep",), compute=parity)
broken = Metric("broken", "Broken", "", "", compute=lambda inputs: parity(inputs).with_columns(score=pl.lit(2.0)))
other_name = Metric("dark", "Mine", "", "", compute=parity)
'''


@pytest.fixture
def trained(monkeypatch):
    """The probes that were trained, one entry each."""
    calls, minimise = [], training._Fit.minimise
    monkeypatch.setattr(training._Fit, "minimise", lambda *args: calls.append(1) or minimise(*args))
    return calls


@pytest.fixture
def package(tmp_path, monkeypatch):
    """`package(name=attribute, …)` installs a package that offers metrics under these names."""
    folder = tmp_path / "site"

    def install(**offers):
        (folder / "outside-1.0.dist-info").mkdir(parents=True)
        (folder / "outside_metric.py").write_text(OUTSIDE)
        (folder / "outside-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
        lines = [f"{name} = outside_metric:{attribute}" for name, attribute in offers.items()]
        (folder / "outside-1.0.dist-info/entry_points.txt").write_text("\n".join(["[assay.metrics]", *lines, ""]))
        monkeypatch.syspath_prepend(str(folder))
        forget()

    def forget():
        plugins.registered.cache_clear()
        plugins.load_plugin.cache_clear()
        sys.modules.pop("outside_metric", None)

    yield install
    monkeypatch.undo()
    forget()


def planted(tmp_path, **more) -> Inputs:
    """Two hundred samples of four classes, ten of them with the label of another."""
    vectors, codes = blobs(200, dimensions=24, spread=0.5)
    labels = [f"c{(c + 1) % 4 if i < 10 else c}" for i, c in enumerate(codes)]
    return Inputs(tmp_path, vectors, labels, **more)


def decide(inputs: Inputs, kind: str, rows: list[int]) -> None:
    """Somebody decides about some samples."""
    chosen = inputs.samples[rows].select("sample_id", "content_hash", "label")
    append_decisions(inputs.workspace, chosen, kind, None, "ada", 1)


def test_a_dismissal_and_a_threshold_train_nothing(tmp_path, trained):
    """A confirmed label is no issue in the next night, and a lower threshold makes more outliers; no probe is trained
    for it and nothing is measured again."""
    first = planted(tmp_path)
    before = first.run()
    assert trained
    trained.clear()
    flagged = before.read("label_issues").filter(pl.col("is_issue"))["sample_id"].sort()
    assert len(flagged) >= 8
    decide(first, "reject_label", [first.ids.index(flagged[0])])
    after = planted(tmp_path, thresholds={"outlier": 0.01}).run()
    assert not trained and after.measured.key == before.measured.key and after.judged.key != before.judged.key
    issues = after.read("label_issues").filter(pl.col("is_issue"))["sample_id"].sort()
    assert issues.to_list() == flagged[1:].to_list()
    scores = after.read("scores").filter(pl.col("is_issue"))
    assert flagged[0] not in scores.filter(pl.col("metric") == "label_issue")["sample_id"].to_list()
    assert scores.filter(pl.col("metric") == "outlier").height > 20
    counts = [output.read("classes")["n_issues"].sum() for output in (before, after)]
    assert counts == [len(flagged), len(flagged) - 1]
    rates = [dict(output.read("dataset_metrics").select("metric", "value").iter_rows()) for output in (before, after)]
    assert rates[0]["label_issue_rate"] - rates[1]["label_issue_rate"] == pytest.approx(1 / 200)
    assert rates[1]["outlier_rate"] > rates[0]["outlier_rate"]


def test_scores_stay_where_somebody_took_the_suspicion_back(tmp_path):
    """The score of a dismissed suspicion is as before; only the flag is gone."""
    inputs = planted(tmp_path)
    before = inputs.run().read("scores").sort("sample_id", "metric")
    decide(inputs, "reject_label", [0, 1, 2])
    after = inputs.run().read("scores").sort("sample_id", "metric")
    assert before.drop("is_issue").equals(after.drop("is_issue"))
    assert before["is_issue"].sum() > after["is_issue"].sum()


def test_a_part_of_the_outlier_score_is_no_issue_of_its_own(tmp_path):
    """A sample far from all others is one issue, not one for each of the measurements behind the score."""
    vectors, codes = blobs(200)
    vectors[0] = -3.0 * vectors[1:].mean(axis=0)
    scores = Inputs(tmp_path, vectors, [f"c{c}" for c in codes]).run().read("scores")
    flagged = scores.filter((pl.col("sample_id") == "s00000") & pl.col("is_issue"))["metric"].to_list()
    assert "outlier" in flagged and "knn_distance" not in flagged


@pytest.mark.parametrize(
    ("thresholds", "says"),
    [
        ({"drak": 0.4}, "did you mean `dark`?"),
        ({"outliers": 0.4}, "did you mean `outlier`?"),
        ({"xyzzy": 0.4}, "blurry, boilerplate"),
        ({"label_issue": 0.4}, "`label_issue` has no threshold"),
        ({"dark": 1.4}, "less than or equal to 1"),
        ({"dark": "much"}, "thresholds.dark"),
    ],
)
def test_a_threshold_that_cannot_be_is_explained(thresholds, says):
    """An unknown name gets the nearest metric; one that decides for itself, and a number out of range, are told."""
    with pytest.raises(SpecError, match="thresholds") as error:
        make_spec({"name": "n", "modality": "text", "source": {"kind": "table", "path": "x"}, "thresholds": thresholds},
                  base=".")  # fmt: skip
    assert says in str(error.value)


def test_every_metric_is_described_once_and_comes_from_somewhere():
    """Names and titles differ, words are there, decisions exist; and each name stands in what computes metrics."""
    for column in ("name", "title"):
        values = [getattr(metric, column) for metric in BUILT_IN]
        assert len(set(values)) == len(values)
    assert all(metric.meaning and metric.unit and set(metric.dismissed_by) <= set(KINDS) for metric in BUILT_IN)
    root = Path(assay.metrics.__file__).parents[1]
    rooms = (root / "metrics", root / "modalities")
    computing = [path for path in root.rglob("*") if path.suffix == ".sql" or any(map(path.is_relative_to, rooms))]
    sources = [path.read_text() for path in computing if path.suffix in (".py", ".sql")]
    for metric in BUILT_IN:
        assert any(f'"{metric.name}"' in text or f"'{metric.name}'" in text for text in sources), metric.name


def test_a_metric_from_another_package_is_scored_judged_and_described(tmp_path, package):
    """Its scores stand beside assay's own, its threshold can be set and its suspicion taken back, and the explorer's
    words are its own."""
    package(last_digit="metric")
    inputs = planted(tmp_path)
    rows = inputs.run().read("scores").filter(pl.col("metric") == "last_digit").sort("sample_id")
    assert rows["score"].to_list() == pytest.approx([i % 10 / 10 for i in range(200)])
    assert rows["is_issue"].to_list() == [i % 10 >= 8 for i in range(200)]
    assert rows["value"][7] == pytest.approx(7.0)
    decide(inputs, "keep", [8])
    rows = planted(tmp_path, thresholds={"last_digit": 0.7}).run().read("scores")
    rows = rows.filter(pl.col("metric") == "last_digit").sort("sample_id")
    assert rows["is_issue"].to_list() == [i % 10 >= 7 and i != 8 for i in range(200)]
    assert records.described("last_digit").title == "Last digits"
    with pytest.raises(SpecError, match="did you mean `last_digit`"):
        planted(tmp_path, thresholds={"last_digits": 0.7})


def test_without_the_package_an_old_name_is_shown_as_it_is():
    """A snapshot with a metric that nobody knows any more can still be read."""
    assert records.described("last_digit") == Metric("last_digit", "Last digit", "", "", None)


@pytest.mark.parametrize(
    ("offers", "says"),
    [
        ({"broken": "broken"}, "scores outside 0 … 1"),
        ({"absent": "absent"}, "cannot be loaded"),
        ({"dark": "other_name"}, "be none of assay's"),
        ({"parity": "parity"}, "wanted an assay Metric"),
    ],
)
def test_a_metric_that_does_not_keep_its_promise_is_named(tmp_path, package, offers, says):
    """The night ends with the metric's name and what is wrong with it."""
    package(**offers)
    with pytest.raises(AssayError, match=says):
        planted(tmp_path).run()


def test_the_version_of_a_metric_from_outside_is_in_the_key(tmp_path, package, monkeypatch):
    """A package that comes, or raises its version, has the metrics measured again."""
    inputs = planted(tmp_path)
    outputs = inputs.outputs()
    keys = [metrics(inputs.spec, inputs.workspace, *outputs).key]
    package(last_digit="metric")
    keys.append(metrics(inputs.spec, inputs.workspace, *outputs).key)
    assert keys[0] != keys[1]


def test_the_stage_of_thresholds_reads_no_vectors(tmp_path):
    """What `judge` is handed are samples and measures: it works where neither vectors nor graph are left."""
    inputs = planted(tmp_path, groups={"camera": np.tile(["a", "b"], 100).tolist()})
    outputs = inputs.outputs()
    measured = metrics(inputs.spec, inputs.workspace, *outputs)
    for part in [*outputs[2].parts("vectors"), *outputs[3].parts("neighbors")]:
        part.unlink()
    judged = judge(inputs.spec, inputs.workspace, outputs[0], measured)
    assert judged.read("groups").height == 2 and judged.read("scores").height > 200
