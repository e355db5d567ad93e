"""Public datasets to try assay on: where they are, what they digest to, and how each becomes files and a spec."""

import csv
import gzip
import hashlib
import io
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image
from scipy import sparse

from assay.contracts.errors import SourceError, UnreadableSample
from assay.sources.carriers import Index, read_index

MOST_BYTES = 2**31  # that a packed file may unpack to
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SPEECH = "3ee995d6778c7ff34ae05297eb4f0002f5097dec693dcf8735ec30e8d8146944"  # of `digest_of` its recordings

_POLYAI = "https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/57ec275d8078af65b7731c2a98be812d844a6d6b"
_CORA = "https://raw.githubusercontent.com/tkipf/pygcn/1600b5b748b3976413d1e307540ccc62605b4d6d/data/cora"
_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist"
_SPEECH = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/26eb9aaf76e81b692f806f9140c2d2777410d7a1.zip"


@dataclass(frozen=True)
class Download:
    """One file: its address, its name here, and its digest: `sha256:…`, `md5:…` or `git:…`, the name that git gives its
    content (empty: `make` checks what is inside)."""

    url: str
    name: str
    digest: str


@dataclass(frozen=True)
class Sandbox:
    """One dataset.

    Attributes:
        downloads: files to fetch; none where a dependency carries the data.
        make: `(the files by name, folder)`: writes the data below the folder.
        spec: the spec without its name; paths are relative to the folder.
    """

    about: str
    make: Callable[[dict[str, Path], Path], None]
    spec: str
    downloads: tuple[Download, ...] = ()


def banking77(files: dict[str, Path], folder: Path) -> None:
    """Two tables of queries."""
    for name in ("train.csv", "test.csv"):
        (folder / name).write_bytes(files[name].read_bytes())


def mnist(files: dict[str, Path], folder: Path) -> None:
    """70,000 digits as PNG in one zip, a folder a split and a class."""

    def pictures() -> Iterator[tuple[str, str, npt.NDArray[np.uint8]]]:
        for split, start in (("train", "train"), ("test", "t10k")):
            images = _idx(files[f"{start}-images-idx3-ubyte.gz"], 3)
            labels = _idx(files[f"{start}-labels-idx1-ubyte.gz"], 1)
            for label, image in zip(labels.tolist(), images, strict=True):
                yield split, str(label), image

    _write_zip(folder / "mnist.zip", pictures())


def cifar10(files: dict[str, Path], folder: Path) -> None:
    """60,000 pictures of 32 × 32 as PNG in one zip, from the binary version: rows of a label and 3,072 pixels."""
    packed = _unpacked_tar(files["cifar-10-binary.tar.gz"].read_bytes())

    def pictures() -> Iterator[tuple[str, str, npt.NDArray[np.uint8]]]:
        for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
            data = _member(packed, f"cifar-10-batches-bin/{name}.bin")
            for row in np.frombuffer(data, dtype=np.uint8).reshape(-1, 3_073):
                yield name.split("_")[0].replace("data", "train"), CIFAR_CLASSES[row[0]], _pixels(row)

    _write_zip(folder / "cifar10.zip", pictures())


