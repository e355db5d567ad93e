"""A gzip file read at any place is what gzip itself unpacks; damage and bombs are said."""

import functools
import gzip
import io
import tarfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from assay.contracts.errors import SourceError, UnreadableSample
from assay.sources import gzipped
from assay.sources.files import LocalSource
from assay.sources.gzipped import Gzip
from tests.sources.test_carriers import FILES, rejects_of, rows_of, write_tar


@pytest.fixture
def folder(tmp_path) -> Path:
    """An empty folder for the data."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Pieces, states and reads so small that a small file has many."""
    monkeypatch.setattr(gzipped, "PIECE", 1_000)
    monkeypatch.setattr(gzipped, "READ", 64)
    monkeypatch.setattr(gzipped, "STATES", 8)
    monkeypatch.setattr(gzipped, "PIECES", 3)


def content(size: int, seed: int = 0) -> bytes:
    """Bytes that can be packed a little, some of them very well."""
    rng = np.random.default_rng(seed)
    return bytes(size // 4) + rng.integers(0, 16, size - size // 4, dtype=np.uint8).tobytes()


def opened(data: bytes) -> Gzip:
    """The file over some packed bytes."""
    return Gzip(lambda: io.BytesIO(data))


@pytest.mark.parametrize("size", [1, 999, 1_000, 1_001, 57_123])
def test_any_place_is_what_gzip_unpacks(size):
    """Forwards, backwards and from several threads; a file of two members with zeros behind them, too."""
    plain = content(size)
    half = size // 2
    packed = gzip.compress(plain[:half]) + gzip.compress(plain[half:]) + bytes(100)
    for data in (gzip.compress(plain), packed):
        whole = opened(data)
        assert (whole.size, whole.broken) == (size, "") and len(whole._states) <= 8
        places = np.random.default_rng(1).integers(0, size, 200).tolist()
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(functools.partial(whole.read, count=1_500), places))
        assert found == [plain[place : place + 1_500] for place in places]
        view = whole.open()
        view.seek(-1, io.SEEK_END)
        assert view.read() == plain[-1:] and view.read() == b"" and view.seek(0) == 0 and view.read() == plain


def test_reading_in_order_unpacks_each_piece_once(monkeypatch):
    """However many reads it takes."""
    plain = content(40_000)
    whole = opened(gzip.compress(plain))
    unpacked = []
    unpack = whole._unpack
    monkeypatch.setattr(whole, "_unpack", lambda: (unpacked.append(1), unpack())[1])
    assert b"".join(whole.read(place, 100) for place in range(0, 40_000, 100)) == plain
    assert len(unpacked) == 40


@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_a_file_that_is_cut_off_is_read_so_far(folder, share):
    """What is whole is read; the archive says that it is damaged."""
    write_tar(folder / "x.tar.gz", FILES, "w:gz")
    data = (folder / "x.tar.gz").read_bytes()
    (folder / "x.tar.gz").write_bytes(data[: int(len(data) * share)])
    try:
        found = rejects_of(folder)
    except SourceError as error:  # nothing of it is whole
        assert share < 0.5 and "rejected" in str(error)
        return
    assert found["x.tar.gz"] == "cut_off" and set(found.values()) <= {"cut_off", "unreadable"}
    read = LocalSource(folder, max_file_bytes=10_000)
    uris = rows_of(folder)["uri"].to_list()
    assert 0 < len(uris) <= 6 and all(read.read(uri) == FILES[uri.partition("#")[2]] for uri in uris)


@pytest.mark.parametrize("seed", range(20))
def test_a_file_with_wrong_bytes_never_crashes(folder, seed):
    """It is refused, or its end is; never read as if it were whole."""
    write_tar(folder / "x.tar.gz", FILES, "w:gz")
    data = bytearray((folder / "x.tar.gz").read_bytes())
    for place in np.random.default_rng(seed).integers(12, len(data), 5):
        data[place] ^= 0x55
    (folder / "x.tar.gz").write_bytes(data)
    try:
        found = rejects_of(folder)
    except SourceError as error:
        assert "rejected" in str(error)
        return
    assert found["x.tar.gz"] == "cut_off"


def test_a_bomb_is_not_unpacked(folder, monkeypatch):
    """Unpacking stops at the limit; many members below the limit of each are one, too."""
    monkeypatch.setattr(gzipped, "BOMB_BYTES", 200_000)
    with tarfile.open(folder / "x.tar.gz", "w:gz") as archive:
        for row in range(1_000):
            info = tarfile.TarInfo(f"{row}.png")
            info.size = 9_900
            archive.addfile(info, io.BytesIO(bytes(9_900)))
    with pytest.raises(SourceError, match="bomb"):
        rejects_of(folder, max_file_bytes=10_000)
    endless = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = endless.compress(bytes(5_000_000)) + endless.flush()
    with pytest.raises(UnreadableSample, match="more than 979,000 bytes.*bomb"):
        opened(packed)


@pytest.mark.parametrize("data", [b"", b"\x1f\x8b", b"no gzip at all", gzip.compress(b"", mtime=0)[:-9]])
def test_what_is_no_gzip_is_refused(folder, data):
    """With what is wrong with it."""
    (folder / "x.tgz").write_bytes(data)
    with pytest.raises(SourceError, match="rejected"):
        rejects_of(folder)


def test_a_gzip_of_something_else_is_refused(folder):
    """It is no tar."""
    (folder / "x.tar.gz").write_bytes(gzip.compress(b"a text, and no tar" * 100))
    with pytest.raises(SourceError, match="no tar"):
        rejects_of(folder)
