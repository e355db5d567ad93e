"""Samples inside of tar, zip, Arrow and Parquet: the same as in a folder, and hostile ones refused with the reason."""

import hashlib
import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from assay.contracts.errors import SourceError, UnreadableSample
from assay.contracts.spec import make_spec
from assay.sources.carriers import carrier_of
from assay.sources.files import LocalSource, UrlSource
from assay.sources.ingest import ingest
from assay.store.workspace import Workspace


def picture(seed: int) -> bytes:
    """A small PNG."""
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


FILES = {f"{'cat' if row % 2 else 'dog'}/{row:02d}.png": picture(row) for row in range(6)}


def spec_of(folder: Path, modality: str = "image", **source):
    """A spec of a folder."""
    return make_spec(
        {"name": "d", "modality": modality, "source": {"kind": "folder", "path": ".", "max_rejects": 1.0, **source}},
        base=folder,
    )


def rows_of(folder: Path, home: Path | None = None, **source) -> pl.DataFrame:
    """What ingest makes of a folder."""
    return ingest(spec_of(folder, **source), Workspace(home or folder.parent / "home", "d")).read("ingested")


def rejects_of(folder: Path, **source) -> dict[str, str]:
    """Reason by uri of what ingest rejects."""
    output = ingest(spec_of(folder, **source), Workspace(folder.parent / "home", "d"))
    return dict(output.read("rejects").select("uri", "reason").iter_rows())


