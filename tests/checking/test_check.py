"""A batch beside a snapshot: what was planted into the batch is found, and the dataset is left as it was."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from sklearn.datasets import load_digits

import assay
from assay.checking.findings import classes_in
from assay.checking.labels import by_chance_at_most
from assay.checking.result import Check, held_against, limit
from assay.checking.run import marked
from assay.checking.tables import TABLES
from assay.cli import main
from assay.contracts.errors import SnapshotError, SpecError
from assay.modalities.image.digits import digit_samples
from assay.modalities.image.modality import IMAGE
from assay.selftest.example import write_samples
from tests.nightly import DIGITS_SPEC

SPEC = {
    "name": "digits",
    "modality": "vectors",
    "source": {"kind": "table", "path": "samples.parquet"},
    "project": {"methods": ["pca"]},
}
ORDER = np.random.default_rng(0).permutation(1797)  # in the source's own order, late ones are of other people's hands
DIGITS = load_digits().data[ORDER].astype(np.float32)
LABELS = [f"digit {label}" for label in load_digits().target[ORDER]]


def frame(rows, labels=None, split=None) -> pl.DataFrame:
    """Digits as a table of vectors, known by their number."""
    rows = np.asarray(rows)
    made = pl.DataFrame(
        {
            "sample_id": [f"d{row}" for row in rows],
            "vector": DIGITS[rows].tolist(),
            "label": labels or [LABELS[row] for row in rows],
        }
    )
    return made.with_columns(split=pl.lit(split)) if split else made


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder, with its size and time."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A folder with a spec and a home: 1,200 digits, 200 of them for testing."""
    place = tmp_path_factory.mktemp("digits")
    train, test = frame(range(1000), split="train"), frame(range(1000, 1200), split="test")
    pl.concat([train, test]).write_parquet(place / "samples.parquet")
    (place / "digits.toml").write_text(
        'name = "digits"\nmodality = "vectors"\n[source]\nkind = "table"\npath = "samples.parquet"\n'
        '[project]\nmethods = ["pca"]\n'
    )
    assay.run(place / "digits.toml", home=place / "home")
    return place


@pytest.fixture(scope="module")
def checked(place):
    """A batch with a known part of each defect, and the files of the home before and after."""
    fresh = list(range(1200, 1500))
    labels = [LABELS[row] for row in fresh]
    for at in range(10):
        labels[at] = "digit 1" if labels[at] != "digit 1" else "digit 7"
    labels[20] = "Digit 3"
    batch = pl.concat([frame(fresh, labels), frame([5, 6, 1100, 1101])])
    batch = batch.with_columns(
        sample_id=pl.when(pl.col("sample_id").is_in(["d5", "d6", "d1100", "d1101"]))
        .then(pl.concat_str(pl.lit("again-"), "sample_id"))
        .otherwise("sample_id")
    )
    noise = np.random.default_rng(0).uniform(0, 16, size=(3, 64)).astype(np.float32)
    odd = pl.DataFrame({"sample_id": ["odd0", "odd1", "odd2"], "vector": noise.tolist(), "label": ["digit 0"] * 3})
    broken = pl.DataFrame({"sample_id": ["short"], "vector": [[1.0, 2.0]], "label": ["digit 0"]})
    batch = pl.concat([part.with_columns(pl.col("vector").cast(pl.List(pl.Float32))) for part in (batch, odd, broken)])
    before = files_of(place / "home")
    done = assay.check(place / "digits.toml", batch, home=place / "home")
    return done, before, files_of(place / "home")


def test_copies_of_what_is_there_are_found(checked):
    """Each with the sample that it copies."""
    rows = checked[0].table("duplicates")
    pairs = dict(rows.filter(where="snapshot").select("sample_id", "other_id").iter_rows())
    assert {f"again-d{n}": f"d{n}" for n in (5, 6, 1100, 1101)}.items() <= pairs.items()
    assert len(rows) <= 10


def test_leaks_into_a_held_out_split_are_found(checked):
    """What has no split is held for the training split, so copies of test samples leak, and others do not."""
    done = checked[0]
    rows = done.table("leaks")
    assert {"again-d1100", "again-d1101"} <= set(rows["sample_id"]) and not {"again-d5"} & set(rows["sample_id"])
    assert set(rows["split"]) == {"train"} and set(rows["other_split"]) == {"test"}
    assert any("held for train" in note for note in done.notes)


