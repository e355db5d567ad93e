"""The cleaned dataset as files: one folder a class, below one folder a split where there are splits.

SPLIT/CLASS/NAME, as copies, as links to the source's own files, or in one ZIP file. What cannot be read any more is
left out and counted.
"""

import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np

from assay.contracts.errors import AssayError, SpecError
from assay.exporting.takeaway import cleaned
from assay.reading.boxes import is_part
from assay.reading.columns import View
from assay.reading.facts import text
from assay.reading.samples import Raw

UNSAFE = re.compile(r"[\x00-\x1f\x7f<>:\"/\\|?*]")  # what some file system does not allow in a name
RESERVED = re.compile(r"^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.IGNORECASE)
LONGEST = 120  # characters of one name
LONGEST_ENDING = 12  # characters of what is taken for an ending
LONGEST_BYTES = 240  # of it in UTF-8: file systems take 255


@dataclass
class Taken:
    """How many files were written, and why each of the others was not."""

    n: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


def entries(view: View, mask: np.ndarray) -> Iterator[tuple[str, int]]:
    """Relative path and row of each cleaned sample; no path twice, whatever the names."""
    frame = cleaned(view, mask)
    rows = view.rows_of(frame["sample_id"])
    splits, labels = frame["split"].to_list(), frame["label"].to_list()
    names = [uri or sample for uri, sample in zip(frame["uri"], frame["sample_id"], strict=True)]
    has_splits = any(split is not None for split in splits)
    used: dict[str, int] = {}
    for row, split, label, name in zip(rows.tolist(), splits, labels, names, strict=True):
        parts = [safe(split or "no split")] if has_splits else []
        parts += [safe(label)] if label is not None else ["no label"]
        path = "/".join([*parts, safe(PurePosixPath(name).name or name)])
        if not view.has_thumbnails() and "." not in path.rsplit("/", 1)[1]:
            path += ".txt"
        yield free(path, used), row


def free(path: str, used: dict[str, int]) -> str:
    """`path`, or where it is taken a numbered one that is not; `used` has how often each was asked for, in one case, as
    some file systems do not tell case apart."""
    asked = again = used.get(path.casefold(), 0)
    place = numbered(path, again) if asked else path
    while place.casefold() in used:  # by a file that is called so itself
        again += 1
        place = numbered(path, again)
    used[path.casefold()] = again + 1
    used.setdefault(place.casefold(), 1)
    return place


def safe(name: str) -> str:
    """A name that is one folder or file on any system; never empty, `.` or `..`. A long one keeps its ending."""
    plain = UNSAFE.sub("_", name).strip(". ")
    end = PurePosixPath(plain).suffix if len(PurePosixPath(plain).suffix) <= LONGEST_ENDING else ""
    if len(plain) > LONGEST or len(plain.encode("utf-8", "replace")) > LONGEST_BYTES:
        start = plain.removesuffix(end)[: LONGEST - len(end)].encode("utf-8", "replace")
        start = start[: LONGEST_BYTES - len(end.encode("utf-8", "replace"))]
        plain = (start.decode("utf-8", "ignore").rstrip(". ") + end).rstrip(". ")
    if not plain or RESERVED.match(plain):
        plain = f"_{plain}"
    return plain


def numbered(path: str, again: int) -> str:
    """`a/b.jpg` as `a/b-2.jpg`."""
    found = PurePosixPath(path)
    return str(found.with_name(f"{found.stem}-{again + 1}{found.suffix}"))


def write_folder(view: View, mask: np.ndarray, target: Path, link: bool = False) -> Taken:
    """Write the cleaned samples below `target`, which must be empty or absent.

    Raises:
        SpecError: something is there already, or the samples have no files and no text.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise SpecError(f"{target} is not empty; name a folder that is empty or does not exist yet")
    check(view)
    raw, taken = Raw(view), Taken()
    for path, row in entries(view, mask):
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            if link and (own := raw.path(row)) is not None:
                os.symlink(own, place)
            else:
                place.write_bytes(content(view, raw, row))
            taken.n += 1
        except (AssayError, OSError) as error:
            taken.left_out[view.ids[row]] = str(error)
    return taken


def write_zip(view: View, mask: np.ndarray, target: BinaryIO) -> Taken:
    """The cleaned samples as one ZIP file, stored as they are. Raises as `write_folder`."""
    check(view)
    raw, taken = Raw(view), Taken()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path, row in entries(view, mask):
            try:
                archive.writestr(zipfile.ZipInfo(path), content(view, raw, row))
                taken.n += 1
            except AssayError as error:
                taken.left_out[view.ids[row]] = str(error)
        if taken.left_out:
            lines = [f"{sample}\t{why}" for sample, why in taken.left_out.items()]
            archive.writestr(zipfile.ZipInfo("left_out.tsv"), "\n".join(lines) + "\n")
    return taken


def check(view: View) -> None:
    """Raises `SpecError` where samples are neither files nor texts."""
    if is_part(view):
        raise SpecError("these samples are boxes in pictures, not files; take them as COCO, Parquet or CSV")
    if view.face["kind"] == "drawing" or (not view.has_thumbnails() and not view.face["text"]):
        raise SpecError("these samples are rows of a table, not files; take them as Parquet or CSV")


def content(view: View, raw: Raw, row: int) -> bytes:
    """The bytes of one sample: its text where it is one, else its file."""
    if view.face["text"]:
        words = text(view, row)
        if words is None:
            raise AssayError("no text is kept for this sample")
        return words.encode("utf-8", "replace")
    return raw.bytes(row)
