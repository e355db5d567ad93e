"""One sample: its file as it is or as a browser can show it, what is known of it, and what it was before."""

import io

import numpy as np
import polars as pl
import pytest
from PIL import Image

from assay.contracts.errors import AssayError
from assay.reading.columns import View
from assay.reading.samples import (
    LARGEST,
    Raw,
    cards,
    detail,
    duplicate_group,
    group_cards,
    history,
    neighbors,
    peek,
    small,
)
from assay.store.files import hash_bytes
from assay.store.snapshots import Snapshot
from tests.reading.made import labelled, made_view
from tests.snapshot_builder import samples, scores


def encoded(form: str, size: tuple[int, int] = (8, 6), **how) -> bytes:
    """A small picture in a format."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(buffer, form, **how)
    return buffer.getvalue()


def filed(folder, files: dict[str, bytes], kind: str = "picture", **source) -> View:
    """A view of these files below `raw`, a sample each."""
    for name, data in files.items():
        (folder / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "raw" / name).write_bytes(data)
    rows = samples(list(files)).with_columns(
        uri=pl.Series(list(files)), content_hash=pl.Series([hash_bytes(data) for data in files.values()])
    )
    config = {"name": "toy", "modality": "image", "source": {"kind": "folder", "path": "raw", **source}}
    face = {"kind": kind, "plural": "files", "facts": "", "preview": "", "text": ""}
    return made_view(folder / "v", {"samples": rows}, config=config, spec_base=str(folder), face=face)


@pytest.mark.parametrize("form, media", [
    ("JPEG", "image/jpeg"), ("PNG", "image/png"), ("GIF", "image/gif"), ("WEBP", "image/webp"),
])  # fmt: skip
def test_what_a_browser_can_show_is_sent_as_it_is(tmp_path, form, media):
    """Whatever the file is called."""
    data = encoded(form)
    assert Raw(filed(tmp_path, {"a/picture.dat": data})).image(0) == (data, media)


@pytest.mark.parametrize("form", ["TIFF", "BMP"])
def test_what_a_browser_cannot_show_is_decoded(tmp_path, form):
    """As a JPEG, and no larger than a screen."""
    data, media = Raw(filed(tmp_path, {"a.x": encoded(form, (LARGEST * 2, 40))})).image(0)
    assert media == "image/jpeg" and Image.open(io.BytesIO(data)).size == (LARGEST, 20)


@pytest.mark.parametrize("kind, start, media", [
    ("sound", b"RIFF....WAVE", "audio/wav"), ("sound", b"fLaC", "audio/flac"), ("sound", b"OggS", "audio/ogg"),
    ("sound", b"ID3", "audio/mpeg"), ("sound", b"\xff\xfb", "audio/mpeg"), ("sound", b"....ftypM4A ", "audio/mp4"),
    ("sound", b"FORM....AIFF", "audio/aiff"), ("sound", b"\x1aE\xdf\xa3", "audio/webm"),
    ("sound", b"????", "audio/wav"),
    ("video", b"\x1aE\xdf\xa3", "video/webm"), ("video", b"RIFF....AVI ", "video/x-msvideo"),
    ("video", b"....ftypisom", "video/mp4"), ("video", b"", "video/mp4"),
])  # fmt: skip
def test_sounds_and_videos_are_named_by_their_first_bytes(tmp_path, kind, start, media):
    """A player goes by the name; what nobody knows has the usual one."""
    assert Raw(filed(tmp_path, {"a.x": start + b"\0" * 20 * bool(start)}, kind)).image(0)[1] == media


def test_a_file_that_is_not_what_it_was_is_not_shown(tmp_path):
    """Changed, gone, or without a file at all: each is said; another sample is read as before."""
    view = filed(tmp_path, {"a.png": encoded("PNG"), "b.png": encoded("PNG", (3, 3)), "c.png": encoded("PNG", (2, 2))})
    raw = Raw(view)
    (tmp_path / "raw" / "a.png").write_bytes(encoded("PNG", (9, 9)))
    (tmp_path / "raw" / "b.png").unlink()
    for row, said in ((0, "has changed since this snapshot"), (1, "cannot be read any more")):
        with pytest.raises(AssayError, match=said):
            raw.image(row)
    assert raw.image(2)[1] == "image/png"
    with pytest.raises(AssayError, match="no file of its own"):
        Raw(labelled(tmp_path / "texts", ["a"])).bytes(0)


def test_a_file_outside_the_source_is_not_read(tmp_path):
    """A uri that leads out of the folder, as a foreign snapshot might hold."""
    (tmp_path / "secret.png").write_bytes(encoded("PNG"))
    view = filed(tmp_path, {"a.png": b"x"})
    rows = view.scan("samples").collect().with_columns(uri=pl.lit("../secret.png"))
    rows.write_parquet(view.snapshot.parts("samples")[0])
    with pytest.raises(AssayError, match="cannot be read any more"):
        Raw(View(view.snapshot)).image(0)


def test_a_snapshot_that_does_not_say_where_its_samples_are_says_that(tmp_path):
    """As one of an older version."""
    view = made_view(tmp_path, {"samples": samples(["a"]).with_columns(uri=pl.lit("a.png"))})
    with pytest.raises(AssayError, match="does not say where its raw samples are"):
        Raw(view).bytes(0)


def test_the_path_is_that_of_the_samples_own_file(tmp_path):
    """None where it is gone, or a sample has none."""
    view = filed(tmp_path, {"a/x.png": b"1", "b.png": b"2"})
    (tmp_path / "raw" / "b.png").unlink()
    assert Raw(view).path(0) == (tmp_path / "raw" / "a" / "x.png").resolve() and Raw(view).path(1) is None


def test_there_is_no_thumbnail_of_a_row_that_is_not_there(tmp_path):
    """Nor of the last one, which −1 would be in Python."""
    rows = samples(["a", "b"])
    facts = rows.select("content_hash").with_columns(thumbnail=pl.Series([b"one", b"two"]))
    face = {"kind": "picture", "facts": "image_facts", "preview": "thumbnail", "text": ""}
    view = made_view(tmp_path, {"samples": rows, "image_facts": facts}, face=face)
    assert [small(view, row) for row in (-1, 0, 1, 2)] == [None, b"one", b"two", None]


COPIES = pl.DataFrame({
    "group_id": ["a", "a", "a"], "sample_id": ["b", "a", "gone"], "tier": ["pixels"] * 3, "keep": [False, True, False],
    "similarity": [0.9, 1.0, 0.99],
})  # fmt: skip


def test_neighbours_and_copies_are_those_that_are_there(tmp_path):
    """Of a copy the neighbours of what it is a copy of, the nearest first; a sample that has gone is passed over."""
    tables = {
        "samples": samples(list("abcd"), ["x", "y", None, "x"]), "duplicates": COPIES,
        "units": pl.DataFrame({"sample_id": list("abcd"), "unit_id": list("aacd")}),
        "neighbors": pl.DataFrame({"sample_id": ["a"] * 3, "rank": [2, 1, 3], "neighbor_id": ["c", "d", "gone"],
                                   "similarity": [0.5, 0.75, 0.25]}),
    }  # fmt: skip
    view = made_view(tmp_path, tables)
    assert [(card["id"], card["similarity"]) for card in neighbors(view, "b")] == [("d", 0.75), ("c", 0.5)]
    assert [card["id"] for card in neighbors(view, "b", most=1)] == ["d"] and neighbors(view, "c") == []
    found = duplicate_group(view, "b")
    assert [(card["id"], card["keep"], card["similarity"]) for card in found] == [("a", True, 1.0), ("b", False, 0.9)]
    assert duplicate_group(view, "d") == [] and group_cards(view, COPIES.head(0)) == []


def test_everything_about_a_sample_is_json(tmp_path):
    """Dates, NaN, large numbers and nothing at all; a sample that is not there is named."""
    view = labelled(tmp_path, ["a", None], size=[float("nan"), 1e300], when=pl.date_range(pl.date(2024, 1, 1),
        pl.date(2024, 1, 2),
                    eager=True).to_list())  # fmt: skip
    found = detail(view, "a0")
    assert found["label"] == "a" and found["source"]["when"] == "2024-01-01" and found["scores"] == []
    assert (
        found["label_issue"] is None and found["neighbors"] == [] and found["decisions"] == [] and "boxes" not in found
    )
    assert cards(view, np.array([1, 0]), sort="columns.size")[0]["value"] is None
    with pytest.raises(KeyError, match="no sample 'a9' in snapshot 1"):
        detail(view, "a9")


def test_a_glance_has_the_highest_scores(tmp_path):
    """At most as many as are asked for; a metric that says nothing of the sample is left out."""
    table = scores([("a", name, value, False) for name, value in (("dark", 0.1), ("blurry", 0.9), ("bright", 0.5))])
    view = made_view(tmp_path, {"samples": samples(["a", "b"]), "scores": table})
    assert peek(view, 0, most=2)["scores"] == [("blurry", 0.9), ("bright", 0.5)] and peek(view, 1)["scores"] == []


def test_the_history_has_the_newest_of_what_can_be_read(tmp_path):
    """Oldest first; a snapshot without the sample says so, a damaged one is passed over."""
    nights = []
    for number in range(1, 6):
        rows = samples(["a"] if number != 3 else ["other"], [f"label {number}"])
        view = made_view(tmp_path / str(number), {"samples": rows, "scores": scores([("a", "dark", 1.0, number == 4)])})
        nights.append(Snapshot(number, view.snapshot.path, view.snapshot.manifest))
    nights[3].parts("samples")[0].write_bytes(b"PAR1 nothing of it")
    lines = history(nights, "a", most=3)
    assert [(line["snapshot"], line["there"], line.get("label")) for line in lines] == [
        (2, True, "label 2"), (3, False, None), (5, True, "label 5"),
    ]  # fmt: skip
    assert lines[0]["issues"] == [] and lines[0]["suspicion"] is None