def test_wrong_labels_are_found_and_right_ones_are_not(checked):
    """Most of those made wrong, with what they are; next to nothing else."""
    rows = checked[0].table("label_issues")
    wrong = {f"d{row}" for row in range(1200, 1210)}
    found = set(rows["sample_id"])
    assert len(found & wrong) >= 8 and len(found - wrong) <= 3
    truth = {f"d{row}": LABELS[row] for row in range(1200, 1210)}
    mine = rows.filter(pl.col("sample_id").is_in(list(wrong)))
    assert sum(truth[name] == said for name, said in mine.select("sample_id", "suggested_label").iter_rows()) >= 8


def test_a_class_that_is_spelt_otherwise_is_unknown(checked):
    """With the class that was probably meant."""
    assert checked[0].table("unknown_classes").rows() == [("Digit 3", 1, "digit 3", "d1220")]


def test_what_is_like_nothing_there_is_an_outlier(checked):
    """Noise; and hardly a digit."""
    found = set(checked[0].table("outliers")["sample_id"])
    assert {"odd0", "odd1", "odd2"} <= found and len(found) <= 6


def test_what_cannot_be_used_is_told(checked):
    """A vector of another length."""
    assert checked[0].table("rejects").select("sample_id", "reason").rows() == [("short", "wrong_length")]


def test_each_sample_has_what_was_found_of_it(checked):
    """The table `samples` sums it up; what cannot be used is not in it."""
    done = checked[0]
    found = dict(done.table("samples").select("sample_id", "found").iter_rows())
    assert "duplicates" in found["again-d5"] and "outliers" in found["odd0"] and found["d1220"] == ["unknown_classes"]
    assert sum(not kinds for kinds in found.values()) > 250
    assert done.n == 308 and len(found) == 307


def test_the_dataset_is_left_as_it_was(checked):
    """No file of the home is written, and nothing is left behind."""
    _, before, after = checked
    assert before == after


def test_a_clean_batch_is_clean(place):
    """Digits that nobody touched: hardly a finding, and no drift."""
    done = assay.check(place / "digits.toml", frame(range(1500, 1790)), home=place / "home", limits={"rejects": 0})
    assert done.passed and len(done.table("label_issues")) <= 3 and len(done.table("outliers")) <= 3
    assert done.counts["drift"] < 0.75 and done.counts["unknown_classes"] == 0


def test_a_sample_that_takes_anothers_place_is_told(place):
    """The same id with another content."""
    batch = frame([1300]).with_columns(sample_id=pl.lit("d7"))
    done = assay.check(place / "digits.toml", batch, home=place / "home")
    assert done.table("samples")["replaces"].to_list() == [True]


def test_files_are_compared_with_files(tmp_path):
    """A folder of images against a snapshot of one: the same picture saved anew is a copy, a broken file a reject."""
    write_samples(IMAGE, digit_samples(0, 150), tmp_path, "digits", 0)
    (tmp_path / "digits.toml").write_text(DIGITS_SPEC)
    assay.run(tmp_path / "digits.toml", home=tmp_path / "home")
    one = sorted((tmp_path / "digits").rglob("*.png"))[3]
    (tmp_path / "new" / "train" / "4").mkdir(parents=True)
    shutil.copy(one, tmp_path / "new" / "train" / "4" / "again.png")
    (tmp_path / "new" / "train" / "4" / "broken.png").write_bytes(one.read_bytes()[:60])
    done = assay.check(tmp_path / "digits.toml", tmp_path / "new", home=tmp_path / "home")
    assert done.table("duplicates")["sample_id"].to_list() == ["train/4/again.png"]
    assert done.table("rejects")["reason"].to_list() == ["truncated"] and not any(
        "files" in note for note in done.notes
    )
    (tmp_path / "digits").rename(tmp_path / "elsewhere")
    blind = assay.check(tmp_path / "digits.toml", tmp_path / "new", home=tmp_path / "home")
    assert blind.table("duplicates")["tier"].to_list() == ["bytes"]
    assert any("files of the snapshot are in no folder" in note for note in blind.notes)


