"""A folder of pictures and their boxes → rows: COCO JSON, Pascal VOC XML or YOLO text files, whichever is there."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from assay.contracts.errors import SourceError, UnreadableSample
from assay.contracts.spec import Spec
from assay.contracts.splits import split_kind
from assay.modalities.objects.annotations import Annotation, Found, Refused
from assay.modalities.objects.coco import read_coco
from assay.modalities.objects.finding import Pictures, split_of
from assay.modalities.objects.voc import read_voc
from assay.modalities.objects.yolo import read_names, read_yolo
from assay.sources.batches import BATCH_ROWS, Batch
from assay.sources.columns import Fates
from assay.sources.endings import CODE, MARKUP, OTHER, SOUND, VIDEO
from assay.sources.files import Source, open_source
from assay.sources.fragments import part_hash, parted, with_region
from assay.sources.guards import refuse_empty, refuse_unready
from assay.sources.left_out import LeftOut, ending_of
from assay.sources.listing import list_files
from assay.sources.own import OwnRows
from assay.sources.rows import Resolve
from assay.sources.told import Told
from assay.store.files import hash_text
from assay.store.workspace import Workspace

ANNOTATIONS = ("json", "xml", "txt", "yaml", "yml", "names")
NO_PICTURE = SOUND | VIDEO | MARKUP | CODE | OTHER
SHOWN = 5


@dataclass
class Reading:
    """What was read of the folder, as it goes along."""

    rows: list[tuple[Annotation | Refused, str]] = field(default_factory=list)  # with the file
    named: list[tuple[str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    splits: dict[str, str] = field(default_factory=dict)  # by the picture's name without its ending

    def take(self, file: str, found: Found) -> None:
        """Add what one file holds."""
        self.rows += [(row, file) for row in found.rows]
        self.named += [(name, file) for name in found.named]
        self.said += found.said
        self.doubts += found.doubts


def read_folder(spec: Spec, workspace: Workspace) -> OwnRows:
    """The boxes of a folder's pictures, each a row with the uri of its part of the picture.

    Raises:
        SourceError: the folder is missing or not ready, holds no pictures, or no annotations that can be read.
    """
    source = open_source(spec)
    refuse_unready(spec, source)
    left = LeftOut()
    entries = [entry for entry in source.scan(left) if entry.uri != spec.source.ready_file]
    notes = [entry for entry in entries if ending_of(entry.uri) in ANNOTATIONS]
    pictures = [entry for entry in entries if ending_of(entry.uri) not in NO_PICTURE]
    refuse_empty(len(pictures), source.root, "images with boxes", left)
    days = spec.source.reread_days
    listing = list_files(workspace, source, pictures, "reading files", days)
    annotated = list_files(workspace, source, notes, "reading annotations", days)
    columns = pl.concat([listing, annotated]).select("uri", "size_bytes", "content_hash", "reason")
    digest = hash_text("\n".join(map(repr, columns.iter_rows())))
    told = Told()

    def batches() -> Iterator[Batch]:
        found = Pictures(listing["uri"].to_list())
        reading = _read(source, [entry.uri for entry in notes], found)
        rows = list(_placed(reading, found))
        if not rows:
            raise SourceError(
                f"the source {source.root} has {len(listing):,} pictures, and its annotations hold no box of any "
                f"({'; '.join(reading.said)}). Wanted one box at least: are they the right files, and whole?"
            )
        _tell(told, reading, rows, listing)
        for start in range(0, len(rows), BATCH_ROWS):
            yield _batch(rows[start : start + BATCH_ROWS], start)

    return OwnRows(digest, "boxes", batches, _resolver(listing), told)


def _tell(told: Told, reading: Reading, rows: "Sequence[Placed | Refused]", listing: pl.DataFrame) -> None:
    """How the folder was read, and which pictures have no box."""
    boxed = {row[0] for row in rows if not isinstance(row, Refused)}
    told.say("boxes", len(rows), "; ".join(reading.said))
    for words in reading.doubts:
        told.doubt(words)
    empty = sorted(set(listing.filter(pl.col("reason").is_null())["uri"]) - boxed)
    told.say("images", len(listing), f"{len(listing):,} pictures, {len(listing) - len(empty):,} of them with boxes")
    if empty:
        told.say("images_without_boxes", len(empty), f"pictures without any box: {_listed(empty)}")


Placed = tuple[str, str, str | None, str | None, dict[str, str | bool | None]]  # picture, uri, label, split, more


def _placed(reading: Reading, pictures: Pictures) -> Iterator[Placed | Refused]:
    """Each row with the picture that it means."""
    for row, file in reading.rows:
        if isinstance(row, Refused):
            yield row
            continue
        try:
            picture = _find(pictures, row.image, file)
        except UnreadableSample as problem:
            yield Refused(problem.reason, f"{row.place}: {problem.detail}")
            continue
        split = split_of(picture, file) or reading.splits.get(picture.rpartition("/")[2].rpartition(".")[0])
        yield picture, with_region(picture, row.region), row.label, split, row.more


def _find(pictures: Pictures, name: str, file: str) -> str:
    try:
        return pictures.find(name, file)
    except UnreadableSample as problem:
        if ending_of(file) != "xml" or problem.reason not in ("not_found", "outside_root"):
            raise
        return pictures.of_stem(file, file)


def _batch(rows: Sequence[Placed | Refused], first: int) -> Batch:
    batch = Batch()
    names = sorted({name for row in rows if not isinstance(row, Refused) for name, is_set in row[4].items()
                    if is_set is not None})  # fmt: skip
    kept = []
    for number, row in enumerate(rows, start=first):
        if isinstance(row, Refused):
            batch.refused.append((number, row.reason, row.detail))
        else:
            batch.rows.append(number)
            kept.append(row)
    if kept:
        batch.columns = {"uri": [row[1] for row in kept], "label": [row[2] for row in kept],
                         "split": [row[3] for row in kept],
                         **{name: [row[4].get(name) for row in kept] for name in names}}  # fmt: skip
    return batch


def _read(source: Source, files: Sequence[str], pictures: Pictures) -> Reading:
    """The boxes of the first of COCO, Pascal VOC and YOLO that is there.

    Raises:
        SourceError: none is.
    """
    by_ending = {ending: [file for file in files if ending_of(file) == ending] for ending in ANNOTATIONS}
    readers: dict[str, Callable[[], Reading]] = {
        "COCO": lambda: _each(source, by_ending["json"], read_coco),
        "Pascal VOC": lambda: _voc(source, by_ending),
        "YOLO": lambda: _yolo(source, by_ending, pictures),
    }
    said: list[str] = []
    for name, read in readers.items():
        reading = read()
        if not reading.named and not reading.rows:
            said += reading.said
            continue
        reading.said.insert(0, f"boxes in {name}")
        more = sum(pictures.beside(file) is not None for file in by_ending["txt"])
        if name != "YOLO" and more:
            reading.doubts.append(
                f"{more:,} text files beside pictures are not read, as there are boxes in {name}: source.exclude "
                "leaves out what is not meant"
            )
        return reading
    counts = Counter(map(ending_of, files))
    raise SourceError(
        f"the source {source.root} has pictures and no boxes that can be read (files that could hold them: "
        f"{', '.join(f'{n:,} .{ending}' for ending, n in counts.items()) or 'none'}). Wanted COCO JSON, Pascal VOC "
        "XML, or YOLO text files beside the pictures or in `labels` for `images`" + "".join(f"; {one}" for one in said)
    )


def _each(source: Source, files: Sequence[str], read: Callable[[bytes, str], Found | None]) -> Reading:
    reading = Reading()
    for file in files:
        try:
            found = read(source.read(file), file)
        except UnreadableSample as problem:
            found = Found([Refused(problem.reason, f"{file}: {problem.detail}")])
        if found is not None:
            reading.take(file, found)
    return reading


def _voc(source: Source, by_ending: dict[str, list[str]]) -> Reading:
    """The XML files, and the splits that lists of names in `ImageSets` give."""
    reading = _each(source, by_ending["xml"], read_voc)
    lists = [file for file in by_ending["txt"] if "ImageSets" in file.split("/")] if reading.named else []
    for file in lists:
        split = file.rpartition("/")[2].removesuffix(".txt")
        if split_kind(split):
            lines = _whole(source, file, reading).decode("utf-8", "replace").splitlines()
            reading.splits |= {words[0]: split for line in lines if len(words := line.split()) == 1}
    return reading


def _yolo(source: Source, by_ending: dict[str, list[str]], pictures: Pictures) -> Reading:
    labels = {file: picture for file in by_ending["txt"] if (picture := pictures.beside(file)) is not None}
    classes, where, told = None, "", Reading()
    for file in [*by_ending["yaml"], *by_ending["yml"], *by_ending["names"], *by_ending["txt"]]:
        is_list = file.rpartition("/")[2].lower() in ("classes.txt", "labels.txt", "obj.names")
        if file in labels or (ending_of(file) == "txt" and not is_list) or classes:
            continue
        classes, where = read_names(_whole(source, file, told), file), file
    reading = _each(source, list(labels), lambda data, file: read_yolo(data, file, labels[file], classes))
    reading.doubts += told.doubts
    if labels and classes:
        reading.said.append(f"{len(classes):,} class names from {where}")
    elif labels:
        reading.doubts.append("no data.yaml or classes.txt names the classes: their numbers stand for them")
    return reading


def _whole(source: Source, file: str, reading: Reading) -> bytes:
    """A file that says something of others; empty where it cannot be read, which is a doubt."""
    try:
        return source.read(file)
    except UnreadableSample as problem:
        reading.doubts.append(f"{file} cannot be read: {problem.reason} ({problem.detail})")
        return b""


def _resolver(listing: pl.DataFrame) -> Resolve:
    """Content hash and size of parts of files, out of a listing of the files."""
    columns = listing.select("uri", "content_hash", "size_bytes", "reason", "detail")
    known = {row[0]: row[1:] for row in columns.iter_rows()}

    def resolve(uris: Sequence[str | None], fates: Fates) -> list[tuple[str | None, int, str | None]]:
        found: list[tuple[str | None, int, str | None]] = []
        for place, uri in enumerate(uris):
            file, fragment = parted(uri or "")
            file_hash, size, reason, detail = known.get(file, (None, 0, "not_found", "no such file"))
            if reason:
                fates.refuse(place, reason, detail or "")
            found.append((part_hash(file_hash, fragment) if file_hash else None, size, None))
        return found

    return resolve


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")
