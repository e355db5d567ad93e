"""Public datasets to try: what comes with a dependency runs; what is fetched is checked, and unpacked safely."""

import functools
import gzip
import hashlib
import http.server
import io
import struct
import tarfile
import threading
import zipfile

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from PIL import Image

from assay.cli import main
from assay.contracts.errors import SourceError, SpecError
from assay.contracts.spec import load_spec
from assay.selftest import sandbox, sandbox_data
from assay.selftest.sandbox import make_sandbox
from assay.selftest.sandbox_data import CIFAR_CLASSES, SANDBOXES, Download, digest_of
from assay.sources.ingest import ingest
from assay.store.workspace import Workspace


def ingested(spec_path, tmp_path) -> pl.DataFrame:
    """What the first stage makes of a sandbox."""
    spec = load_spec(spec_path)
    return ingest(spec, Workspace(tmp_path / "home", spec.name)).read("ingested")


@pytest.mark.parametrize(("name", "n", "classes"), [("digits", 1797, 10), ("karate", 34, 2), ("davis", 32, 0)])
def test_what_comes_with_a_dependency_is_there_offline(tmp_path, capsys, name, n, classes):
    """With a spec that reads it, and the command to type."""
    spec = make_sandbox(name, tmp_path / name)
    assert f"assay run {spec}" in capsys.readouterr().out
    rows = ingested(spec, tmp_path)
    assert len(rows) == n and rows["label"].drop_nulls().n_unique() == classes
    before = spec.stat().st_mtime_ns
    make_sandbox(name, tmp_path / name)
    assert spec.stat().st_mtime_ns == before


def known(monkeypatch, name: str, files: dict[str, bytes], url: str = "http://127.0.0.1:9/") -> None:
    """Let a dataset's downloads be these files."""
    downloads = tuple(
        Download(url + file, file, "sha256:" + hashlib.sha256(data).hexdigest()) for file, data in files.items()
    )
    changed = sandbox_data.Sandbox(SANDBOXES[name].about, SANDBOXES[name].make, SANDBOXES[name].spec, downloads)
    monkeypatch.setitem(SANDBOXES, name, changed)


def given(tmp_path, files: dict[str, bytes]):
    """A folder with these files."""
    (tmp_path / "given").mkdir()
    for name, data in files.items():
        (tmp_path / "given" / name).write_bytes(data)
    return tmp_path / "given"


def jpeg(seed: int) -> bytes:
    """A small picture."""
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


def tar_of(files: dict[str, bytes], link: str = "") -> bytes:
    """A gzipped tar, with a link that leads out."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        if link:
            info = tarfile.TarInfo(link)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(info)
    return stream.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    """A zip."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def idx(array: np.ndarray) -> bytes:
    """One of MNIST's files."""
    head = struct.pack(f">{array.ndim + 1}I", 0x0800 + array.ndim, *array.shape)
    return gzip.compress(head + array.astype(np.uint8).tobytes())