def _pixels(row: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(row[1:].reshape(3, 32, 32).transpose(1, 2, 0))


def caltech101(files: dict[str, Path], folder: Path) -> None:
    """Photographs of 101 kinds of things, a folder a class; the archive inside of the archive."""
    outer = _index(files["caltech-101.zip"].read_bytes(), "caltech-101.zip")
    inner = _unpacked_tar(_member(outer, "caltech-101/101_ObjectCategories.tar.gz"))
    for member in inner.members:
        steps = member.name.split("/")
        if member.reason or len(steps) != 3 or steps[1] == "BACKGROUND_Google" or not steps[2].endswith(".jpg"):
            continue
        place = folder / "images" / steps[1] / steps[2]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(inner.read(member.name))


def fsdd(files: dict[str, Path], folder: Path) -> None:
    """3,000 spoken digits, and a table of what is said and who says it.

    Raises:
        SourceError: the recordings are not those that were published.
    """
    packed = _index(files["fsdd.zip"].read_bytes(), "fsdd.zip")
    found = {
        member.name.rpartition("/")[2]: packed.read(member.name)
        for member in packed.members
        if not member.reason and "/recordings/" in member.name and member.name.endswith(".wav")
    }
    if digest_of(found) != SPEECH:
        raise SourceError("the recordings in the archive are not those that were published; fetch it again")
    (folder / "recordings").mkdir()
    with (folder / "recordings.csv").open("w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table)
        writer.writerow(("uri", "label", "speaker"))
        for name, data in sorted(found.items()):
            (folder / "recordings" / name).write_bytes(data)
            digit, speaker, _ = name.split("_", 2)
            writer.writerow((f"recordings/{name}", digit, speaker))


def digest_of(files: dict[str, bytes]) -> str:
    """SHA-256 of the sorted lines `name sha256` of some files: the same however they are packed."""
    lines = sorted(f"{name} {hashlib.sha256(data).hexdigest()}" for name, data in files.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def cora(files: dict[str, Path], folder: Path) -> None:
    """2,708 papers with their class, who cites whom, and the words in each."""
    rows = [line.split("\t") for line in files["cora.content"].read_text(encoding="utf-8").splitlines()]
    words = np.array([row[1:-1] for row in rows], dtype=np.float32)
    _write_graph(folder, [row[0] for row in rows], [row[-1] for row in rows])
    sparse.save_npz(folder / "features.npz", sparse.csr_matrix(words))
    cites = [line.split("\t") for line in files["cora.cites"].read_text(encoding="utf-8").splitlines()]
    _write_edges(folder, [(citing, cited) for cited, citing in cites])


def karate(_: dict[str, Path], folder: Path) -> None:
    """34 members of a club with the side that they took, and who knows whom."""
    import networkx

    graph = networkx.karate_club_graph()
    clubs = [graph.nodes[node]["club"] for node in graph]
    _write_graph(folder, [str(node) for node in graph], clubs)
    _write_edges(folder, [(str(one), str(other)) for one, other in graph.edges])


def davis(_: dict[str, Path], folder: Path) -> None:
    """Which of 14 gatherings 18 women went to; nobody is labelled."""
    import networkx

    graph = networkx.davis_southern_women_graph()
    women, events = graph.graph["top"], graph.graph["bottom"]
    went = [(woman, event) for woman in women for event in events if graph.has_edge(woman, event)]
    pl.DataFrame(went, schema=["user", "item"], orient="row").write_csv(folder / "interactions.csv")


def digits(_: dict[str, Path], folder: Path) -> None:
    """scikit-learn's 1,797 handwritten digits as PNG in one zip."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = np.clip(found.images * 16, 0, 255).astype(np.uint8)
    _write_zip(
        folder / "digits.zip", (("", str(label), image) for label, image in zip(found.target, images, strict=True))
    )


def _write_graph(folder: Path, ids: list[str], labels: list[str]) -> None:
    pl.DataFrame({"node_id": ids, "label": labels}).write_csv(folder / "nodes.csv")


def _write_edges(folder: Path, edges: list[tuple[str, str]]) -> None:
    pl.DataFrame(edges, schema=["source", "target"], orient="row").write_csv(folder / "edges.csv")


def _write_zip(place: Path, pictures: Iterator[tuple[str, str, npt.NDArray[np.uint8]]]) -> None:
    """PNG files `split/class/number.png`, stored as they are; the split may be empty."""
    with zipfile.ZipFile(place, "w", zipfile.ZIP_STORED) as archive:
        for number, (split, label, image) in enumerate(pictures):
            stream = io.BytesIO()
            Image.fromarray(image).save(stream, "PNG", compress_level=1)
            name = "/".join(step for step in (split, label, f"{number:05d}.png") if step)
            archive.writestr(zipfile.ZipInfo(name), stream.getvalue())


def _index(data: bytes, name: str) -> Index:
    """What an archive in memory holds; nothing in it is followed."""
    try:
        return read_index(lambda: io.BytesIO(data), name, MOST_BYTES)
    except UnreadableSample as error:
        raise SourceError(f"{name} cannot be read: {error.detail}; fetch it again") from None


def _member(index: Index, name: str) -> bytes:
    """One member's bytes. Raises `SourceError` where it is not there."""
    try:
        return index.open(name).read()
    except UnreadableSample as error:
        raise SourceError(f"the archive holds no {name} that can be read ({error.detail}); fetch it again") from None


def _unpacked_tar(data: bytes) -> Index:
    return _index(_gunzip(io.BytesIO(data), "the archive"), "unpacked.tar")


def _gunzip(file: io.BytesIO, name: str) -> bytes:
    try:
        with gzip.open(file) as stream:
            data = stream.read(MOST_BYTES + 1)
    except (OSError, EOFError) as error:
        raise SourceError(f"{name} cannot be unpacked ({error}); fetch it again") from None
    if len(data) > MOST_BYTES:
        raise SourceError(f"{name} unpacks to more than {MOST_BYTES:,} bytes")
    return data


def _idx(file: Path, dimensions: int) -> npt.NDArray[np.uint8]:
    """The array of one of MNIST's files: a magic number, the lengths, the bytes."""
    data = _gunzip(io.BytesIO(file.read_bytes()), file.name)
    magic, *shape = struct.unpack_from(f">{dimensions + 1}I", data)
    if magic != 0x0800 + dimensions:
        raise SourceError(f"{file.name} is no IDX file of {dimensions} dimensions; fetch it again")
    return np.frombuffer(data, dtype=np.uint8, offset=4 * (dimensions + 1)).reshape(shape)


_FOLDER = 'modality = "image"\n\n[source]\nkind = "folder"\npath = "{path}"\n'
_GRAPH = 'modality = "graph"\n\n[source]\nkind = "folder"\npath = "."\ninclude = ["*.csv", "*.npz"]\n'
_TAKEN = 'modality = "interactions"\n\n[source]\nkind = "folder"\npath = "."\ninclude = ["*.csv"]\n'

SANDBOXES = {
    "banking77": Sandbox(
        "13,083 queries to a bank in 77 classes (CC-BY-4.0)",
        banking77,
        'modality = "text"\n\n[source]\nkind = "table"\nfiles = {train = "train.csv", test = "test.csv"}\n'
        'columns = {label = "category"}\n',
        (
            Download(f"{_POLYAI}/banking_data/train.csv", "train.csv",
                     "sha256:b06e26ac675513959a63135f11b94ea7786ed02da65db93a5650d8838cbc664b"),
            Download(f"{_POLYAI}/banking_data/test.csv", "test.csv",
                     "sha256:d12d6e3bc4c3103966ae786dc435913c0c563dfa328f5a3646d0e62cfeeb474d"),
        ),
    ),
    "caltech101": Sandbox(
        "8,677 photographs of 101 kinds of things (CC-BY-4.0)",
        caltech101,
        _FOLDER.format(path="images"),
        (
            Download("https://data.caltech.edu/records/mzrjq-6wc02/files/caltech-101.zip", "caltech-101.zip",
                     "md5:3138e1922a9193bfa496528edbbc45d0"),
        ),
    ),
    "cifar10": Sandbox(
        "60,000 pictures of 10 kinds of things, 32 × 32",
        cifar10,
        _FOLDER.format(path="cifar10.zip"),
        (
            Download("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", "cifar-10-binary.tar.gz",
                     "md5:c32a1d4ab5d03f1284b67883e8d87530"),
        ),
    ),
    "cora": Sandbox(
        "2,708 papers in 7 classes, their words, and who cites whom",
        cora,
        _GRAPH,
        (
            Download(f"{_CORA}/cora.content", "cora.content",
                     "git:23205398c433481a3b8c504e95e9f15adb47fe13"),
            Download(f"{_CORA}/cora.cites", "cora.cites",
                     "sha256:ec1a372391b7f0f60a6aff0084e8abd8f19f0faa7e1f2441a41c492042d5945e"),
        ),
    ),
    "davis": Sandbox("18 women and the 14 gatherings they went to; comes with networkx", davis, _TAKEN),
    "digits": Sandbox("1,797 handwritten digits, 8 × 8; comes with scikit-learn", digits,
                      _FOLDER.format(path="digits.zip")),
    "fsdd": Sandbox(
        "3,000 spoken digits of 6 speakers (CC-BY-SA-4.0)",
        fsdd,
        'modality = "audio"\n\n[source]\nkind = "table"\npath = "recordings.csv"\n',
        (Download(_SPEECH, "fsdd.zip", ""),),
    ),
    "karate": Sandbox("34 members of a karate club and whom they know; comes with networkx", karate, _GRAPH),
    "mnist": Sandbox(
        "70,000 handwritten digits, 28 × 28",
        mnist,
        _FOLDER.format(path="mnist.zip"),
        (
            Download(f"{_MNIST}/train-images-idx3-ubyte.gz", "train-images-idx3-ubyte.gz",
                     "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            Download(f"{_MNIST}/train-labels-idx1-ubyte.gz", "train-labels-idx1-ubyte.gz",
                     "md5:d53e105ee54ea40749a09fcbcd1e9432"),
            Download(f"{_MNIST}/t10k-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz",
                     "md5:9fb629c4189551a2d022fa330f9573f3"),
            Download(f"{_MNIST}/t10k-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz",
                     "md5:ec29112dd5afa0611ce80d1b7f02629c"),
        ),
    ),
}  # fmt: skip
