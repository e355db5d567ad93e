"""One sample, or a gallery of them: cards, detail, raw bytes, history. Always by id or row, never by path."""

import contextlib
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from assay.contracts.errors import AssayError, UnreadableSample
from assay.contracts.metrics import described
from assay.reading.boxes import boxes_beside, crops_with_outlines, is_part, whole_of
from assay.reading.catalog import Category, Number
from assay.reading.columns import View
from assay.reading.facts import text, thumbnail
from assay.reading.meanings import MEASURES, title
from assay.sources.fragments import parted
from assay.store.files import hash_bytes
from assay.store.snapshots import Snapshot

if TYPE_CHECKING:
    from assay.sources.files import Source

MOST_CARDS = 400
SNIPPET = 600  # characters of text in a card
LARGEST = 1_600  # pixels on the longer side of a large view that is not sent as it is
SOUND_TYPES = {
    b"RIFF": "audio/wav", b"fLaC": "audio/flac", b"OggS": "audio/ogg", b"ID3": "audio/mpeg", b"\xff\xfb": "audio/mpeg",
    b"\xff\xf3": "audio/mpeg", b"FORM": "audio/aiff", b"\x1aE\xdf\xa3": "audio/webm", b"ftyp": "audio/mp4",
}  # fmt: skip
VIDEO_TYPES = {b"\x1aE\xdf\xa3": "video/webm", b"RIFF": "video/x-msvideo"}
PLAYED = {"sound": (SOUND_TYPES, "audio/wav"), "video": (VIDEO_TYPES, "video/mp4")}  # by face: first bytes, or else
BROWSER_TYPES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif"}


def name_at(column: Category, row: int) -> str | None:
    """The name of one row in a category."""
    code = int(column.codes[row])
    return None if code < 0 else column.names[code]


def cards(view: View, rows: np.ndarray, sort: str = "", similarity: np.ndarray | None = None) -> list[dict[str, Any]]:
    """What a gallery shows of some rows, in their order."""
    label, suggested = view.category("label"), _optional(view, "suggested")
    suspicion = view.number("label_issues.score") if _has(view, "label_issues.score") else None
    split = _optional(view, "split")
    duplicate, decision = view.category("duplicate"), view.category("decision")
    column = view.column(sort) if sort and sort not in ("position", "similarity") else None
    captions = captions_of(view)
    found = []
    drawn = crops_with_outlines(view, rows)
    for row, issues, over in zip(rows.tolist(), view.flags_of(rows), drawn, strict=True):
        card = {
            "row": row,
            "id": view.ids[row],
            "label": name_at(label, row),
            "split": name_at(split, row) if split else None,
            "suggested": name_at(suggested, row) if suggested else None,
            "suspicion": _json(suspicion[row]) if suspicion is not None else None,
            "issues": issues,
            "duplicate": name_at(duplicate, row),
            "decision": name_at(decision, row),
            "value": _json(column.values[row]) if isinstance(column, Number) else None,
        }
        if similarity is not None:
            card["similarity"] = _json(similarity[row])
        if over is not None:
            card["outline"] = over
        if captions is not None:
            card["caption"] = (captions[row] or "")[:SNIPPET]
        if not view.has_thumbnails():
            card["text"] = (text(view, row) or "")[:SNIPPET]
        found.append(card)
    return found


def captions_of(view: View) -> list[str | None] | None:
    """The caption of each row, where samples have one."""
    column = view.face.get("caption")
    if not column or column not in view.scan("samples").collect_schema():
        return None
    return view.once(
        "captions",
        lambda: (
            view.scan("samples").sort("position").select(pl.col(column).cast(pl.String)).collect()[column].to_list()
        ),
    )


def peek(view: View, row: int, most: int = 4) -> dict[str, Any]:
    """The card of one row, with its `most` highest scores as `[metric, score]`."""
    names = [entry["key"] for entry in view.catalog() if entry["key"].startswith("scores.")]
    found = [(name.split(".", 1)[1], _json(view.number(name)[row])) for name in names]
    known = [(name, score) for name, score in found if score is not None]
    known.sort(key=lambda pair: -pair[1])
    return cards(view, np.array([row]))[0] | {"scores": known[:most]}


def _has(view: View, key: str) -> bool:
    return any(entry["key"] == key for entry in view.catalog())


def _optional(view: View, key: str) -> Category | None:
    return view.category(key) if _has(view, key) else None


