"""Read what the report shows, and no more: lazily, table by table; a face (picture or text) for chosen samples only."""

import base64
import io
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from assay.contracts.tables import empty
from assay.reading.columns import NO_FACE, OLDER_FACES

TEXT_CHARACTERS = 400  # of a text shown on a card
CAPTION_CHARACTERS = 120
IMAGE_BYTES = 9_000  # a larger thumbnail is encoded again
IMAGES_BYTES = 3_000_000  # of all thumbnails on cards together; the rest are shown without
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True)
class Tables:
    """The Parquet parts of one snapshot's tables."""

    parts: Mapping[str, list[Path]]
    face: Mapping[str, str] | None = None

    @property
    def shown(self) -> Mapping[str, str]:
        """How samples are shown, as `assay.contracts.modality.Face`; by the tables there are where nobody says."""
        return self.face or next((face for face in OLDER_FACES if self.parts.get(face["facts"])), NO_FACE)

    def scan(self, name: str) -> pl.LazyFrame:
        """The table, lazily; an empty one of its contract where the snapshot has none."""
        parts = self.parts.get(name)
        return pl.scan_parquet(parts) if parts else empty(name).lazy()

    def count(self, name: str) -> int:
        """Rows of the table, from the files' footers."""
        return sum(pq.read_metadata(part).num_rows for part in self.parts.get(name, ()))


@dataclass(frozen=True)
class Face:
    """How one sample looks on a card."""

    sample_id: str
    caption: str  # its uri, or its id
    label: str | None = None
    split: str | None = None
    image: str | None = None  # a data: URI
    text: str | None = None


def collect(frame: pl.LazyFrame) -> pl.DataFrame:
    """The rows, computed in bounded memory."""
    return frame.collect(engine="streaming")


def read_faces(tables: Tables, sample_ids: Iterable[str]) -> dict[str, Face]:
    """A face for each of `sample_ids`; pictures go to the first of them until `IMAGES_BYTES` are used."""
    wanted = list(dict.fromkeys(sample_ids))
    columns = ["sample_id", "uri", "content_hash", "label", "split"]
    chosen = collect(tables.scan("samples").select(columns).filter(pl.col("sample_id").is_in(wanted)))
    rows = {row["sample_id"]: row for row in chosen.iter_rows(named=True)}
    hashes = [rows[key]["content_hash"] for key in wanted if key in rows]
    images = data_uris(tables, hashes)
    texts = read_texts(tables, hashes)
    faces = {}
    for key in wanted:
        row = rows.get(key) or {}
        content = str(row.get("content_hash"))
        caption = printable(row.get("uri") or key, CAPTION_CHARACTERS, from_end=True)
        faces[key] = Face(key, caption, row.get("label"), row.get("split"), images.get(content), texts.get(content))
    return faces


def data_uris(tables: Tables, content_hashes: list[str]) -> dict[str, str]:
    """Thumbnails as `data:` URIs, in the order given, while the budget lasts."""
    thumbnails = read_thumbnails(tables, set(content_hashes))
    uris, spent = {}, 0
    for content_hash in dict.fromkeys(content_hashes):
        data = thumbnails.get(content_hash)
        if not data or spent >= IMAGES_BYTES:
            continue
        if len(data) > IMAGE_BYTES:
            data = shrink(data)
        uris[content_hash] = "data:image/jpeg;base64," + base64.b64encode(data).decode()
        spent += len(uris[content_hash])
    return uris


def read_thumbnails(tables: Tables, content_hashes: set[str]) -> dict[str, bytes]:
    """JPEG thumbnails by content hash, one batch of a part in memory at a time."""
    found: dict[str, bytes] = {}
    facts, preview = tables.shown["facts"], tables.shown["preview"]
    for part in tables.parts.get(facts, ()) if preview else ():
        if len(found) == len(content_hashes):
            break
        file = pq.ParquetFile(part)
        wanted = pl.Series(sorted(content_hashes - found.keys()), dtype=pl.String).to_arrow()
        for batch in file.iter_batches(4096, columns=["content_hash", preview]):
            hit = pc.is_in(batch.column(0), value_set=wanted.cast(batch.schema.field(0).type))
            if pc.any(hit).as_py():
                kept = batch.filter(hit)
                found.update(zip(kept.column(0).to_pylist(), kept.column(1).to_pylist(), strict=True))
    return found


def shrink(data: bytes) -> bytes:
    """The JPEG at no more than 128 pixels a side."""
    with Image.open(io.BytesIO(data)) as opened:
        opened.draft("RGB", (128, 128))
        image = opened.convert("RGB")
        image.thumbnail((128, 128))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


def read_texts(tables: Tables, content_hashes: list[str], length: int = TEXT_CHARACTERS) -> dict[str, str]:
    """The first characters of texts by content hash."""
    facts, column = tables.shown["facts"], tables.shown["text"]
    if not column or not tables.parts.get(facts):
        return {}
    chosen = (
        tables.scan(facts)
        .select("content_hash", pl.col(column).alias("text"))
        .filter(pl.col("content_hash").is_in(content_hashes))
    )
    rows = collect(chosen.with_columns(pl.col("text").str.slice(0, length + 1)))
    return {content_hash: printable(text, length) for content_hash, text in rows.iter_rows()}


def printable(value: object, length: int = 80, from_end: bool = False) -> str:
    """`value` as one short line: shortened with …, control and bidi characters spelled out."""
    text = "" if value is None else str(value)
    if len(text) > length:
        text = "…" + text[1 - length :] if from_end else text[: length - 1] + "…"
    if text.isprintable() and not BIDI.intersection(text):
        return text
    return "".join(_spelled(character) for character in text)


def _spelled(character: str) -> str:
    if character in "\n\t\r":
        return " "
    if character in BIDI or unicodedata.category(character) in ("Cc", "Cs"):
        return f"\\u{ord(character):04x}"
    return character
