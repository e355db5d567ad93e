"""Comparing embedders on the user's own data."""

import csv
import json

import numpy as np
import polars as pl
import pytest

from assay.contracts.errors import SourceError
from assay.modalities.image.digits import digit_samples
from assay.modalities.interactions.example import write_example as write_shop
from assay.modalities.pairs import example
from assay.selftest.compare import (
    Compared,
    compare_models,
    embed_section,
    probe_accuracy,
    rank,
    recommend,
    silhouette,
    stratified,
    table_of,
)
from tests.knn.test_exact import clustered
from tests.modalities.two_towers import write_two_towers
from tests.snapshot_builder import toy_spec

WORDS = {"fruit": ["apple", "pear", "plum", "cherry"], "tool": ["hammer", "saw", "drill", "chisel"]}


def write_spec(folder, rows):
    with open(folder / "toy.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    path = folder / "toy.toml"
    path.write_text('name = "toy"\nmodality = "text"\n[source]\nkind = "table"\npath = "toy.csv"\n')
    return path


def test_models_are_measured_ranked_and_kept(tmp_path, capsys):
    """lsa is measured on the texts; a model that cannot be had is a row that says why, not a crash."""
    rng = np.random.default_rng(0)
    rows = [(" ".join(rng.choice(WORDS[label], 6)) + f" {n}", label) for n in range(60) for label in WORDS]
    found = compare_models(write_spec(tmp_path, rows), ["pca", "lsa", "lsa"], 50, tmp_path / "home")
    assert [row.model for row in found] == ["lsa", "pca"]
    assert found[0].n == 50 and found[0].probe_accuracy > 0.9 and found[0].seconds_per_1000 > 0
    assert "pca" in found[1].problem
    kept = json.loads((tmp_path / "home" / "toy" / "compare.json").read_text())
    assert [row["model"] for row in kept] == ["lsa", "pca"]
    assert "recommended: lsa" in capsys.readouterr().out


def test_all_that_work_here_are_compared(tmp_path, capsys):
    """Without names; each is measured, those of the modality alone."""
    rng = np.random.default_rng(0)
    rows = [(" ".join(rng.choice(WORDS[label], 6)) + f" {n}", label) for n in range(60) for label in WORDS]
    found = compare_models(write_spec(tmp_path, rows), [], 50, tmp_path / "home")
    assert {"lsa", "bow", "bow=counts", "glove", "word2vec", "word2vec=cbow", "fasttext"} <= {
        row.model for row in found
    }
    assert not [row for row in found if row.problem]
    assert min(row.probe_accuracy for row in found) > 0.6


def test_pairs_are_ranked_by_how_captions_fit(tmp_path, monkeypatch, capsys):
    """Without any label: better vectors of the pictures fit the captions better, and are recommended."""
    few = digit_samples(0, 300)
    monkeypatch.setattr(example, "digit_samples", lambda seed: few)
    example.write_example(tmp_path, 0)
    (tmp_path / "spec.toml").write_text(
        'name = "pairs"\nmodality = "pairs"\n[source]\nkind = "table"\npath = "captioned-digits/captions.csv"\n'
    )
    model = write_two_towers(tmp_path / "model", 0)
    found = compare_models(tmp_path / "spec.toml", ["pca", f"local-dir:{model}"], 300, tmp_path / "home")
    assert [row.model for row in found] == ["pca", f"local-dir:{model}"] and not found[1].problem
    assert found[0].worth > 0.75 and abs(found[1].worth - 0.5) < 0.1 and 0 < found[0].worth_error < 0.05
    said = capsys.readouterr().out
    assert "caption fit" in said and "recommended: pca" in said


def test_users_and_items_are_ranked_by_what_is_foretold(tmp_path, capsys):
    """By hit@20 of what was held out, which each embedder is validated by."""
    write_shop(tmp_path, 0)
    (tmp_path / "spec.toml").write_text(
        'name = "shop"\nmodality = "interactions"\n[source]\nkind = "folder"\npath = "made-shop"\n'
    )
    found = compare_models(tmp_path / "spec.toml", ["svd", "als", "fastrp"], 300, tmp_path / "home")
    assert [row.worth for row in found] == sorted((row.worth for row in found), reverse=True)
    assert {row.worth_of for row in found} == {"hit@20"} and found[0].worth > 0.25
    assert "hit@20" in capsys.readouterr().out


def test_vectors_of_ones_own_are_compared(tmp_path):
    """Without naming them."""
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"vector": (rng.normal(size=(60, 4)) + np.repeat([[0], [3]], 30, axis=0)).tolist()})
    table.with_columns(label=pl.Series(["a"] * 30 + ["b"] * 30)).write_parquet(tmp_path / "v.parquet")
    (tmp_path / "spec.toml").write_text(
        'name = "v"\nmodality = "vectors"\n[source]\nkind = "table"\npath = "v.parquet"\n'
    )
    found = compare_models(tmp_path / "spec.toml", [], 60, tmp_path / "home")
    assert [row.model for row in found] == ["vectors"] and found[0].probe_accuracy > 0.9