def write_tar(place: Path, files: dict[str, bytes], mode: str = "w") -> None:
    """A tar of some files."""
    with tarfile.open(place, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def write_zip(place: Path, files: dict[str, bytes]) -> None:
    """A zip of some files."""
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def dataset_table(rows: range, kind: str = "Image") -> pa.Table:
    """A table as `datasets` has it: structs of bytes and path, labels by number, names in the metadata."""
    contents = list(FILES.values())
    features = {
        "image": {"_type": kind},
        "label": {"names": ["cat", "dog"], "_type": "ClassLabel"},
    }
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    images = [{"bytes": contents[row % 6], "path": f"{row}.png"} for row in rows]
    table = pa.table(
        {
            "image": pa.array(images, pa.struct({"bytes": pa.binary(), "path": pa.string()})),
            "label": pa.array([1 - row % 2 for row in rows], pa.int64()),
        }
    )
    return table.replace_schema_metadata(metadata)


def write_arrow(place: Path, table: pa.Table) -> None:
    """An Arrow stream."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with pa.ipc.new_stream(place, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def save_to_disk(folder: Path, tables: list[pa.Table]) -> None:
    """A dataset as `save_to_disk` writes it."""
    names = [f"data-{number:05d}-of-{len(tables):05d}.arrow" for number in range(len(tables))]
    for name, table in zip(names, tables, strict=True):
        write_arrow(folder / name, table)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text("{}")


@pytest.fixture
def folder(tmp_path) -> Path:
    """An empty folder for the data."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def write_folder(folder: Path) -> None:
    """The files as such."""
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


CARRIERS = {
    "tar": lambda folder: write_tar(folder / "shard-000.tar", FILES),
    "tar.gz": lambda folder: write_tar(folder / "shard-000.tar.gz", FILES, "w:gz"),
    "tgz": lambda folder: write_tar(folder / "all.TGZ", FILES, "w:gz"),
    "zip": lambda folder: write_zip(folder / "all.zip", FILES),
    "save_to_disk": lambda folder: save_to_disk(folder, [dataset_table(range(4)), dataset_table(range(4, 6))]),
    "parquet": lambda folder: pq.write_table(dataset_table(range(6)), folder / "x.parquet", row_group_size=2),
}


@pytest.mark.parametrize("write", CARRIERS.values(), ids=CARRIERS)
def test_members_are_the_same_samples_as_files(tmp_path, folder, write):
    """The same content hashes and labels as a folder of them; read one by one as well."""
    write_folder(folder)
    plain = rows_of(folder)
    other = tmp_path / "other"
    other.mkdir()
    write(other)
    carried = rows_of(other, home=tmp_path / "elsewhere")
    both = [frame.select("content_hash", "label").sort("content_hash") for frame in (plain, carried)]
    assert both[0].equals(both[1])
    source = LocalSource(other, max_file_bytes=10_000)
    for uri, content_hash, size in carried.select("uri", "content_hash", "size_bytes").iter_rows():
        data = source.read(uri)
        assert hashlib.blake2b(data, digest_size=16).hexdigest() == content_hash and len(data) == size
    again = carried["uri"].to_list()[::-1]
    assert [source.read(uri) for uri in again] == [source.read(uri) for uri in carried["uri"]][::-1]
    pickle.loads(pickle.dumps(source)).read(again[0])  # as it goes to a worker process


def test_vectors_stay_when_files_move_into_a_tar(tmp_path, folder):
    """A whole second night embeds nothing, for the contents are known."""
    from assay.embedders.stage import embed
    from assay.facts import clean

    write_folder(folder)
    workspace = Workspace(tmp_path / "home", "d")

    def vectors() -> list:
        spec = spec_of(folder)
        ingested = ingest(spec, workspace)
        return embed(spec, workspace, ingested, clean(spec, workspace, ingested)).parts("vectors")

    first = [os.stat(part).st_ino for part in vectors()]
    for name in FILES:
        (folder / name).unlink()
    write_tar(folder / "all.tar", FILES)
    assert [os.stat(part).st_ino for part in vectors()] == first


@pytest.mark.parametrize(("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("train.tgz", "w:gz")])
def test_one_carrier_may_be_the_source(folder, name, mode):
    """`path` names the file itself; others beside it are not read. Its name may be a split's."""
    write_tar(folder / name, FILES, mode)
    write_tar(folder / "b.tar", FILES)
    found = rows_of(folder, path=name)
    assert len(found) == 6 and set(found["split"]) == ({"train"} if name == "train.tgz" else {None})


def test_archives_beside_samples_are_left_out_unless_named(folder):
    """The archive that a folder was unpacked from is no second dataset; `archives` decides otherwise."""
    write_folder(folder)
    write_tar(folder / "all.tar", {f"more/{name}": data for name, data in FILES.items()})
    assert len(rows_of(folder)) == 6
    assert len(rows_of(folder, archives="open")) == 12
    (folder / "cat" / "07.png").write_bytes(picture(7))
    assert len(rows_of(folder, archives="leave")) == 7


def test_a_table_names_members(folder):
    """A `uri` column that points into a tar; what is not in it is a reject."""
    write_tar(folder / "shard-000.tar", FILES)
    uris = ["shard-000.tar#cat/01.png", "shard-000.tar#dog/00.png", "shard-000.tar#nothing.png", "absent.tar#x.png"]
    pl.DataFrame({"uri": uris, "label": ["a", "b", "c", "d"]}).write_csv(folder / "t.csv")
    found = rows_of(folder, kind="table", path="t.csv")
    assert found["uri"].to_list() == uris[:2]
    rejects = rejects_of(folder, kind="table", path="t.csv")
    assert [rejects[uri] for uri in uris[2:]] == ["not_found", "not_found"]


def test_webdataset_labels_stand_beside_their_sample(folder):
    """`.cls` and `.json` of the same key; the sample's split is in the shard's name."""
    files = {
        "0001.png": picture(1), "0001.cls": b"7", "0002.png": picture(2), "0002.json": b'{"label": "dog", "x": 1}',
        "0003.png": picture(3), "0003.json": b"[", "0004.png": picture(4), "0004.txt": b"a caption",
    }  # fmt: skip
    write_tar(folder / "train-000.tar", files)
    write_tar(folder / "val-000.tar", {"0009.png": picture(9), "0009.cls": b"7"})
    found = {row["uri"]: (row["label"], row["split"]) for row in rows_of(folder).to_dicts()}
    assert found == {
        "train-000.tar#0001.png": ("7", "train"),
        "train-000.tar#0002.png": ("dog", "train"),
        "train-000.tar#0003.png": (None, "train"),
        "train-000.tar#0004.png": (None, "train"),
        "val-000.tar#0009.png": ("7", "val"),
    }


def test_a_dataset_dict_has_its_splits(folder):
    """Folders of a `save_to_disk` are splits; caches beside the data files are not read."""
    save_to_disk(folder / "train", [dataset_table(range(4))])
    save_to_disk(folder / "test", [dataset_table(range(4, 6))])
    write_arrow(folder / "train" / "cache-0123.arrow", dataset_table(range(6)))
    found = rows_of(folder)
    assert found.group_by("split").len().sort("split").rows() == [("test", 2), ("train", 4)]
    assert set(found["label"]) == {"cat", "dog"}


def test_a_data_file_that_is_gone_is_a_reject(folder):
    """`state.json` names it."""
    save_to_disk(folder, [dataset_table(range(4)), dataset_table(range(4, 6))])
    (folder / "data-00001-of-00002.arrow").unlink()
    assert rejects_of(folder) == {"data-00001-of-00002.arrow": "not_found"}
    assert len(rows_of(folder)) == 4


def test_texts_in_an_archive(folder):
    """Files of text are read out of a zip as out of a folder."""
    write_zip(folder / "a.zip", {"good/1.txt": b"ein Satz", "bad/2.txt": b"\xff\xfe\x00"})
    output = ingest(spec_of(folder, modality="text"), Workspace(folder.parent / "home", "t"))
    assert output.read("contents")["text"].to_list() == ["ein Satz"]
    assert output.read("rejects")["reason"].to_list() == ["invalid_unicode"]


def special(name: str, kind: bytes, link: str = "", size: int = 0) -> tarfile.TarInfo:
    """A member that is no file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


@pytest.mark.parametrize(("name", "mode"), [("x.tar", "w"), ("x.tar.gz", "w:gz")])
def test_hostile_members_of_a_tar_are_rejects(folder, tmp_path, name, mode):
    """Names that lead out, links, devices, doubles, too large ones: each with its reason, the others read."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture(99))
    with tarfile.open(folder / name, mode) as archive:
        for info, data in (
            (tarfile.TarInfo("good.png"), picture(1)),
            (tarfile.TarInfo("../secret.png"), picture(2)),
            (tarfile.TarInfo("a/../../secret.png"), picture(2)),
            (tarfile.TarInfo("/etc/passwd.png"), picture(2)),
            (tarfile.TarInfo("..\\secret.png"), picture(2)),
            (special("link.png", tarfile.SYMTYPE, "../secret.png"), b""),
            (special("hard.png", tarfile.LNKTYPE, "/etc/passwd"), b""),
            (special("device.png", tarfile.CHRTYPE), b""),
            (special("fifo.png", tarfile.FIFOTYPE), b""),
            (tarfile.TarInfo("good.png"), picture(3)),
            (tarfile.TarInfo("large.png"), b"x" * 5_000),
            (tarfile.TarInfo("empty.png"), b""),
        ):
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    found = {uri.replace(name, "x.tar"): reason for uri, reason in rejects_of(folder, max_file_bytes=4_000).items()}
    assert found == {
        "x.tar#../secret.png": "outside_root",
        "x.tar#a/../../secret.png": "outside_root",
        "x.tar#/etc/passwd.png": "outside_root",
        "x.tar#..\\secret.png": "outside_root",
        "x.tar#link.png": "not_a_file",
        "x.tar#hard.png": "not_a_file",
        "x.tar#device.png": "not_a_file",
        "x.tar#fifo.png": "not_a_file",
        "x.tar#good.png": "duplicate_member",
        "x.tar#large.png": "too_large",
        "x.tar#empty.png": "empty_file",
    }
    assert rows_of(folder, max_file_bytes=4_000)["uri"].to_list() == [f"{name}#good.png"]
    assert LocalSource(folder, max_file_bytes=4_000).read(f"{name}#good.png") == picture(1)
    for uri in found:
        if not uri.endswith(("#good.png", "#empty.png")):
            with pytest.raises(UnreadableSample):
                LocalSource(folder, max_file_bytes=4_000).read(uri.replace("x.tar", name))


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_a_tar_that_is_cut_off_says_so(folder, share):
    """Wherever: what is whole is read, the rest is a reject, or the tar as a whole."""
    write_tar(folder / "x.tar", FILES)
    data = (folder / "x.tar").read_bytes()
    cut = int(6 * 1_024 * share)  # each PNG fits one block, after that of its header
    (folder / "x.tar").write_bytes(data[:cut])
    whole = sum(1_024 * place + 512 + len(content) <= cut for place, content in enumerate(FILES.values()))
    if share < 0.05:
        with pytest.raises(SourceError, match="rejected"):
            rejects_of(folder)
        return
    found = rejects_of(folder)
    assert set(found.values()) <= {"cut_off", "unreadable"} and found
    assert len(rows_of(folder)) == whole


@pytest.mark.parametrize("seed", range(30))
def test_a_tar_with_wrong_bytes_never_crashes(folder, seed):
    """Some bytes of headers changed: refused, rejected or read; never anything else."""
    write_tar(folder / "x.tar", FILES)
    data = bytearray((folder / "x.tar").read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, 6 * 1024, 20):
        data[place] = rng.integers(0, 256)
    (folder / "x.tar").write_bytes(data)
    try:
        rows_of(folder)
    except SourceError:
        pass


def test_hostile_members_of_a_zip_are_rejects(folder):
    """Names that lead out, links, doubles, encrypted and damaged ones."""
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        for name, data in (
            ("good.png", picture(1)), ("../secret.png", picture(2)), ("/abs.png", picture(2)), (link, b"../secret.png"),
            ("C:\\x.png", picture(2)), ("damaged.png", picture(4)), ("locked.png", picture(5)),
        ):  # fmt: skip
            archive.writestr(name, data)
        with pytest.warns(UserWarning):
            archive.writestr("good.png", picture(3))
    data = bytearray((folder / "x.zip").read_bytes())
    data[data.find(picture(4)) + 60] ^= 0xFF
    central = data.rfind(b"locked.png")
    data[central - 46 + 8] |= 1
    (folder / "x.zip").write_bytes(data)
    found = rejects_of(folder)
    assert found == {
        "x.zip#../secret.png": "outside_root",
        "x.zip#/abs.png": "outside_root",
        "x.zip#link.png": "not_a_file",
        "x.zip#C:\\x.png": "outside_root",
        "x.zip#damaged.png": "unreadable",
        "x.zip#locked.png": "unreadable",
        "x.zip#good.png": "duplicate_member",
    }


def test_a_bomb_is_not_unpacked(folder):
    """One member over the limit; or many that together are."""
    with zipfile.ZipFile(folder / "one.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.png", bytes(20_000_000))
        archive.writestr("good.png", picture(1))
    assert rejects_of(folder, max_file_bytes=1_000_000) == {"one.zip#zeros.png": "too_large"}
    lying = bytearray((folder / "one.zip").read_bytes())
    for mark, place in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        start = lying.find(mark)
        lying[start + place : start + place + 4] = struct.pack("<I", 1_000)
    (folder / "one.zip").write_bytes(lying)
    assert rejects_of(folder, max_file_bytes=1_000_000) == {"one.zip#zeros.png": "unreadable"}
    (folder / "one.zip").unlink()
    with zipfile.ZipFile(folder / "many.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for row in range(12):
            archive.writestr(f"{row}.png", bytes(100 * 2**20))
    with pytest.raises(SourceError, match="bomb"):
        rejects_of(folder)


@pytest.mark.parametrize("name", ["x.tar", "x.zip", "x.arrow", "x.parquet"])
@pytest.mark.parametrize("data", [b"", b"\0" * 2_000, b"no such thing" * 100, b"PK\x05\x06" + bytes(18), b"ARROW1\0\0"])
def test_what_is_no_carrier_is_refused(folder, name, data):
    """The night stops, and says which file and why; never a crash."""
    (folder / name).write_bytes(data)
    with pytest.raises(SourceError):
        rejects_of(folder)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8, 0.95, 0.999])
@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_arrow_that_is_cut_in_the_middle(folder, kind, share):
    """Whole batches are read and the rest is a reject, or nothing is; never a crash."""
    place = folder / f"x.{kind}"
    if kind == "arrow":
        write_arrow(place, dataset_table(range(40)))
    else:
        pq.write_table(dataset_table(range(40)), place)
    place.write_bytes(place.read_bytes()[: int(place.stat().st_size * share)])
    try:
        assert rejects_of(folder) == {f"x.{kind}": "cut_off"}
        assert 0 < len(rows_of(folder)) < 40 or share > 0.99
    except SourceError as error:
        assert "rejected" in str(error) and "half-written" in str(error)


@pytest.mark.parametrize("seed", range(12))
def test_arrow_with_wrong_bytes_never_crashes(folder, seed):
    """Read in a process of its own; whatever it does, this one goes on."""
    write_arrow(folder / "x.arrow", dataset_table(range(8)))
    data = bytearray((folder / "x.arrow").read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, len(data), 25):
        data[place] = rng.integers(0, 256)
    (folder / "x.arrow").write_bytes(data)
    try:
        rows_of(folder)
    except SourceError:
        pass


def test_rows_without_bytes_are_rejects(folder):
    """A path alone is never followed; nothing at all is said, too."""
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    images = [
        {"bytes": picture(1), "path": None}, {"bytes": None, "path": "/etc/passwd"}, {"bytes": None, "path": None},
        None,
    ]  # fmt: skip
    pq.write_table(pa.table({"image": pa.array(images, kind)}), folder / "x.parquet")
    assert rejects_of(folder) == {
        "x.parquet#1": "outside_root", "x.parquet#2": "missing_content", "x.parquet#3": "missing_content",
    }  # fmt: skip
    assert rows_of(folder)["uri"].to_list() == ["x.parquet#0"]


def test_a_parquet_of_texts_is_no_carrier_of_images(folder):
    """The message says what a table is for."""
    pq.write_table(pa.table({"text": ["a"], "label": ["b"]}), folder / "x.parquet")
    with pytest.raises(SourceError, match="no column holds files.*table"):
        rejects_of(folder)


def test_tars_packed_otherwise_are_said(folder):
    """With what to do."""
    write_tar(folder / "x.tar.xz", FILES, "w:xz")
    with pytest.raises(SourceError, match="compressed archive|compressed_archive"):
        rejects_of(folder)


def test_a_name_with_a_hash_is_a_name(folder):
    """A file whose own name looks like a member's is read as itself."""
    (folder / "a.tar#b.png").write_bytes(picture(1))
    (folder / "c#d.png").write_bytes(picture(2))
    assert len(rows_of(folder)) == 2
    assert carrier_of("c#d.png") is None and carrier_of("x/a.tar#b#c.png") == ("x/a.tar", "b#c.png")
    assert carrier_of("a.tar#") is None


def test_a_carrier_that_changes_is_read_anew(folder):
    """The kept index goes by size and time."""
    write_tar(folder / "x.tar", FILES)
    source = LocalSource(folder, max_file_bytes=10_000)
    assert source.read("x.tar#cat/01.png") == FILES["cat/01.png"]
    write_tar(folder / "x.tar", {"cat/01.png": picture(50), "more.png": picture(51)})
    os.utime(folder / "x.tar", (1, 1))
    assert source.read("x.tar#cat/01.png") == picture(50)


def test_a_carrier_is_opened_once(folder, monkeypatch):
    """However many of its members are read."""
    from assay.sources import tar_carrier

    opened = []
    plain = tar_carrier.tarfile.open
    monkeypatch.setattr(tar_carrier.tarfile, "open", lambda *a, **k: (opened.append(1), plain(*a, **k))[1])
    write_tar(folder / "x.tar", {f"{row}.png": picture(row) for row in range(100)})
    assert len(rows_of(folder)) == 100
    assert len(opened) == 1 + 1  # `write_tar` writes through the same function


def test_carriers_behind_a_url(folder):
    """Members of a tar on any file system that fsspec knows."""
    import fsspec

    write_tar(folder / "x.tar", FILES)
    with fsspec.open("memory://carriers/x.tar", "wb") as file:
        file.write((folder / "x.tar").read_bytes())
    source = UrlSource("memory://carriers", max_file_bytes=10_000)
    assert source.read("x.tar#dog/00.png") == FILES["dog/00.png"]
    assert source.stat("x.tar#dog/00.png").size_bytes == len(FILES["dog/00.png"])
