"""Made-up outputs of the stages before dedup, from pictures, texts or vectors in memory."""

import io
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from assay.contracts.spec import Spec, make_spec
from assay.contracts.tables import empty
from assay.duplicates.stage import dedup, near_dedup
from assay.modalities.image.pictures import turn_hashes
from assay.modalities.text.facts import minhashes, normalize_text
from assay.store.files import hash_bytes, hash_text
from assay.store.stage import StageOutput, run_stage, write_rows
from assay.store.vectors import vectors_frame
from assay.store.workspace import Workspace


class Night:
    """One night's dedup and near_dedup of `contents`: RGB arrays, texts, or vectors (which are then embedded as is)."""

    def __init__(self, home: Path, contents: list, *, splits=None, vectors=None, shuffle=None, k=20, **dedup_section):
        self.modality = {np.ndarray: "image", str: "text"}.get(type(contents[0]) if contents else str)
        if contents and isinstance(contents[0], np.ndarray) and contents[0].ndim == 1:
            self.modality, vectors = "vectors", np.stack(contents)
        files = [png(c) for c in contents] if self.modality == "image" else []
        self.spec = spec(self.modality, dedup_section, write_files(home / "pictures", files))
        self.workspace = Workspace(home, "night")
        hashes = [hash_bytes(data) for data in files] or [
            hash_text(c) if isinstance(c, str) else hash_bytes(repr(c.shape).encode() + c.tobytes()) for c in contents
        ]
        self.samples = sample_rows(hashes, self.modality, splits, [f"{name}.png" for name in hashes] if files else None)
        facts = {"image": image_rows, "text": text_rows}.get(self.modality, lambda *_: None)(hashes, contents)
        order = np.random.default_rng(shuffle).permutation(len(contents)) if shuffle is not None else slice(None)
        self.cleaned = self._stage("clean", {"samples": self.samples[order], f"{self.modality}_facts": facts}, shuffle)
        self.collapsed = dedup(self.spec, self.workspace, self.cleaned)
        vectors = np.zeros((0, 2), np.float32) if vectors is None else np.asarray(vectors, dtype=np.float32)
        frame = vectors_frame(hashes[: len(vectors)], "made-up", vectors).unique("content_hash", maintain_order=True)
        self.embedded = self._stage("embed", {"vectors": frame if len(frame) else None}, shuffle)
        self.indexed = self._stage("index", {"neighbors": self._neighbors(vectors, k)}, shuffle)
        self.near = near_dedup(self.spec, self.workspace, self.cleaned, self.collapsed, self.embedded, self.indexed)

    def _stage(self, name: str, tables: dict, config) -> StageOutput:
        def body(writer):
            for table, frame in tables.items():
                if frame is not None:
                    write_rows(writer, table, frame)

        names = [table for table, frame in tables.items() if frame is not None]
        key = {"shuffle": config, "samples": self.samples["sample_id"].to_list()}
        return run_stage(self.workspace, name, version=1, tables=names, config=key, inputs=[], body=body)

    def _neighbors(self, vectors: np.ndarray, k: int) -> pl.DataFrame:
        """Exact neighbours of the units."""
        units = self.units()
        rows = np.array([i for i in range(len(vectors)) if units[f"s{i:05d}"] == f"s{i:05d}"], dtype=int)
        found = []
        unit = vectors[rows] / np.maximum(np.linalg.norm(vectors[rows], axis=1, keepdims=True), 1e-12)
        for i, similarity in zip(rows.tolist(), unit @ unit.T, strict=True):
            order = [j for j in np.argsort(-similarity, kind="stable") if rows[j] != i][:k]
            found += [(f"s{i:05d}", r + 1, f"s{rows[j]:05d}", float(similarity[j])) for r, j in enumerate(order)]
        return pl.DataFrame(found, schema=empty("neighbors").schema, orient="row")

    def units(self) -> dict[str, str]:
        return dict(self.collapsed.read("units").iter_rows())

    def groups(self, table: str = "copies") -> set[frozenset[int]]:
        """The groups as sets of positions."""
        frame = (self.near if table == "copies" else self.collapsed).read(table)
        grouped = frame.group_by("group_id").agg("sample_id")["sample_id"]
        return {frozenset(int(sample_id[1:]) for sample_id in group) for group in grouped}

    def rows(self, table: str = "copies") -> dict[int, dict]:
        """Rows of a table of groups by position."""
        frame = (self.near if table == "copies" else self.collapsed).read(table)
        return {int(row["sample_id"][1:]): row for row in frame.to_dicts()}

    def leaks(self) -> set[tuple[int, int]]:
        frame = self.near.read("leaks")
        return {(int(a[1:]), int(b[1:])) for a, b in frame.select("sample_id", "other_id").iter_rows()}