def test_the_command_ends_with_its_answer(place, tmp_path):
    """0 where all limits hold, 1 where one does not, 2 where there is no answer; the tables are files."""
    frame([5, 1400]).with_columns(sample_id=pl.Series(["x", "y"])).write_parquet(tmp_path / "batch.parquet")
    base = ["check", str(place / "digits.toml"), str(tmp_path / "batch.parquet"), "--home", str(place / "home")]
    fine = CliRunner().invoke(
        main, [*base, "--max", "duplicates=50%", "--to", str(tmp_path / "out"), "--format", "json"]
    )
    assert fine.exit_code == 0 and "copies of samples that are there" in fine.stdout
    rows = json.loads((tmp_path / "out" / "duplicates.json").read_text())
    assert [(row["sample_id"], row["other_id"]) for row in rows] == [("x", "d5")]
    assert json.loads((tmp_path / "out" / "check.json").read_text())["counts"]["duplicates"] == 1
    over = CliRunner().invoke(main, [*base, "--max", "duplicates=0", "--json"])
    assert over.exit_code == 1 and json.loads(over.stdout)["broken"] == [
        {"name": "duplicates", "limit": "0", "value": 1}
    ]
    for arguments, words in (
        ([*base, "--max", "duplicate=0"], "did you mean duplicates?"),
        ([*base, "--max", "leaks=few"], "is not a number"),
        ([*base, "--snapshot", "9"], "no readable snapshot 9"),
        ([base[0], base[1], str(tmp_path / "none"), *base[3:]], "there is no batch at"),
    ):
        refused = CliRunner().invoke(main, arguments)
        assert refused.exit_code == 2 and words in refused.stderr


def test_another_embedder_is_refused(place):
    """Vectors of two embedders cannot be compared."""
    spec = {**SPEC, "source": {"kind": "table", "path": str(place / "samples.parquet")}}
    with pytest.raises(SpecError, match="another embedder"):
        assay.check({**spec, "embed": {"storage": "float16"}}, frame([1300]), home=place / "home")
    with pytest.raises(SpecError, match="of modality 'vectors'"):
        assay.check({**spec, "modality": "text"}, frame([1300]), home=place / "home")


def test_odd_batches_are_answered_or_refused(place):
    """Vectors that cannot be used, one sample, no labels, none at all; a batch that is no batch."""
    home, spec = place / "home", place / "digits.toml"
    nothing = pl.DataFrame({"sample_id": ["a", "b"], "vector": [[float("nan")] * 64, [0.0] * 64]})
    broken = assay.check(spec, nothing, home=home, limits={"rejects": "50%"})
    assert (broken.n, broken.counts["rejects"], broken.counts["drift"], broken.passed) == (2, 2, None, False)
    bare = assay.check(spec, frame([1300]).drop("label"), home=home, limits={"drift": 0.6})
    assert bare.n == 1 and bare.passed
    with pytest.raises(assay.AssayError, match="source is empty"):
        assay.check(spec, frame([1300]).head(0), home=home)
    with pytest.raises(SpecError, match="found int"):
        assay.check(spec, 5, home=home)


def test_a_damaged_snapshot_is_named(place, tmp_path):
    """Nothing is judged by files that are not what was published."""
    shutil.copytree(place / "home", tmp_path / "home")
    part = next((tmp_path / "home" / "digits" / "snapshots").glob("*/vectors/*.parquet"))
    data = part.read_bytes()
    part.unlink()
    part.write_bytes(data[:-9] + b"x" * 9)
    with pytest.raises(SnapshotError, match="vectors"):
        assay.check(place / "digits.toml", frame([1300]), home=tmp_path / "home")


def test_a_graph_cannot_be_checked_in_part(place):
    """What a node is follows from all of them."""
    from assay.checking.batch import refuse_unfit
    from assay.contracts.spec import make_spec
    from assay.store.snapshots import Snapshot

    spec = make_spec({"name": "g", "modality": "graph", "source": {"kind": "folder", "path": "."}}, place)
    with pytest.raises(SpecError, match="means nothing by itself"):
        refuse_unfit(spec, Snapshot(1, place, {"config": {"modality": "graph"}, "tables": {}}))


def test_limits_are_numbers_or_shares():
    """`2%` counts samples; a drift is no count."""
    assert limit("leaks", "2%").value == pytest.approx(0.02) and limit("leaks", "2%").share
    assert not limit("drift", 0.7).share and str(limit("rejects", "3")) == "3"
    with pytest.raises(SpecError, match="is not a number"):
        limit("drift", "5%")


