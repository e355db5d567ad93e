"""The ingest stage on ordinary sources: what becomes a sample, what is read again, and what the key depends on."""

import datetime
import decimal
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import fsspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.contracts.errors import SourceError, SpecError
from assay.sources.files import LocalSource
from assay.sources.layout import guess_layout, layout_named
from assay.sources.table_files import matches
from assay.store.files import hash_bytes

SHARED = Path(__file__).parents[3] / "shared" / "data"


def plant(folder: Path, *names: str) -> None:
    """Files whose content is their own name."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """The uris of every file that a local source opens from now on."""
    uris: list[str] = []
    real = LocalSource.open

    def recording(self, uri):
        uris.append(uri)
        return real(self, uri)

    monkeypatch.setattr(LocalSource, "open", recording)
    return uris


@pytest.mark.parametrize(
    ("uris", "layout"),
    [
        (["a.png", "b.png"], "flat"),
        (["cat/a.png", "dog/b.png", "c.png"], "class"),
        (["train/cat/a.png", "test/dog/b.png"], "split/class"),
        (["Train/a.png", "VAL/b.png"], "split"),
        (["train/cat/a.png", "cat/b.png"], "class"),
        ([], "flat"),
    ],
)
def test_layout_of(uris, layout):
    """Top folders that are all named like splits are splits; other folders are classes."""
    assert guess_layout(Counter(tuple(uri.split("/")[:-1]) for uri in uris)).name == layout


def test_label_and_split():
    """Labels and splits come from the first folders; deeper ones say nothing."""

    def read(uri: str, layout: str) -> tuple[str | None, str | None]:
        found = layout_named(layout).read(tuple(uri.split("/")[:-1]))
        return found["class"], found["split"]

    assert read("cat/deep/a.png", "class") == ("cat", None)
    assert read("a.png", "class") == (None, None)
    assert read("train/cat/deep/a.png", "split/class") == ("cat", "train")
    assert read("train/a.png", "split/class") == (None, "train")
    assert read("train/cat/a.png", "flat") == (None, None)


def test_a_folder_of_classes(run, data, reasons, numbers):
    """One file a sample in the order of the uris; hidden and excluded files are not there; an empty one is a reject."""
    plant(data, "b/1.png", "a/1.png", "a/2.png", "BACKGROUND/x.png", ".git/config", "a/.DS_Store", "a/Thumbs.db")
    (data / "a" / "0.png").write_bytes(b"")
    output = run({"kind": "folder", "path": ".", "exclude": ["BACKGROUND"]}, "image")
    frame = output.read("ingested")
    assert frame["sample_id"].to_list() == frame["uri"].to_list() == ["a/1.png", "a/2.png", "b/1.png"]
    assert frame["position"].to_list() == [1, 2, 3]
    assert frame["label"].to_list() == ["a", "a", "b"]
    assert frame["content_hash"].to_list() == [hash_bytes(uri.encode()) for uri in frame["uri"]]
    assert frame["size_bytes"].to_list() == [7] * 3 and set(frame["modality"]) == {"image"}
    assert reasons(output) == ["empty_file"] and output.read("rejects")["stage"].to_list() == ["ingest"]
    assert numbers(output)["n_ingested"] == 3 and numbers(output)["bytes_total"] == 21
    assert numbers(output)["n_labels"] == 2 and numbers(output)["n_rejected_ingest"] == 1


def test_folders_named_in_two_unicode_forms_are_one_label(run, data, numbers):
    """A label is NFC; the uri stays as the file system spells it."""
    plant(data, "cafe\u0301/1.png", "caf\u00e9/2.png")
    output = run({"kind": "folder", "path": "."}, "image")
    assert set(output.read("ingested")["label"]) == {"caf\u00e9"}
    assert output.read("ingested")["uri"].to_list() == ["cafe\u0301/1.png", "caf\u00e9/2.png"]
    assert numbers(output)["labels_normalized"] == 1


def test_splits_and_classes(run, data):
    """split/class folders give both."""
    plant(data, "train/cat/1.png", "test/dog/2.png", "train/loose.png")
    frame = run({"kind": "folder", "path": "."}, "image").read("ingested")
    assert frame.select("split", "label").rows() == [("test", "dog"), ("train", "cat"), ("train", None)]


def test_a_folder_of_texts(run, data, reasons):
    """The text behind each file is in contents once; marks are left out; what is no text is a reject."""
    plant(data, "a/1.txt")
    shutil.copy(data / "a/1.txt", data / "a/2.txt")
    (data / "b.txt").write_bytes("\ufeffmarked".encode())
    (data / "c.txt").write_bytes("wide".encode("utf-16"))
    (data / "d.txt").write_bytes(b"\xff\xff\x00")
    (data / "e.txt").write_text("x" * 101)
    output = run({"kind": "folder", "path": "."}, "text", clean={"max_text_characters": 100})
    assert output.read("contents")["text"].to_list() == ["a/1.txt", "marked", "wide"]
    assert len(output.read("ingested")) == 4
    assert sorted(reasons(output)) == ["invalid_unicode", "too_large"]


def test_nothing_is_read_twice(run, data, opened):
    """An unchanged night opens no file; a changed, a new and a touched file are opened alone."""
    plant(data, *(f"c/{n}.png" for n in range(20)))
    first = run({"kind": "folder", "path": "."}, "image")
    assert len(opened) == 20
    opened.clear()
    assert run({"kind": "folder", "path": "."}, "image").key == first.key and opened == []
    plant(data, "c/new.png")
    (data / "c/3.png").write_text("other")
    assert run({"kind": "folder", "path": "."}, "image").key != first.key
    assert sorted(opened) == ["c/3.png", "c/new.png"]
    opened.clear()
    (data / "c/new.png").unlink()
    plant(data, "c/3.png")  # as it was, at another time
    assert run({"kind": "folder", "path": "."}, "image").key == first.key and opened == ["c/3.png"]


def test_a_same_sized_change_is_seen(run, data):
    """The modification time alone tells."""
    plant(data, "a.png", "b.png")
    before = run({"kind": "folder", "path": "."}, "image").read("ingested")["content_hash"]
    found = os.stat(data / "a.png")
    (data / "a.png").write_text("A.png")
    os.utime(data / "a.png", ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    after = run({"kind": "folder", "path": "."}, "image").read("ingested")["content_hash"]
    assert before[0] != after[0] and before[1] == after[1]


@pytest.mark.parametrize("modality", ["text", "image"])
def test_an_unchanged_table_is_not_read(run, data, opened, modality):
    """Neither the table nor the files that it names are opened on an unchanged night."""
    plant(data, "a.png", "b.png")
    (data / "t.csv").write_text("uri,label\na.png,x\nb.png,y\n" if modality == "image" else "text,label\na,x\nb,y\n")
    spec = {"kind": "table", "path": "t.csv"}
    first = run(spec, modality)
    opened.clear()
    assert run(spec, modality).key == first.key and opened == []
    if modality == "image":
        (data / "b.png").write_text("changed")
        assert run(spec, modality).key != first.key and opened[0] == "b.png" and "a.png" not in opened


def test_a_damaged_cache_is_only_a_cache(run, data, tmp_path):
    """What cannot be read back is made again."""
    plant(data, "a.png")
    first = run({"kind": "folder", "path": "."}, "image")
    for place in (tmp_path / "home/d/facts/files").iterdir():
        place.write_bytes(b"not parquet")
    assert run({"kind": "folder", "path": "."}, "image").key == first.key


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_two_homes_and_two_places_agree(run, data, tmp_path, kind):
    """The same data elsewhere, written at another time, gives the same key and byte-identical tables."""
    plant(data, "a/1.png", "b/2.png")
    (data / "a/0.png").write_bytes(b"")
    (data / "t.csv").write_text("uri,n\n" + "".join(f"{uri},1\n" for uri in ("a/1.png", "b/2.png", "no", "a/0.png")))
    shutil.copytree(data, tmp_path / "elsewhere/deep")
    section = (
        {"kind": "folder", "path": ".", "exclude": ["*.csv"]}
        if kind == "folder"
        else {"kind": "table", "path": "t.csv"}
    )
    one = run(section, "image")
    other = run(section, "image", home="second", base=tmp_path / "elsewhere/deep")
    assert one.key == other.key and one.path != other.path
    for table in one.tables:
        assert [p.read_bytes() for p in one.parts(table)] == [p.read_bytes() for p in other.parts(table)], table


def test_the_three_formats_agree(run, data):
    """The same rows as CSV, JSONL and Parquet give the same samples and contents."""
    rows = pl.DataFrame(
        {
            "text": [f"text {n} é\n" for n in range(50)],
            "label": [f"l{n % 3}" if n % 5 else None for n in range(50)],
            "count": list(range(50)),
            "price": [n + 0.5 if n % 7 else None for n in range(50)],
            "flag": [n % 2 == 0 for n in range(50)],
            "code": [f"{n:03d}" for n in range(50)],
        }
    )
    rows.write_csv(data / "t.csv")
    rows.write_ndjson(data / "t.jsonl")
    rows.write_parquet(data / "t.parquet")
    outputs = [run({"kind": "table", "path": f"t.{ending}"}, "text") for ending in ("csv", "jsonl", "parquet")]
    for table in ("ingested", "contents", "rejects", "dataset_metrics"):
        frames = [output.read(table) for output in outputs]
        assert frames[0].equals(frames[1]) and frames[0].equals(frames[2]), table
    frame = outputs[0].read("ingested")
    assert frame.columns[-4:] == ["count", "price", "flag", "code"]
    assert frame.select("count", "price", "flag", "code").equals(rows.select("count", "price", "flag", "code"))


def test_types_of_group_columns_across_files(run, data):
    """A column has one type over all files; a file that lacks it gives null."""
    (data / "1.csv").write_text("text,n,mixed,late\na,1,2,\n")
    (data / "2.csv").write_text("text,n,mixed\nb,2.5,x\n")
    frame = run({"kind": "table", "path": "*.csv"}, "text").read("ingested")
    assert frame["n"].to_list() == [1.0, 2.5] and frame["mixed"].to_list() == ["2", "x"]
    assert frame["late"].to_list() == [None, None] and frame.schema["late"] == pl.String
    (data / "t.jsonl").write_text(
        '{"text": "a", "m": 1, "o": {"k": [1]}}\n{"text": "b", "m": "x"}\n{"text": "c", "m": true}\n'
    )
    frame = run({"kind": "table", "path": "t.jsonl"}, "text").read("ingested")
    assert frame["m"].to_list() == ["1", "x", "true"] and frame["o"].to_list() == ['{"k": [1]}', None, None]


def test_long_numbers_are_not_rounded(run, data):
    """Whole numbers that no type holds exactly stay text; those of 64 bits stay numbers."""
    (data / "t.csv").write_text(
        f"text,id,huge,mixed,fits,far\na,{2**63 - 1},{10**20},{2**60},1,1e400\nb,1,1,0.5,0.5,1\n"
    )
    frame = run({"kind": "table", "path": "t.csv"}, "text").read("ingested")
    assert frame["id"].to_list() == [2**63 - 1, 1] and frame["huge"].to_list() == [str(10**20), "1"]
    assert frame["mixed"].to_list() == [str(2**60), "0.5"] and frame["fits"].to_list() == [1.0, 0.5]
    assert frame["far"].to_list() == ["1e400", "1"]
    rows = [
        {"text": "a", "huge": 10**20, "mixed": 2**60, "fits": 1},
        {"text": "b", "huge": 1, "mixed": 0.5, "fits": 0.5},
    ]
    (data / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    frame = run({"kind": "table", "path": "t.jsonl"}, "text").read("ingested")
    assert frame["huge"].to_list() == [str(10**20), "1"] and frame["mixed"].to_list() == [str(2**60), "0.5"]
    assert frame["fits"].to_list() == [1.0, 0.5]


def test_a_file_whose_name_looks_like_a_pattern(run, data):
    """A file that is there is that file."""
    (data / "[x]*.csv").write_text("text\na\n")
    assert len(run({"kind": "table", "path": "[x]*.csv"}, "text").read("ingested")) == 1


def test_parquet_types_of_group_columns(run, data, numbers):
    """Dates stay dates, decimals become numbers, categories text, nested values JSON; bytes are left out."""
    columns = {
        "text": pa.array(["a", "b"]),
        "day": pa.array([datetime.date(2026, 1, 2), None]),
        "price": pa.array([decimal.Decimal("1.50"), None]),
        "kind": pa.array(["x", "y"]).dictionary_encode(),
        "tags": pa.array([["p", "q"], None]),
        "small": pa.array([1, None], pa.int8()),
        "gap": pa.array([float("nan"), 1.0], pa.float32()),
        "raw": pa.array([b"\xff", b"x"]),
    }
    pq.write_table(pa.table(columns), data / "t.parquet")
    output = run({"kind": "table", "path": "t.parquet"}, "text")
    row = output.read("ingested").row(0, named=True)
    assert (row["day"], row["price"], row["kind"], row["tags"]) == (datetime.date(2026, 1, 2), 1.5, "x", '["p", "q"]')
    assert row["small"] == 1 and row["gap"] is None and "raw" not in row
    assert numbers(output)["n_columns_skipped"] == 1


def test_files_give_the_splits(run, data):
    """Each file of `files` is a split; ids count within it; a test file may lack the labels."""
    (data / "train.csv").write_text("text,label\na,x\nb,y\n")
    (data / "test.csv").write_text("text\nc\n")
    frame = run({"kind": "table", "files": {"train": "train.csv", "test": "test.csv"}}, "text").read("ingested")
    assert frame.select("sample_id", "split", "label", "position").rows() == [
        ("train-row-00000000", "train", "x", 0),
        ("train-row-00000001", "train", "y", 1),
        ("test-row-00000000", "test", None, 2),
    ]


def test_a_folder_or_a_glob_of_tables(run, data):
    """All tables of a folder, or those that match; row numbers run on; other files are not looked at."""
    (data / "p").mkdir()
    (data / "p" / "1.csv").write_text("text\na\nb\n")
    (data / "p" / "2.jsonl").write_text('{"text": "c"}\n')
    (data / "p" / "notes.md").write_text("x")
    frame = run({"kind": "table", "path": "p"}, "text").read("ingested")
    assert frame["sample_id"].to_list() == ["row-00000000", "row-00000001", "row-00000002"]
    assert len(run({"kind": "table", "path": "p/*.jsonl"}, "text").read("ingested")) == 1
    assert len(run({"kind": "table", "path": "**/1.*"}, "text").read("ingested")) == 2


@pytest.mark.parametrize(
    ("uri", "pattern", "wanted"),
    [("a.csv", "*.csv", True), ("d/a.csv", "*.csv", False), ("d/a.csv", "**/*.csv", True), ("a.csv", "**/*.csv", True),
     ("d/e/a.csv", "d/*/a.csv", True), ("d/e/f/a.csv", "d/*/a.csv", False), ("d/e/f/a.csv", "d/**/a.csv", True)],
)  # fmt: skip
def test_globs(uri, pattern, wanted):
    """`*` stays within a folder, `**` does not."""
    assert matches(uri, pattern) is wanted


def test_identical_texts_are_one_content(run, data):
    """Contents are keyed by hash: said once, however many samples share it."""
    (data / "t.csv").write_text("text,label\nsame,x\nsame,y\nother,x\n")
    output = run({"kind": "table", "path": "t.csv"}, "text")
    assert len(output.read("ingested")) == 3 and output.read("contents")["text"].to_list() == ["same", "other"]


def test_vectors_are_hashed_as_float32(run, data):
    """The content hash of a vector is that of its little-endian float32 bytes, whatever the file's own type."""
    matrix = np.random.default_rng(0).normal(size=(10, 4))
    pq.write_table(pa.table({"vector": matrix.tolist(), "text": ["caption"] * 10}), data / "t.parquet")
    output = run({"kind": "table", "path": "t.parquet"}, "vectors")
    wanted = [hash_bytes(row.tobytes()) for row in matrix.astype("<f4")]
    assert output.read("ingested")["content_hash"].to_list() == wanted
    assert output.read("ingested")["text"].to_list() == ["caption"] * 10  # further columns are group columns
    assert np.array_equal(np.array(output.read("contents")["vector"].to_list(), dtype=np.float32), matrix.astype("f4"))


