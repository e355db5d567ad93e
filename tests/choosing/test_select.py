"""What to label next: the greedy choice is the brute-force one, and on digits it teaches more than chance does."""

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import assay
from assay.choosing.coverage import background, choose, covers
from assay.choosing.weigh import Unsure, worth
from assay.cli import main
from assay.contracts.errors import SpecError
from assay.knn.blocked import blocked_knn

ORDER = np.random.default_rng(0).permutation(1797)
DIGITS = load_digits().data[ORDER].astype(np.float32)
TARGET = load_digits().target[ORDER]
FAST = {"project": {"methods": ["pca"]}}


def greedy(cover: np.ndarray, weight: np.ndarray, labelled: np.ndarray, count: int) -> list[int]:
    """The slow plain version."""
    covered = cover[labelled].max(axis=0) if labelled.any() else np.zeros(len(weight))
    chosen: list[int] = []
    for _ in range(count):
        gains = [(weight * np.maximum(row - covered, 0)).sum() for row in cover]
        open_rows = [row for row in np.flatnonzero(~labelled) if row not in chosen]
        best = max(open_rows, key=lambda row: (round(gains[row], 9), -row))
        chosen.append(int(best))
        covered = np.maximum(covered, cover[best])
    return chosen


@pytest.mark.parametrize("seed", range(5))
def test_the_heap_gives_the_greedy_choice(seed):
    """Weights, labelled rows and all."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(60, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cover = covers(*blocked_knn(vectors, 10), background(vectors))
    weight, labelled = rng.uniform(size=60), rng.uniform(size=60) < 0.2
    weight[labelled] = 0.0
    chosen = choose(cover, weight, labelled, np.flatnonzero(~labelled), 12)
    assert chosen.rows.tolist() == greedy(cover.toarray(), weight, labelled, 12)
    assert (np.diff(chosen.gains) <= 1e-9).all()


def test_what_is_sure_and_of_a_large_class_is_worth_less():
    """Twice the margin, a class with four times the labels; without beliefs all are worth the same."""
    best = np.array([0, 0, 1])
    found = Unsure(np.array([0.9, 0.0, 0.0]), best, 1 - best, known=True)
    sure, unsure, rare = worth(found, np.array([15, 3]))
    assert sure < unsure < rare
    assert (worth(Unsure(np.zeros(3), best, best, known=False), np.zeros(1)) == 1).all()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with 900 digits of which 30 have a label; none of class 7 has."""
    home = tmp_path_factory.mktemp("home")
    told = [row for row in range(900) if TARGET[row] != 7][:30]
    labels = [f"digit {TARGET[row]}" if row in told else None for row in range(900)]
    assay.run(vectors=DIGITS[:900], labels=labels, name="digits", home=home, **FAST)
    return home


def spec(home) -> dict:
    """As `assay.run` made it."""
    return assay.open("digits", home=home).manifest["config"]


def test_it_names_what_has_no_label_with_a_reason(home):
    """As many as asked for, each once, the most useful first; early ones stand for many others."""
    found = assay.select(spec(home), 100, home=home)
    snapshot = assay.open("digits", home=home)
    unlabelled = set(snapshot.table("samples").filter(pl.col("label").is_null())["sample_id"])
    assert found["rank"].to_list() == list(range(1, 101)) and found["sample_id"].n_unique() == 100
    assert set(found["sample_id"]) <= unlabelled and (found["reason"].str.len_chars() > 0).all()
    assert found["stands_for"][:10].mean() > found["stands_for"][-10:].mean()
    assert found.filter(pl.col("reason").str.contains("stands for"))["stands_for"].min() >= 3
    unsure = found.filter(pl.col("reason").str.contains("unsure: digit"))
    assert len(unsure) and unsure["margin"].max() < 0.3


def test_it_teaches_more_than_chance(home):
    """A model trained on the labels asked for is better than on as many at random; the missing class is among them."""
    rows = assay.open("digits", home=home).table("samples", ["sample_id", "position", "label"])
    found = assay.select(spec(home), 30, home=home)
    asked = found.join(rows, on="sample_id", how="left")["position"].to_list()
    told = rows.filter(pl.col("label").is_not_null())["position"].to_list()
    assert 7 in TARGET[asked]

    def accuracy(chosen: list[int]) -> float:
        train = [*told, *chosen]
        model = LogisticRegression(max_iter=2000).fit(DIGITS[train] / 16, TARGET[train])
        return model.score(DIGITS[900:] / 16, TARGET[900:])

    others = [row for row in range(900) if row not in told]
    by_chance = [accuracy(np.random.default_rng(seed).choice(others, 30, replace=False).tolist()) for seed in range(5)]
    assert accuracy(asked) > np.mean(by_chance) + 0.02


def test_nothing_labelled_at_all(tmp_path):
    """The first samples to label are typical ones of every kind."""
    assay.run(vectors=DIGITS[:500], name="bare", home=tmp_path, **FAST)
    found = assay.select(assay.open("bare", home=tmp_path).manifest["config"], 20, home=tmp_path)
    rows = assay.open("bare", home=tmp_path).table("samples", ["sample_id", "position"])
    asked = found.join(rows, on="sample_id", how="left")["position"].to_list()
    assert len(set(TARGET[asked])) >= 8 and found["guess"].is_null().all() and found["margin"].is_null().all()


def test_the_command_prints_a_table(home, tmp_path):
    """CSV on standard output, or a file by its ending; what cannot be is refused with status 2."""
    snapshot = assay.open("digits", home=home)
    path = snapshot.manifest["config"]["source"]["path"]
    toml = f'name = "digits"\nmodality = "vectors"\n[source]\nkind = "table"\npath = "{path}"\n'
    (tmp_path / "digits.toml").write_text(toml)
    base = ["select", str(tmp_path / "digits.toml"), "--home", str(home), "--n", "5"]
    printed = CliRunner().invoke(main, base)
    assert printed.exit_code == 0 and pl.read_csv(printed.stdout.encode()).height == 5
    assert CliRunner().invoke(main, [*base, "--to", str(tmp_path / "next.parquet")]).exit_code == 0
    assert pl.read_parquet(tmp_path / "next.parquet").columns[:2] == ["rank", "sample_id"]
    refused = CliRunner().invoke(main, [*base, "--to", str(tmp_path / "next.xlsx")])
    assert refused.exit_code == 2 and "ends in none of .csv, .json, .parquet" in refused.stderr


def test_where_all_is_labelled_there_is_nothing_to_ask(tmp_path):
    """A message, and status 2."""
    assay.run(vectors=DIGITS[:100], labels=[str(one) for one in TARGET[:100]], name="full", home=tmp_path, **FAST)
    with pytest.raises(SpecError, match="every sample of v00000001 has a label"):
        assay.select(assay.open("full", home=tmp_path).manifest["config"], home=tmp_path)
