"""Bytes that rot: one flipped byte, one cut, one removal of every kind of file under a home. The next night makes again
what was damaged and publishes what an undamaged one would; an old snapshot that was damaged is named."""

import shutil
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

import assay
from assay.cli import main
from assay.contracts.errors import AssayError
from assay.night import run_spec
from assay.publishing import repair as repairing
from assay.publishing.repair import Repair
from assay.store.decisions import append_decisions, read_decisions
from assay.store.digests import (
    problem_of,
    read_sealed,
    read_trailed,
    take,
    unflipped,
    write_sealed,
    write_trailed,
)
from assay.store.predictions import keep_predictions, read_predictions
from assay.store.snapshots import Snapshot, open_snapshot, verify
from assay.store.workspace import Workspace
from tests.explorer.visit import client_of
from tests.nightly import copied

SPEC = """name = "news"
modality = "text"
[source]
kind = "table"
path = "news.csv"
[project]
methods = ["pca"]
"""
WORDS = "harbour ledger meadow copper violin orchard lantern glacier saddle pepper timber anchor".split()
TABLES = ("samples", "text_facts", "vectors", "neighbors", "scores", "label_issues", "duplicates", "projection")


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Path:
    """A folder with a source, and a home in which it was published once."""
    base = tmp_path_factory.mktemp("rot")
    texts = [" ".join(WORDS[(i * j + i // 7) % 12] for j in range(1, 9)) + f" number {i}" for i in range(90)]
    pl.DataFrame({"text": texts, "label": [("a", "b")[i % 2] for i in range(90)]}).write_csv(base / "news.csv")
    (base / "spec.toml").write_text(SPEC)
    run_spec(base / "spec.toml", base / "home")
    return base


def flip(file: Path) -> None:
    """One bit of a byte some way in: what turns it back tries the bytes in their order."""
    data = bytearray(file.read_bytes())
    data[len(data) // 8] ^= 4
    with file.open("r+b") as stream:
        stream.write(data)


def cut(file: Path) -> None:
    """The second half is gone."""
    with file.open("r+b") as stream:
        stream.truncate(file.stat().st_size // 2)


def night(base: Path) -> Snapshot:
    """The next night, of a spec that asks for one thing more, so that something is made anew."""
    (base / "spec.toml").write_text(SPEC + "[metrics]\nseed = 1\n")
    return run_spec(base / "spec.toml", base / "home")


def rows(snapshot: Snapshot) -> dict[str, pl.DataFrame]:
    """The tables that matter, in an order of their own."""
    found = {name: snapshot.read(name) for name in TABLES}
    return {name: frame.sort(frame.columns[:2]) for name, frame in found.items()}


@pytest.fixture(scope="module")
def wanted(clean, tmp_path_factory) -> dict[str, pl.DataFrame]:
    """What an undamaged night publishes."""
    return rows(night(copied(clean, tmp_path_factory.mktemp("wanted") / "here")))


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink], ids=["flipped", "cut", "removed"])
@pytest.mark.parametrize(
    "patterns",
    [
        ["facts/vectors/*/part-*.parquet", "facts/text_facts/*/part-*.parquet", "facts/files/*.parquet"],
        ["work/clean-*/samples/*.parquet", "work/index-*/neighbors/*.parquet", "work/judge-*/scores/*.parquet"],
        ["work/embed-*/manifest.json"],
        ["snapshots/v00000001/manifest.json"],
        ["snapshots/v00000001/samples/*.parquet", "snapshots/v00000001/scores/*.parquet", "catalog.duckdb"],
    ],
    ids=["facts", "work", "a stage", "a snapshot", "tables of a snapshot"],
)
def test_the_next_night_publishes_what_an_undamaged_one_would(clean, wanted, tmp_path, patterns, harm):
    """And the new snapshot is whole."""
    base = copied(clean, tmp_path / "here")
    for pattern in patterns:
        harm(sorted((base / "home" / "news").glob(pattern))[0])
    snapshot = night(base)
    assert verify(snapshot) == []
    for name, frame in rows(snapshot).items():
        assert frame.equals(wanted[name]), name


@pytest.mark.parametrize("harm", [cut, Path.unlink], ids=["cut", "removed"])
@pytest.mark.parametrize("table", ["leaks", "samples", "classes", "scores", "text_facts"])
def test_by_day_a_damaged_file_is_named(clean, tmp_path, table, harm):
    """By the explorer with a status, by commands in one message; nobody sees a traceback."""
    base = copied(clean, tmp_path / "here")
    (file,) = sorted((base / "home/news/snapshots/v00000001" / table).glob("*.parquet"))
    harm(file)
    client = client_of(Workspace(base / "home", "news"), raise_server_exceptions=False)
    paths = ["/", "/api/1/meta", "/api/1/overview", "/api/1/classes", "/api/1/table/classes", "/api/1/sample?id=1"]
    answers = [client.get(path) for path in paths] + [client.post("/api/1/gallery", json={"filter": {}})]
    assert [answer.status_code for answer in answers if answer.status_code >= 500] == []
    if table == "leaks":
        assert answers[2].status_code == 409 and f"{file} is damaged" in answers[2].json()["error"]
    for line in (
        ["report", "news", "--output", str(tmp_path / "view.html")],
        ["cleaned", "news", str(tmp_path / "out")],
    ):
        found = CliRunner().invoke(main, [*line, "--home", str(base / "home")])
        assert found.exception is None or isinstance(found.exception, SystemExit), found.output
        if table == "samples":
            assert found.exit_code == 1 and "damaged" in found.output


@pytest.mark.parametrize("harm", [cut, Path.unlink], ids=["cut", "removed"])
@pytest.mark.parametrize("table", ["samples", "scores", "label_issues"])
def test_the_history_of_a_sample_passes_over_a_damaged_night(clean, tmp_path, table, harm):
    """The others are shown."""
    base = copied(clean, tmp_path / "here")
    night(base)
    workspace = Workspace(base / "home", "news")
    (file,) = sorted((workspace.snapshots / "v00000001" / table).glob("*.parquet"))
    data = file.read_bytes()
    file.unlink()  # the second night has the same bytes, which stay
    file.write_bytes(data)
    harm(file)
    first = open_snapshot(workspace, 2).read("samples")["sample_id"][0]
    answer = client_of(workspace, raise_server_exceptions=False).get(f"/api/2/history?id={first}")
    assert answer.status_code == 200 and [line["snapshot"] for line in answer.json()["history"]] == [2]


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink], ids=["flipped", "cut", "removed"])
def test_a_damaged_snapshot_is_named(clean, tmp_path, harm):
    """Any file of it."""
    base = copied(clean, tmp_path / "here")
    workspace = Workspace(base / "home", "news")
    for file in sorted((base / "home/news/snapshots/v00000001").rglob("*.*")):
        kept = file.read_bytes()
        harm(file)
        try:
            problems = verify(open_snapshot(workspace, 1))
        except AssayError as error:
            problems = [str(error)]
        assert problems, file.name
        file.unlink(missing_ok=True)
        file.write_bytes(kept)
    assert verify(open_snapshot(workspace, 1)) == []


def test_a_digest_is_of_what_was_written(tmp_path):
    """A file that changes, shrinks or goes is told; a seal breaks with any value, and an unsealed file is believed."""
    file = tmp_path / "a"
    file.write_bytes(b"x" * 3_000_000)
    digest = take(file)
    assert problem_of(file, digest) is None
    flip(file)
    assert problem_of(file, digest) == "its content is not what was written"
    cut(file)
    assert problem_of(file, digest) == "1,500,000 bytes, written as 3,000,000"
    file.unlink()
    assert problem_of(file, digest) == "missing"
    write_sealed(file, {"n": 1, "names": ["b", "a"]})
    assert read_sealed(file)["n"] == 1
    file.write_text(file.read_text().replace("1", "2", 1))
    with pytest.raises(ValueError, match="not what was written"):
        read_sealed(file)
    file.write_text('{"n": 3}')
    assert read_sealed(file) == {"n": 3}


HARMS = pytest.mark.parametrize("harm", [flip, cut, Path.unlink], ids=["flipped", "cut", "removed"])


def two_nights(clean: Path, folder: Path) -> Path:
    """A home with two snapshots, whose second one's tables are mostly files of the first."""
    base = copied(clean, folder / "here")
    night(base)
    return base


@HARMS
def test_every_file_of_an_old_snapshot_is_repaired_or_named(clean, tmp_path, monkeypatch, harm):
    """One bit is turned back everywhere. Cut or removed, what follows from other files is made again, and the rest is
    named until the bytes are somewhere below the home; no repair writes through a hard link."""
    base = two_nights(clean, tmp_path)
    first, home = base / "home/news/snapshots/v00000001", base / "home"
    files = sorted(path for path in first.rglob("*.*") if path.is_file())
    one_each = {path.parent: path for path in files} | {path: path for path in files if path.parent == first}
    monkeypatch.setattr(repairing, "verify_catalog", lambda *_: [])  # it is whole, and takes longer than the rest
    for file in one_each.values():
        kept, name = file.read_bytes(), file.relative_to(first).as_posix()
        damaged = tmp_path / "damaged"
        damaged.unlink(missing_ok=True)
        damaged.hardlink_to(file)  # a name outside the home of the same bytes
        harm(file)
        harmed = damaged.read_bytes()
        done = assay.repair("news", 1, home)
        assert damaged.read_bytes() == harmed, name
        if done.lost:
            assert harm is not flip and not name.startswith(("contracts/", "diff/", "report.html")), (name, done)
            assert any("v00000001" in line for line in done.lost), (name, done)
            (home / "copy").write_bytes(kept)  # a copy of it turns up
            again = assay.repair("news", 1, home)
            assert (again.lost == []) == (name != "manifest.json"), (name, again)
            (home / "copy").unlink()
            if name == "manifest.json":
                file.unlink(missing_ok=True)
                file.write_bytes(kept)
        else:
            assert any(name in line for line in done.repaired), (name, done)
        assert file.read_bytes() == kept
    monkeypatch.undo()
    assert assay.repair("news", home=home) == Repair()


def test_a_repair_mends_every_name_of_the_bytes(clean, tmp_path):
    """Work and later snapshots that shared the damaged bytes share the repaired ones."""
    base = two_nights(clean, tmp_path)
    part = next((base / "home/news/snapshots/v00000001/samples").glob("*.parquet"))
    names = [path for path in (base / "home").rglob("*.parquet") if path.samefile(part)]
    assert len(names) > 2
    kept = part.read_bytes()
    flip(part)
    done = assay.repair("news", home=base / "home")
    assert len(done.repaired) == 1 and done.lost == []
    assert all(path.samefile(part) and path.read_bytes() == kept for path in names)
    assert night(base).number == 3


def test_what_a_night_makes_again_repairs_an_old_snapshot(clean, tmp_path):
    """Bytes that were lost everywhere come back from the same data."""
    base = copied(clean, tmp_path / "here")
    part = next((base / "home/news/snapshots/v00000001/scores").glob("*.parquet"))
    cut(part)
    assert assay.repair("news", home=base / "home").lost
    run_spec(base / "spec.toml", base / "home")
    done = assay.repair("news", home=base / "home")
    assert done.lost == [] and "taken from" in done.repaired[0]


def test_the_command_says_what_it_did(clean, tmp_path, capsys):
    """Status 0 where all is whole, another with what could not be."""
    base = copied(clean, tmp_path / "here")
    part = next((base / "home/news/snapshots/v00000001/samples").glob("*.parquet"))
    flip(part)
    arguments = ["verify", "--repair", "news", "--home", str(base / "home")]
    for expected, words in ((0, "turned back"), (0, "whole, 0 repaired")):
        found = CliRunner().invoke(main, arguments)
        assert found.exit_code == expected and words in found.output
    cut(next((base / "home/news/snapshots/v00000001/scores").glob("*.parquet")))
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code != 0 and "lost: v00000001/scores" in found.output
    assert "no snapshot 9" in CliRunner().invoke(main, [*arguments, "--snapshot", "9"]).output


def decide(workspace: Workspace, times: int) -> None:
    """Some batches of decisions."""
    samples = open_snapshot(workspace).read("samples")
    for number in range(times):
        append_decisions(workspace, samples[number : number + 1], "reject_label", None, "kim", 1)


@HARMS
@pytest.mark.parametrize("place", [0, 1])
def test_a_damaged_decision_is_never_believed(clean, tmp_path, harm, place, capsys):
    """The next snapshot says which are missing, `verify` too, and the others stand."""
    base = copied(clean, tmp_path / "here")
    workspace = Workspace(base / "home", "news")
    decide(workspace, 3)
    whole = read_decisions(workspace)
    parts = [part for part in sorted((workspace.root / "decisions").glob("part-*")) if "none" not in part.name]
    harm(parts[place])
    left = read_decisions(workspace)
    assert left.equals(whole.filter(pl.col("sequence") != place + 1))
    snapshot = night(base)
    assert snapshot.manifest["lost_decisions"] == [place + 1]
    assert any(f"batch {place + 1}" in words for words in snapshot.manifest["source"]["doubts"])
    with snapshot.connect() as connection:
        assert len(connection.sql("from history.decisions").pl()) == 2
    decide(workspace, 1)
    assert read_decisions(workspace)["sequence"].to_list()[-1] == 4  # no number is given twice
    found = CliRunner().invoke(main, ["verify", "news", "--home", str(base / "home")])
    assert found.exit_code != 0 and f"batch number {place + 1}" in found.output
    assert len(assay.repair("news", home=base / "home").lost) == 1
    assert assay.repair("news", home=base / "home") == Repair()  # told once
    assert read_decisions(workspace).height == 3


@pytest.mark.parametrize(
    "pattern", ["facts/reference/*/*.json", "facts/layout/*/part-*.parquet", "facts/embedders/*/basis.npz"]
)
@HARMS
def test_what_is_remembered_is_never_believed_when_damaged(clean, wanted, tmp_path, pattern, harm, capsys):
    """It is turned back or found out again from the same data, to the same tables; and told."""
    base = copied(clean, tmp_path / "here")
    files = sorted((base / "home" / "news").glob(pattern))
    assert files, pattern
    for file in files:
        harm(file)
    for made in (base / "home/news/work").glob("*"):
        shutil.rmtree(made)  # so that all of it is asked for
    snapshot = night(base)
    assert verify(snapshot) == []
    for name, frame in rows(snapshot).items():
        assert frame.equals(wanted[name]), name
    if harm is not Path.unlink:
        assert "damaged" in capsys.readouterr().err


@HARMS
def test_damaged_predictions_are_refused(clean, tmp_path, harm):
    """In words; removed ones are none."""
    base = copied(clean, tmp_path / "here")
    workspace = Workspace(base / "home", "news")
    ids = open_snapshot(workspace).read("samples")["sample_id"]
    keep_predictions(workspace, pl.DataFrame({"sample_id": ids, "predicted": ["a"] * len(ids)}))
    assert read_predictions(workspace).height == len(ids)
    harm(workspace.root / "predictions.parquet")
    if harm is Path.unlink:
        assert read_predictions(workspace) is None
        return
    with pytest.raises(AssayError, match="damaged"):
        read_predictions(workspace)


def test_a_file_with_its_digest_at_the_end(tmp_path):
    """It comes back, says when it is not what was written, and one of before is believed."""
    file = tmp_path / "a"
    write_trailed(file, b"some bytes")
    assert read_trailed(file) == b"some bytes"
    flip(file)
    with pytest.raises(ValueError, match="not what was written"):
        read_trailed(file)
    file.write_bytes(b"as before")
    assert read_trailed(file) == b"as before"


def test_one_turned_bit_is_found():
    """And no two; long files are not searched."""
    data = bytes(range(200))
    harmed = bytearray(data)
    harmed[77] ^= 32
    assert unflipped(bytes(harmed), lambda tried: tried == data) == data
    harmed[3] ^= 1
    assert unflipped(bytes(harmed), lambda tried: tried == data) is None
    assert unflipped(bytes(100_000), lambda tried: True) is None