def png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def write_files(folder: Path, files: list[bytes]) -> Path:
    """The pictures under the names of their contents, where the stages find them."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in files:
        (folder / f"{hash_bytes(data)}.png").write_bytes(data)
    return folder


def spec(modality: str, dedup_section: dict, folder: Path) -> Spec:
    source = {"kind": "folder", "path": str(folder)}
    return make_spec({"name": "night", "modality": modality, "source": source, "dedup": dedup_section}, Path("."))


def sample_rows(hashes: list[str], modality: str, splits, uris: list[str] | None = None) -> pl.DataFrame:
    n = len(hashes)
    columns = {
        "sample_id": [f"s{i:05d}" for i in range(n)],
        "position": list(range(n)),
        "uri": uris or [None] * n,
        "content_hash": hashes,
        "modality": [modality] * n,
        "label": [None] * n,
        "split": list(splits) if splits is not None else [None] * n,
        "size_bytes": [10] * n,
    }
    return pl.DataFrame(columns, schema=empty("samples").schema)


def image_rows(hashes: list[str], pictures: list[np.ndarray]) -> pl.DataFrame:
    """`image_facts`; the pixel hash is the content's, so that two contents never have the same pixels."""
    rows = {}
    for content_hash, picture in zip(hashes, pictures, strict=True):
        image, buffer = Image.fromarray(picture), io.BytesIO()
        thumbnail = image.copy()
        thumbnail.thumbnail((128, 128))
        thumbnail.save(buffer, "JPEG", quality=85)
        luminance = np.asarray(image.convert("L").resize((32, 32), Image.Resampling.BILINEAR))
        rows[content_hash] = {
            "content_hash": content_hash, "format": "PNG", "mode": "RGB", "width": image.width, "height": image.height,
            "n_frames": 1, "changes": [], "pixel_hash": content_hash, "luminance": luminance.tobytes(),
            "perceptual_hash": int(turn_hashes(luminance.reshape(1, -1))[0][0]), "thumbnail": buffer.getvalue(),
            "colorfulness": float((picture.max(axis=2) - picture.min(axis=2)).mean() / 255),
        }  # fmt: skip
    blank = {name: None for name in empty("image_facts").columns}
    return pl.DataFrame([{**blank, **row} for row in rows.values()], schema=empty("image_facts").schema)


def text_rows(hashes: list[str], texts: list[str]) -> pl.DataFrame:
    signatures = minhashes(texts)
    blank = {name: None for name in empty("text_facts").columns}
    rows = {
        content_hash: {
            **blank, "content_hash": content_hash, "text": text, "clean_text": text, "changes": [],
            "damaged": 0.0, "n_characters": len(text), "n_words": 1, "n_tokens": 1, "minhash": signature,
            "normalized_hash": hash_text(normalize_text(text)),
        }
        for content_hash, text, signature in zip(hashes, texts, signatures, strict=True)
    }  # fmt: skip
    return pl.DataFrame(list(rows.values()), schema=empty("text_facts").schema)
