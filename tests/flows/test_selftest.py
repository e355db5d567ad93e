"""`assay selftest SPEC`: planted into the user's own data, counted, near the truth where that is known, and kept."""

import json
import tomllib

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score

import assay.selftest.run as selftest
from assay.contracts.errors import SourceError, SpecError
from assay.contracts.spec import load_spec
from assay.selftest.count import judge, read_table


def write_vectors(folder, n: int, wrong: float):
    """Digits as 64-d vectors, a share of their labels wrong; the spec's path and which are wrong, by row."""
    digits = load_digits()
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(digits.data))[:n]
    bad = rng.random(n) < wrong
    label = np.where(bad, (digits.target[chosen] + rng.integers(1, 10, n)) % 10, digits.target[chosen])
    frame = pl.DataFrame({"vector": digits.data[chosen].tolist(), "label": label.astype(str)})
    frame.write_parquet(folder / "vectors.parquet")
    (folder / "spec.toml").write_text(
        'name = "points"\nmodality = "vectors"\n[source]\nkind = "table"\npath = "vectors.parquet"\n'
    )
    return folder / "spec.toml", bad


def test_its_average_precision_is_near_the_true_one(tmp_path, monkeypatch, capsys):
    """With 8% of the labels wrong before anything is planted, it is within 0.05 of what all truth gives: of the labels
    that were wrong already, and of these and the planted ones together."""
    spec, bad = write_vectors(tmp_path, 1000, 0.08)
    own, both = [], []

    def spying(modality, after, truth, before):
        found = judge(modality, after, truth, before)
        rows = found["label issues"].filter(pl.col("role") != "excused")
        wrong = [bad[int(key)] if int(key) < len(bad) else False for key in rows["sample_id"]]
        both.append(average_precision_score((rows["role"] == "planted").to_numpy() | wrong, rows["score"]))
        first = read_table(before, "label_issues")
        own.append(average_precision_score(bad[first["sample_id"].cast(int).to_numpy()], first["score"]))
        return found

    monkeypatch.setattr(selftest, "judge", spying)
    found = {one.detector: one for one in selftest.run_selftest(spec, tmp_path / "home")}
    labels = found["label issues"]
    assert abs(labels.average_precision - np.mean(both)) < 0.05
    assert abs(labels.own_average_precision - own[0]) < 0.05
    assert labels.own_low <= own[0] <= labels.own_high
    assert abs(labels.already - bad.sum()) < 0.2 * bad.sum()
    assert labels.ap_low <= labels.average_precision <= labels.ap_high
    assert found["exact duplicates"].recall == 1.0
    kept = json.loads((tmp_path / "home" / "points" / "selftest" / "selftest.json").read_text())
    assert {row["detector"] for row in kept["detectors"]} == set(found) and kept["rounds"] == len(both) > 1
    assert len(pl.read_parquet(tmp_path / "home" / "points" / "selftest" / "detectors.parquet")) == len(found)
    assert not (tmp_path / "home" / "points" / "snapshots").exists()
    printed = capsys.readouterr().out
    assert "Planted into a copy of 1,000 of your samples" in printed and "Your own data as they are" in printed


def test_texts_are_planted_into_as_well(tmp_path, monkeypatch):
    """A CSV of texts: copies, empty and garbled texts and leaks are found."""
    monkeypatch.setattr(selftest, "ROUNDS", 1)
    subjects = ["card", "loan", "transfer", "refund"]
    verbs = ["lost", "blocked", "delayed", "declined", "charged twice", "missing", "frozen", "expired", "late"]
    times = ["today", "yesterday", "last week", "in March", "on Friday", "twice", "again", "this morning"]
    rows = [(f"my {s} was {v} {t} and I need some help", s) for s in subjects for v in verbs for t in times]
    frame = pl.DataFrame(rows, schema=["text", "label"], orient="row")
    frame = frame.with_columns(split=pl.Series(["train", "test"] * (len(rows) // 2)))
    frame.sample(fraction=1.0, shuffle=True, seed=0).write_csv(tmp_path / "queries.csv")
    spec = tmp_path / "spec.toml"
    spec.write_text('name = "queries"\nmodality = "text"\n[source]\nkind = "table"\npath = "queries.csv"\n')
    found = {one.detector: one for one in selftest.run_selftest(spec, tmp_path / "home")}
    for detector in ("exact duplicates", "garbled", "near_empty", "repetitive", "leaks"):
        assert found[detector].recall >= 0.8, detector
    assert found["label issues"].average_precision > 0.5


def test_data_without_defects_to_plant_is_refused(tmp_path):
    """Vectors of its own beside pictures: the defects would not be in what is compared."""
    spec = tmp_path / "spec.toml"
    spec.write_text(
        'name = "x"\nmodality = "image"\n[source]\nkind = "table"\npath = "x.csv"\n[embed]\nkind = "vectors"\n'
    )
    with pytest.raises(SpecError, match="no defects to plant"):
        selftest.run_selftest(spec, tmp_path / "home")


def test_too_little_data_is_refused(tmp_path):
    """Three samples cannot hold defects; the message says how many are needed."""
    (tmp_path / "x.csv").write_text("text,label\none two,a\nthree four,b\nfive six,a\n")
    spec = tmp_path / "spec.toml"
    spec.write_text('name = "x"\nmodality = "text"\n[source]\nkind = "table"\npath = "x.csv"\n')
    with pytest.raises(SourceError, match="found 3 readable samples.*at least 20"):
        selftest.run_selftest(spec, tmp_path / "home")


def test_the_copied_spec_is_the_users_own(tmp_path):
    """Cleaning, embedder and thresholds are kept, a model's folder is found from anywhere, odd words survive TOML."""
    spec = tmp_path / "spec.toml"
    spec.write_text(
        'name = "x"\nmodality = "image"\n[source]\nkind = "folder"\npath = "a\\"b\\\\c"\n'
        '[embed]\nmodel = "local-dir:models/m"\n[thresholds]\ndark = 0.7\n[gates]\nn_samples = { min = 5 }\n'
    )
    copied = tomllib.loads(selftest.to_toml(selftest.copied_spec(load_spec(spec), tmp_path / 'odd "place" \\ 한')))
    assert copied["embed"]["model"] == f"local-dir:{tmp_path / 'models/m'}"
    assert copied["thresholds"]["dark"] == 0.7 and "gates" not in copied
    assert copied["source"]["path"] == str(tmp_path / 'odd "place" \\ 한' / "samples.parquet")


def test_a_model_beside_the_spec_is_found_from_the_copy(tmp_path):
    """A sentence-transformers folder, or a file of weights, that the spec names relative to itself."""
    (tmp_path / "my model 😀").mkdir()
    (tmp_path / "w.pt").touch()
    spec = tmp_path / "spec.toml"
    head = 'name = "x"\nmodality = "text"\n[source]\nkind = "table"\npath = "x.csv"\n[embed]\n'
    for keys, wanted in (
        ('kind = "sentence_transformers"\nmodel = "my model 😀"\n', ("model", f"local-dir:{tmp_path / 'my model 😀'}")),
        ('model = "ViT-B-32"\npretrained = "w.pt"\n', ("pretrained", str(tmp_path / "w.pt"))),
        ('model = "ViT-B-32"\npretrained = "openai"\n', ("pretrained", "openai")),
    ):
        spec.write_text(head + keys, encoding="utf-8")
        copied = tomllib.loads(selftest.to_toml(selftest.copied_spec(load_spec(spec), tmp_path)))
        assert copied["embed"][wanted[0]] == wanted[1]