def _json(value: float) -> float | None:
    return None if not np.isfinite(value) else round(float(value), 6)


def detail(view: View, sample_id: str) -> dict[str, Any]:
    """Everything known about one sample. Raises `KeyError` where the snapshot does not have it."""
    row = int(view.rows_of(pl.Series([sample_id], dtype=pl.String))[0])
    if row < 0:
        raise KeyError(f"no sample {sample_id[:200]!r} in snapshot {view.snapshot.number}")
    card = cards(view, np.array([row]))[0]
    here = pl.col("sample_id") == sample_id
    source = view.scan("samples").filter(here).collect().row(0, named=True)
    scores = view.scan("scores").filter(here).sort("score", descending=True).collect()
    label = view.scan("label_issues").filter(here).collect()
    return card | {
        "text": text(view, row),
        "source": {name: _plain(value) for name, value in source.items()},
        "scores": [
            {**line, "title": described(line["metric"]).title, "meaning": described(line["metric"]).meaning}
            for line in scores.drop("sample_id").to_dicts()
        ],
        "label_issue": label.drop("sample_id").to_dicts()[0] if len(label) else None,
        "facts": _facts(view, row),
        "neighbors": neighbors(view, sample_id),
        "group": duplicate_group(view, sample_id),
        "decisions": _decisions(view, sample_id),
        "proposals": view.scan("proposals").filter(here).drop("sample_id").collect().to_dicts(),
        **({"boxes": boxes_beside(view, source["content_hash"])} if is_part(view) else {}),
    }


def _plain(value: object) -> str | int | float | bool | None:
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _facts(view: View, row: int) -> list[dict[str, Any]]:
    names = [entry["key"].split(".", 1)[1] for entry in view.catalog() if entry["key"].startswith("facts.")]
    return [
        {"name": title(name), "value": _json(view.number(f"facts.{name}")[row]), "unit": MEASURES.get(name, "")}
        for name in names
    ]


def neighbors(view: View, sample_id: str, most: int = 24) -> list[dict[str, Any]]:
    """The nearest neighbours of the unit that the sample belongs to, nearest first, as cards with similarity."""
    unit = view.scan("units").filter(pl.col("sample_id") == sample_id).collect()["unit_id"].to_list()
    found = (
        view.scan("neighbors")
        .filter(pl.col("sample_id") == (unit[0] if unit else sample_id))
        .sort("rank")
        .head(most)
        .collect()
    )
    rows = view.rows_of(found["neighbor_id"])
    near = cards(view, rows[rows >= 0])
    similarity = found["similarity"].to_numpy()[rows >= 0]
    return [card | {"similarity": _json(value)} for card, value in zip(near, similarity, strict=True)]


def duplicate_group(view: View, sample_id: str) -> list[dict[str, Any]]:
    """The members of the sample's duplicate group, the kept one first; empty where it has none."""
    group = view.scan("duplicates").filter(pl.col("sample_id") == sample_id).select("group_id").collect()
    if group.is_empty():
        return []
    members = view.scan("duplicates").filter(pl.col("group_id") == group["group_id"][0])
    return group_cards(
        view, members.sort("keep", "similarity", "sample_id", descending=[True, True, False]).head(200).collect()
    )


def group_cards(view: View, members: pl.DataFrame) -> list[dict[str, Any]]:
    """Cards of rows of `duplicates`, with tier, keep and similarity."""
    rows = view.rows_of(members["sample_id"])
    lines = [line for line, row in zip(members.to_dicts(), rows, strict=True) if row >= 0]
    return [
        card | {name: line[name] for name in ("tier", "keep", "similarity")}
        for card, line in zip(cards(view, rows[rows >= 0]), lines, strict=True)
    ]


def _decisions(view: View, sample_id: str) -> list[dict[str, Any]]:
    rows = view.decisions().filter(pl.col("sample_id") == sample_id)
    return rows.with_columns(pl.col("at").dt.to_string("%Y-%m-%d %H:%M")).to_dicts()


def history(snapshots: list[Any], sample_id: str, most: int = 12) -> list[dict[str, Any]]:
    """The sample in the newest `most` snapshots, oldest first: label, content, flagged metrics, label suspicion.

    A snapshot of which the tables for it are lost or damaged is passed over.
    """
    lines: list[dict[str, Any]] = []
    for snapshot in reversed(snapshots):
        if len(lines) < most and snapshot.parts("samples"):
            with contextlib.suppress(pl.exceptions.PolarsError, OSError):
                lines.append(_in_snapshot(snapshot, pl.col("sample_id") == sample_id))
    return lines[::-1]


