"""What a card of the report shows of a sample: few bytes and few characters, of the right content."""

import base64
import io

import numpy as np
import polars as pl
from PIL import Image

from assay.reading import report
from assay.reading.report import Tables, data_uris, read_faces, read_texts, read_thumbnails
from tests.reading.made import made_view
from tests.snapshot_builder import samples

PICTURE = {"kind": "picture", "plural": "images", "facts": "image_facts", "preview": "thumbnail", "text": ""}
TEXT = {"kind": "text", "plural": "texts", "facts": "text_facts", "preview": "", "text": "text"}


def tables_of(folder, frames: dict[str, pl.DataFrame], face: dict | None = None, rows_a_part: int = 3) -> Tables:
    """Tables in parts of three rows."""
    snapshot = made_view(folder, frames, rows_a_part).snapshot
    return Tables({name: snapshot.parts(name) for name in frames}, face)


def noisy(side: int) -> bytes:
    """A JPEG of noise, which takes much room."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def test_each_card_has_its_own_picture_while_there_is_room(tmp_path, monkeypatch):
    """In the order asked for, across parts; no thumbnail, no such sample, and no room left: each has a card without."""
    rows = samples([f"s{i}" for i in range(8)]).with_columns(uri=pl.Series([f"{i}.jpg" for i in range(8)]))
    data = [noisy(8 + i) if i != 2 else None for i in range(8)]
    facts = rows.select("content_hash").with_columns(thumbnail=pl.Series(data, dtype=pl.Binary))
    tables = tables_of(tmp_path, {"samples": rows, "image_facts": facts.reverse()})
    assert tables.shown["kind"] == "picture" and tables.count("image_facts") == 8 and tables.count("leaks") == 0
    faces = read_faces(tables, ["s7", "s2", "s0", "s7", "nobody"])
    assert list(faces) == ["s7", "s2", "s0", "nobody"]
    assert [base64.b64decode(faces[name].image.partition(",")[2]) for name in ("s7", "s0")] == [data[7], data[0]]
    assert faces["s2"].image is faces["nobody"].image is None and faces["nobody"].caption == "nobody"
    monkeypatch.setattr(report, "IMAGES_BYTES", 1)
    faces = read_faces(tables, ["s3", "s4"])
    assert faces["s3"].image and faces["s4"].image is None
    assert read_thumbnails(tables, set()) == {}


def test_a_large_picture_is_made_smaller(tmp_path):
    """To what a card shows; a small one is sent as it is."""
    rows = samples(["large", "small"])
    data = [noisy(400), noisy(20)]
    assert len(data[0]) > report.IMAGE_BYTES > len(data[1])
    facts = rows.select("content_hash").with_columns(thumbnail=pl.Series(data))
    uris = data_uris(
        tables_of(tmp_path, {"samples": rows, "image_facts": facts}, PICTURE), rows["content_hash"].to_list()
    )
    large, small = (base64.b64decode(uri.partition(",")[2]) for uri in uris.values())
    assert Image.open(io.BytesIO(large)).size == (128, 128) and len(large) < len(data[0]) / 4 and small == data[1]


def test_texts_are_cut_to_one_short_line(tmp_path):
    """Hidden characters are spelled out; one of no text is empty, and no content of another kind has any."""
    rows = samples(["a", "b", "c"])
    facts = rows.select("content_hash").with_columns(text=pl.Series(["x" * 999, "one\n\u202etwo", None]))
    tables = tables_of(tmp_path, {"samples": rows, "text_facts": facts}, TEXT)
    found = read_texts(tables, rows["content_hash"].to_list(), 10)
    assert [found[key] for key in rows["content_hash"]] == ["x" * 9 + "…", "one \\u202etwo"[:99], ""]
    assert read_texts(Tables(tables.parts, PICTURE), rows["content_hash"].to_list()) == {}
    assert read_faces(tables, ["b"])["b"].text == "one \\u202etwo"


def test_a_long_name_keeps_its_end(tmp_path):
    """Where paths differ; a sample without a uri goes by its id."""
    rows = samples(["a", "b"]).with_columns(uri=pl.Series(["folder/" * 40 + "last.jpg", None]))
    faces = read_faces(tables_of(tmp_path, {"samples": rows}), ["a", "b"])
    assert faces["a"].caption.endswith("/last.jpg") and len(faces["a"].caption) == report.CAPTION_CHARACTERS
    assert faces["a"].caption[0] == "…" and faces["b"].caption == "b"