@pytest.mark.parametrize("name, given, said", [
    ("leak", 1, "did you mean"), ("leaks", "nan", "is not a number"), ("leaks", "-1", "is not a number"),
    ("leaks", "inf", "is not a number"), ("leaks", "", "is not a number"), ("leaks", "many", "label_issues=2%"),
])  # fmt: skip
def test_a_limit_that_is_none_is_refused(name, given, said):
    """Before anything is read."""
    with pytest.raises(SpecError, match=said):
        limit(name, given)


def made_check(n: int = 4, **tables: list[dict]) -> Check:
    """A check with these rows in its tables, all others empty."""
    frames = {name: contract.create_empty() for name, contract in TABLES.items()}
    return Check("toy", 3, n, frames | {name: pl.DataFrame(rows) for name, rows in tables.items()})


def test_limits_hold_up_to_their_number_or_share():
    """Two rejects of four are half of them; what is not known, as the drift of a few samples, breaks nothing."""
    two = [{"sample_id": name, "uri": None, "stage": "clean", "reason": "truncated", "detail": None} for name in "ab"]
    check = made_check(rejects=two)
    for text, good in (("2", True), ("1", False), ("50%", True), ("49%", False), ("0", False)):
        held = held_against(check, [limit("rejects", text), limit("drift", 0.5)])
        assert held.passed == good and [str(one.name) for one, _ in held.broken] == ([] if good else ["rejects"])
    empty = made_check(n=0)
    assert held_against(empty, [limit(name, "0%") for name in ("rejects", "duplicates")]).passed


def test_words_are_a_line_a_finding_whatever_names_hold():
    """A line break, a colour code of the terminal or a mark that turns the writing around is spelled out."""
    row = {"sample_id": "a\nb\x1b[31m\u202e", "uri": None, "stage": "clean", "reason": "x" * 200, "detail": None}
    words = made_check(rejects=[row]).words()
    assert all(line.isprintable() for line in words.splitlines())
    (line,) = [line for line in words.splitlines() if "a b" in line]
    assert r"\u001b[31m\u202e" in line and "x" * 59 + "…" in line and "x" * 60 not in line


def test_a_check_is_written_in_the_form_that_is_asked_for(tmp_path):
    """Another is refused rather than written under its ending."""
    check = made_check()
    assert json.loads((check.write(tmp_path / "json", "json") / "rejects.json").read_text()) == []
    assert pl.read_parquet(check.write(tmp_path / "parquet") / "leaks.parquet").is_empty()
    with pytest.raises(SpecError, match="parquet or json; got 'csv'"):
        check.write(tmp_path / "csv", "csv")
    with pytest.raises(SpecError, match="no table 'leak'"):
        check.table("leak")


def test_a_class_inside_a_set_is_found_of_its_samples():
    """Where labels are sets, a sample that carries an unknown class among known ones is not to come in as it is."""
    frame = pl.DataFrame({
        "sample_id": ["a", "b", "c", "d"], "uri": None, "split": None, "content_hash": "h",
        "label": ["cat;zebra", "cat", None, ";"],
    })  # fmt: skip
    there = stored({"samples": frame.clear().select("sample_id", "content_hash", "label")})
    found = {"unknown_classes": pl.DataFrame({"label": ["zebra"]}), "rejects": TABLES["rejects"].create_empty()}
    rows = marked(frame, found, there, ";").select("sample_id", "found").rows()
    assert rows == [("a", ["unknown_classes"]), ("b", []), ("c", []), ("d", [])]
    assert classes_in("cat;zebra", "") == ["cat;zebra"] and classes_in(None, ";") == []


def stored(tables: dict[str, pl.DataFrame]) -> Any:
    """What is read of a snapshot, from frames."""
    return SimpleNamespace(read=lambda name, columns: tables[name].select(columns))


def test_what_is_named_is_rarely_chance():
    """The least likely are named as long as few of them would be by chance; uniform chances name none."""
    chance = np.r_[np.full(5, 1e-4), np.linspace(0.05, 1, 95)]
    assert by_chance_at_most(chance, 0.1).sum() == 5
    assert not by_chance_at_most(np.linspace(0.01, 1, 100), 0.1).any() and not by_chance_at_most(chance[:0], 0.1).any()
