"""Bytes that rot: one flipped byte, one cut, one removal of every kind of file under a home. The next night makes again
what was damaged and publishes what an undamaged one would; an old snapshot that was damaged is named."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from assay.contracts.errors import AssayError
from assay.night import run_spec
from assay.store.digests import problem_of, read_sealed, take, write_sealed
from assay.store.snapshots import Snapshot, open_snapshot, verify
from assay.store.workspace import Workspace

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


def copied(clean: Path, folder: Path) -> Path:
    """The same, with hard links kept: work, facts and snapshots share their bytes."""
    shutil.copytree(clean, folder / "here", copy_function=shutil.copy2)
    linked: dict[int, Path] = {}
    for file in sorted((clean / "home").rglob("*")):
        if file.is_file():
            here = folder / "here" / file.relative_to(clean)
            first = linked.setdefault(file.stat().st_ino, here)
            if first is not here:
                here.unlink()
                here.hardlink_to(first)
    return folder / "here"


def flip(file: Path) -> None:
    """One bit of the middle byte."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
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
    return rows(night(copied(clean, tmp_path_factory.mktemp("wanted"))))


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink], ids=["flipped", "cut", "removed"])
@pytest.mark.parametrize(
    "pattern",
    [
        "facts/vectors/*/part-*.parquet",
        "facts/text_facts/*/part-*.parquet",
        "work/clean-*/samples/*.parquet",
        "work/index-*/neighbors/*.parquet",
        "work/embed-*/manifest.json",
        "work/judge-*/scores/*.parquet",
        "snapshots/v00000001/manifest.json",
        "snapshots/v00000001/samples/*.parquet",
        "snapshots/v00000001/scores/*.parquet",
        "facts/files/*.parquet",
        "catalog.duckdb",
    ],
)
def test_the_next_night_publishes_what_an_undamaged_one_would(clean, wanted, tmp_path, pattern, harm):
    """And the new snapshot is whole."""
    base = copied(clean, tmp_path)
    files = sorted((base / "home" / "news").glob(pattern))
    if not files:
        pytest.skip(f"this night has no {pattern}")
    harm(files[0])
    snapshot = night(base)
    assert verify(snapshot) == []
    for name, frame in rows(snapshot).items():
        assert frame.equals(wanted[name]), name


@pytest.mark.parametrize("harm", [flip, cut, Path.unlink], ids=["flipped", "cut", "removed"])
def test_a_damaged_snapshot_is_named(clean, tmp_path, harm):
    """Any file of it."""
    base = copied(clean, tmp_path)
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