def test_too_few_samples_are_refused(tmp_path):
    """Nine texts are no comparison."""
    path = write_spec(tmp_path, [(f"text number {n}", "a") for n in range(9)])
    with pytest.raises(SourceError, match="9 samples"):
        compare_models(path, ["lsa"], 50, tmp_path / "home")


def test_names_stand_for_embed_sections():
    """Kinds, open_clip names with a tag, folders, and the spec's own."""
    spec = toy_spec(embed={"model": "ViT-B-32", "device": "cpu"})
    assert embed_section("spec", spec) is spec.embed
    assert embed_section("lsa", spec).kind == "lsa"
    cbow = embed_section("word2vec=cbow", spec)
    assert (cbow.kind, cbow.model) == ("word2vec", "cbow")
    tagged = embed_section("RN50@openai", spec)
    assert (tagged.kind, tagged.model, tagged.pretrained, tagged.device) == ("open_clip", "RN50", "openai", "cpu")
    assert embed_section("local-dir:/a", spec).model == "local-dir:/a"
    assert embed_section("sentence_transformers=x/y", spec).kind == "sentence_transformers"


def test_the_sample_keeps_the_proportions():
    """90 to 10 stays 90 to 10, missing labels are a stratum, and the sample is repeatable."""
    labels = pl.Series(["a"] * 900 + ["b"] * 80 + [None] * 20)
    rows = stratified(labels, 100)
    assert len(set(rows.tolist())) == 100
    assert abs((rows < 900).sum() - 90) <= 1 and 1 <= (rows >= 980).sum() <= 3
    assert np.array_equal(rows, stratified(labels, 100))
    assert stratified(labels, 5000).tolist() == list(range(1000))


def test_the_better_vectors_win():
    """Vectors that hold the class beat noise, in probe accuracy and in silhouette; one class has neither."""
    rng = np.random.default_rng(0)
    labels = pl.Series(["a", "b", None] * 60)
    noise = clustered(180, 8)
    telling = noise * 0.1 + np.tile(np.eye(3, 8), (60, 1)).astype(np.float32)
    good, bad = probe_accuracy(telling, labels), probe_accuracy(rng.permuted(noise, axis=0), labels)
    assert good[0] > 0.98 > 0.75 > bad[0]
    assert silhouette(telling, labels) > 0.5 > silhouette(noise, labels)
    assert probe_accuracy(telling, pl.Series(["a"] * 180)) == (None, None)
    assert silhouette(telling, pl.Series([None] * 180, dtype=pl.String)) is None


def test_a_cheaper_equal_is_recommended():
    """Within one standard error of the best, cost decides; outside it, accuracy does."""
    best = Compared("big", 0.90, 0.01, 0.2, 50.0, 512, 10, 900)
    near = Compared("small", 0.895, 0.01, 0.2, 5.0, 128, 1, 900)
    poor = Compared("poor", 0.5, 0.01, 0.0, 1.0, 16, None, 900)
    absent = Compared("absent", problem="no weights")
    ranked = rank([absent, poor, near, best])
    assert [row.model for row in ranked] == ["big", "small", "poor", "absent"]
    assert recommend(ranked) is near
    assert "recommended: small" in table_of(ranked) and "absent: no weights" in table_of(ranked)
    assert recommend([absent]) is None and "no recommendation: no model could be measured" in table_of([absent])
    assert "labels of at least two classes" in table_of([Compared("unlabelled", seconds_per_1000=1.0, dimensions=4)])