def _in_snapshot(snapshot: Snapshot, here: pl.Expr) -> dict[str, Any]:
    found = pl.scan_parquet(snapshot.parts("samples")).filter(here).select("label", "content_hash").collect()
    line = {"snapshot": snapshot.number, "created_at": snapshot.manifest.get("created_at", ""), "there": len(found) > 0}
    if len(found):
        line |= {"label": found["label"][0], "content_hash": found["content_hash"][0]} | _judged(snapshot, here)
    return line


def _judged(snapshot: Snapshot, here: pl.Expr) -> dict[str, Any]:
    issues, suspicion = [], []
    if parts := snapshot.parts("scores"):
        issues = pl.scan_parquet(parts).filter(here & pl.col("is_issue")).collect()["metric"].sort().to_list()
    if parts := snapshot.parts("label_issues"):
        suspicion = pl.scan_parquet(parts).filter(here).select("score").collect()["score"].to_list()
    return {"issues": issues, "suspicion": suspicion[0] if suspicion else None}


class Raw:
    """The raw samples behind a snapshot, read through the spec that its manifest keeps."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._source: Source | None = None

    def image(self, row: int) -> tuple[bytes, str]:
        """A large view: the file itself where a browser can show it, else decoded; and its media type.

        Raises:
            AssayError: the source is gone, or this sample is.
        """
        data = self.bytes(row)
        if self.view.face["kind"] in PLAYED:
            kinds, usual = PLAYED[self.view.face["kind"]]
            return data, next(
                (kind for magic, kind in kinds.items() if magic in (data[: len(magic)], data[4:8])), usual
            )
        for magic, kind in BROWSER_TYPES.items():
            if data.startswith(magic):
                return data, kind
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return data, "image/webp"
        return _decoded(data), "image/jpeg"

    def path(self, row: int) -> Path | None:
        """The sample's own file on this machine; None where its source is elsewhere, or it has none."""
        sample = self.view.ids[row]
        uri = self.view.scan("samples").filter(pl.col("sample_id") == sample).select("uri").collect()["uri"]
        found = Path(self._open().root) / uri[0] if len(uri) and uri[0] is not None else None
        return found.resolve() if found is not None and found.is_file() else None

    def bytes(self, row: int) -> bytes:
        """The sample's file as it is; of a part of a picture the whole of it.

        Raises:
            AssayError: it has none, it cannot be read any more, or it has changed since.
        """
        sample = self.view.ids[row]
        uri = self.view.scan("samples").filter(pl.col("sample_id") == sample).select("uri", "content_hash").collect()
        if uri.is_empty() or uri["uri"][0] is None:
            raise AssayError("this sample has no file of its own")
        place, content_hash = uri["uri"][0], uri["content_hash"][0]
        if is_part(self.view):
            place, content_hash = parted(place)[0], whole_of(self.view, content_hash)
        try:
            data = self._open().read(place)
        except UnreadableSample as error:
            raise AssayError(f"the file cannot be read any more ({error.reason.replace('_', ' ')})") from None
        if hash_bytes(data) != content_hash:
            raise AssayError("the file has changed since this snapshot")
        return data

    def _open(self) -> "Source":
        if self._source is None:
            from assay.contracts.spec import make_spec
            from assay.sources.files import open_source

            manifest = self.view.snapshot.manifest
            if "config" not in manifest or "spec_base" not in manifest:
                raise AssayError("this snapshot does not say where its raw samples are")
            self._source = open_source(
                make_spec(manifest["config"], Path(manifest["spec_base"]), "the snapshot's spec")
            )
        return self._source


def _decoded(data: bytes) -> bytes:
    """Any allowed image as a JPEG of at most `LARGEST` pixels a side. Raises `UnreadableSample`."""
    from assay.contracts.spec import Clean
    from assay.modalities.image.decode import decode_rgb

    image = decode_rgb(data, Clean().max_pixels).image
    image.thumbnail((LARGEST, LARGEST))
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def small(view: View, row: int) -> bytes | None:
    """The stored thumbnail."""
    return thumbnail(view, row) if 0 <= row < len(view) else None