def test_vectors_beside_texts(run, data, numbers):
    """A vector column beside a text is carried where the spec embeds with it, else left out and counted."""
    (data / "t.jsonl").write_text('{"text": "a", "vector": [1, 2]}\n{"text": "b", "vector": [3, 4]}\n')
    section = {"kind": "table", "path": "t.jsonl"}
    output = run(section, "text", embed={"kind": "vectors"})
    assert output.read("contents")["vector"].to_list() == [[1, 2], [3, 4]]
    output = run(section, "text")
    assert output.read("contents")["vector"].to_list() == [None, None]
    assert numbers(output)["n_columns_skipped"] == 1 and output.read("ingested").width == 8


def test_a_table_of_text_files(run, data):
    """Texts may be named instead of given."""
    plant(data, "x/1.txt", "x/2.txt")
    (data / "t.csv").write_text("uri\n1.txt\n2.txt\n")
    output = run({"kind": "table", "path": "t.csv", "root": "x"}, "text")
    assert output.read("contents")["text"].to_list() == ["x/1.txt", "x/2.txt"]


def test_fsspec_sources(run):
    """A folder and a table at a URL, the table's uris relative to it."""
    files = fsspec.filesystem("memory")
    files.pipe("/set/a/1.png", b"1")
    files.pipe("/set/b/2.png", b"2")
    files.pipe("/set/t.csv", b"uri,label\na/1.png,x\nmemory://set/b/2.png,y\nmemory://other/2.png,z\n")
    folder = run({"kind": "folder", "path": "memory://set", "exclude": ["*.csv"]}, "image").read("ingested")
    assert folder["uri"].to_list() == ["a/1.png", "b/2.png"]
    output = run({"kind": "table", "path": "memory://set/t.csv"}, "image")
    assert output.read("ingested")["content_hash"].to_list() == folder["content_hash"].to_list()
    assert output.read("rejects")["reason"].to_list() == ["outside_root"]
    assert len(run({"kind": "table", "path": "memory://set/*.csv"}, "image").read("ingested")) == 2