def test_an_archive_in_an_archive_is_unpacked_safely(tmp_path, monkeypatch):
    """Caltech-101: classes are folders; what leads out, is a link or is clutter is left."""
    inner = {
        "101_ObjectCategories/ant/1.jpg": jpeg(1),
        "101_ObjectCategories/bee/1.jpg": jpeg(2),
        "101_ObjectCategories/BACKGROUND_Google/1.jpg": jpeg(3),
        "101_ObjectCategories/../../evil.jpg": jpeg(4),
        "../evil/evil.jpg": jpeg(5),
    }
    packed = tar_of(inner, "101_ObjectCategories/ant/link.jpg")
    files = {"caltech-101.zip": zip_of({"caltech-101/101_ObjectCategories.tar.gz": packed})}
    known(monkeypatch, "caltech101", files)
    spec = make_sandbox("caltech101", tmp_path / "out" / "c", given(tmp_path, files) / "caltech-101.zip")
    assert sorted(ingested(spec, tmp_path)["label"]) == ["ant", "bee"]
    assert not list(tmp_path.rglob("evil*"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["c"]


def test_mnist_and_cifar_become_pictures(tmp_path, monkeypatch):
    """The pixels, classes and splits are those of the files."""
    rng = np.random.default_rng(0)
    images = {"train": rng.integers(0, 256, (3, 28, 28)), "t10k": rng.integers(0, 256, (2, 28, 28))}
    files = {f"{part}-images-idx3-ubyte.gz": idx(array) for part, array in images.items()}
    files |= {
        "train-labels-idx1-ubyte.gz": idx(np.array([7, 1, 7])),
        "t10k-labels-idx1-ubyte.gz": idx(np.array([0, 7])),
    }
    rows = rng.integers(0, 256, (6, 2, 3073), dtype=np.uint8)
    rows[:, :, 0] = [[3, 4]] * 6
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    cifar = tar_of({f"cifar-10-batches-bin/{name}.bin": part.tobytes() for name, part in zip(names, rows, strict=True)})
    folder = given(tmp_path, files | {"cifar-10-binary.tar.gz": cifar})
    known(monkeypatch, "mnist", files)
    known(monkeypatch, "cifar10", {"cifar-10-binary.tar.gz": cifar})
    found = ingested(make_sandbox("mnist", tmp_path / "m", folder), tmp_path)
    assert found.group_by("split", "label").len().sort("split", "label").rows() == [
        ("test", "0", 1), ("test", "7", 1), ("train", "1", 1), ("train", "7", 2),
    ]  # fmt: skip
    with zipfile.ZipFile(tmp_path / "m" / "mnist.zip") as archive:
        image = Image.open(io.BytesIO(archive.read("train/7/00000.png")))
        assert np.array_equal(np.asarray(image), images["train"][0])
    found = ingested(make_sandbox("cifar10", tmp_path / "c", folder), tmp_path)
    assert found["split"].value_counts().sort("split").rows() == [("test", 2), ("train", 10)]
    assert set(found["label"]) == {CIFAR_CLASSES[3], CIFAR_CLASSES[4]}
    with zipfile.ZipFile(tmp_path / "c" / "cifar10.zip") as archive:
        pixels = np.asarray(Image.open(io.BytesIO(archive.read("train/cat/00000.png"))))
    assert np.array_equal(pixels.transpose(2, 0, 1).ravel(), rows[0, 0, 1:])


def test_tables_and_recordings(tmp_path, monkeypatch):
    """Banking77, Cora and the spoken digits, whose recordings are known by what they hold, however packed."""
    import soundfile

    stream = io.BytesIO()
    soundfile.write(stream, np.zeros(800, dtype=np.float32), 8000, "PCM_16", format="WAV")
    sounds = {"0_ann_0.wav": stream.getvalue(), "1_bob_3.wav": stream.getvalue() + b"\0"}
    packed = zip_of({f"top/recordings/{name}": data for name, data in sounds.items()} | {"top/README.md": b""})
    files = {
        "train.csv": b"text,category\nwhere is my card,card\n", "test.csv": b"text,category\nno cash,cash\n",
        "cora.content": b"1\t0\t1\tTheory\n2\t1\t1\tNeural\n", "cora.cites": b"1\t2\n", "fsdd.zip": packed,
    }  # fmt: skip
    folder = given(tmp_path, files)
    for name, parts in (("banking77", ("train.csv", "test.csv")), ("cora", ("cora.content", "cora.cites"))):
        known(monkeypatch, name, {part: files[part] for part in parts})
    rows = ingested(make_sandbox("banking77", tmp_path / "b", folder), tmp_path)
    assert rows.select("split", "label").rows() == [("train", "card"), ("test", "cash")]
    rows = ingested(make_sandbox("cora", tmp_path / "k", folder), tmp_path)
    assert rows.select("sample_id", "label").rows() == [("1", "Theory"), ("2", "Neural")]
    assert (tmp_path / "k" / "edges.csv").read_text() == "source,target\n2,1\n"
    with pytest.raises(SourceError, match="not those that were published"):
        make_sandbox("fsdd", tmp_path / "f", folder)
    assert not (tmp_path / "f").exists()
    monkeypatch.setattr(sandbox_data, "SPEECH", digest_of(sounds))
    rows = ingested(make_sandbox("fsdd", tmp_path / "f", folder), tmp_path)
    assert rows.select("label", "speaker").rows() == [("0", "ann"), ("1", "bob")]


@pytest.mark.parametrize("data", [b"", b"no archive", zip_of({"other": b"x"}), zip_of({"caltech-101/x": b"y"})])
def test_a_file_that_is_another_is_refused(tmp_path, monkeypatch, data):
    """By its digest; and where that is right, by what it holds; nothing is left behind."""
    folder = given(tmp_path, {"caltech-101.zip": data})
    with pytest.raises(SourceError, match="as it was published"):
        make_sandbox("caltech101", tmp_path / "c", folder)
    known(monkeypatch, "caltech101", {"caltech-101.zip": data})
    with pytest.raises(SourceError):
        make_sandbox("caltech101", tmp_path / "c", folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given"]


def test_fetching_checks_the_digest_and_is_done_once(tmp_path, monkeypatch):
    """From a server of this machine; a file that another one was put in the place of is not taken."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    files = {"train.csv": b"text,category\na,b\n", "test.csv": b"text,category\nc,d\n"}
    folder = given(tmp_path, files)
    asked = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/"
        known(monkeypatch, "banking77", files, url)
        make_sandbox("banking77", tmp_path / "one")
        assert len(asked) == 2
        make_sandbox("banking77", tmp_path / "two")
        assert len(asked) == 2
        known(monkeypatch, "banking77", files, url + "./")
        (folder / "test.csv").write_bytes(b"something else")
        with pytest.raises(SourceError, match="cannot be fetched.*--from"):
            make_sandbox("banking77", tmp_path / "three")
    finally:
        server.shutdown()
        server.server_close()
    known(monkeypatch, "banking77", {"train.csv": b"1", "test.csv": b"2"}, url)
    with pytest.raises(SourceError, match="cannot be fetched.*--from"):
        make_sandbox("banking77", tmp_path / "three")


def test_a_digest_of_gits_is_checked(tmp_path):
    """As `git hash-object` gives it."""
    (tmp_path / "a").write_bytes(b"hello\n")
    wanted = Download("", "a", "git:ce013625030ba8dba906f756967f9e9ca394464a")
    assert sandbox._checked(tmp_path / "a", wanted) == tmp_path / "a"
    (tmp_path / "a").write_bytes(b"hello")
    with pytest.raises(SourceError, match="git digest"):
        sandbox._checked(tmp_path / "a", wanted)


def test_every_download_has_a_digest():
    """Or, of one archive, what is inside has."""
    for name, found in SANDBOXES.items():
        for download in found.downloads:
            kind, _, digest = download.digest.partition(":")
            assert (kind, len(digest)) in {("sha256", 64), ("md5", 32), ("git", 40)} or name == "fsdd"
            assert download.url.startswith("https://")


def test_the_command(tmp_path):
    """The list, an unknown name, a folder that is in use, a file that is not there."""
    run = CliRunner().invoke
    assert "karate" in run(main, ["sandbox"]).output
    with pytest.raises(SpecError, match="there are: banking77"):
        make_sandbox("nonesuch", tmp_path / "x")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("keep")
    with pytest.raises(SpecError, match="is not empty"):
        make_sandbox("karate", tmp_path / "used")
    with pytest.raises(SourceError, match="wants the file, or a folder with"):
        make_sandbox("mnist", tmp_path / "y", tmp_path / "used")
    done = run(main, ["sandbox", "karate", "--folder", str(tmp_path / "k")])
    assert done.exit_code == 0 and (tmp_path / "k" / "karate.toml").is_file()