def test_modalities_that_a_source_cannot_hold(run, data):
    """Vectors come from tables, graphs from two of them: the message says so."""
    plant(data, "a.npy")
    with pytest.raises(SpecError, match="table"):
        run({"kind": "folder", "path": "."}, "vectors")
    (data / "t.csv").write_text("uri\na.npy\n")
    with pytest.raises(SourceError, match=r"no table of edges: found a\.npy, t\.csv"):
        run({"kind": "table", "path": "t.csv"}, "graph")


def test_batches_and_parts_join_without_a_seam(run, data, monkeypatch):
    """Tiny batches and parts give the rows that one large one gives."""
    lines = "".join(json.dumps({"vector": [n, n % 7, 1], "label": str(n % 3)}) + "\n" for n in range(500))
    (data / "t.jsonl").write_text(lines)
    whole = run({"kind": "table", "path": "t.jsonl"}, "vectors")
    monkeypatch.setattr("assay.sources.json_reader.BATCH_ROWS", 7)
    monkeypatch.setattr("assay.sources.contents.PART_BYTES", 1000)
    parted = run({"kind": "table", "path": "t.jsonl"}, "vectors", home="second")
    assert len(parted.parts("contents")) > 10
    for table in whole.tables:
        assert whole.read(table).equals(parted.read(table)), table


def test_many_vectors_in_little_memory(run, data, peak_growth):
    """60,000 × 256 vectors (61 MB) go through without all being held at once, each in several copies."""
    with pq.ParquetWriter(data / "t.parquet", pa.schema([("vector", pa.list_(pa.float32(), 256))])) as file:
        for seed in range(6):
            matrix = np.random.default_rng(seed).standard_normal((10_000, 256), dtype=np.float32)
            column = pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), 256)
            file.write_table(pa.table({"vector": column}))
    output = run({"kind": "table", "path": "t.parquet"}, "vectors")
    assert output.scan("contents").select(pl.len()).collect().item() == 60_000
    assert peak_growth() < 500


@pytest.mark.skipif(not (SHARED / "banking77").exists(), reason="the shared data sets are not here")
def test_banking77(run):
    """The real table: 13,083 texts in two splits and 77 classes, nothing rejected."""
    files = {"train": "train.csv", "test": "test.csv"}
    section = {"kind": "table", "files": files, "columns": {"label": "category"}}
    frame = run(section, "text", base=SHARED / "banking77").read("ingested")
    assert len(frame) == 13_083 and frame["label"].n_unique() == 77
    assert frame["split"].value_counts().sort("count").rows() == [("test", 3080), ("train", 10003)]
