"""Small datasets as `embed` receives them, and a tiny open_clip model of random weights."""

import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from assay.contracts.spec import make_spec
from assay.store.files import hash_bytes, hash_text
from assay.store.stage import StageOutput, run_stage, write_rows
from assay.store.workspace import Workspace

TINY = {
    "model_cfg": {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 1},
    },
    "preprocess_cfg": {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3], "interpolation": "bicubic"},
}


def photo(seed: int, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """A smooth random picture, RGB."""
    small = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, file_format: str = "PNG", **options) -> bytes:
    """The bytes of an image file."""
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def samples_frame(hashes: list[str], uris: list[str | None], modality: str, sizes: list[int]) -> pl.DataFrame:
    """Rows of `samples` in order."""
    n = len(hashes)
    return pl.DataFrame(
        {
            "sample_id": [f"s{row:05d}" for row in range(n)],
            "position": list(range(n)),
            "uri": uris,
            "content_hash": hashes,
            "modality": [modality] * n,
            "label": [None] * n,
            "split": [None] * n,
            "size_bytes": sizes,
        },
        schema_overrides={"uri": pl.String, "label": pl.String, "split": pl.String, "content_hash": pl.String},
    )


def stage_of(workspace: Workspace, stage: str, tables: dict[str, pl.DataFrame]) -> StageOutput:
    """A finished stage with these tables; its key follows from what is in them."""

    def body(writer):
        for name, frame in tables.items():
            write_rows(writer, name, frame)

    content = {name: hash_text(str(frame.to_dicts())) for name, frame in tables.items()}
    return run_stage(workspace, stage, version=1, tables=tuple(tables), config=content, inputs=[], body=body)


class ImageSet:
    """A folder of image files and what ingest and clean say of it."""

    def __init__(self, root: Path, files: dict[str, bytes]):
        self.root, self.files = root, files
        for name, data in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)

    def spec(self, **embed):
        """A spec over the folder."""
        values = {"name": "pictures", "modality": "image", "source": {"kind": "folder", "path": str(self.root)}}
        return make_spec({**values, "embed": embed}, base=self.root)

    def hashes(self) -> list[str]:
        return [hash_bytes(data) for data in self.files.values()]

    def inputs(self, workspace: Workspace) -> tuple[StageOutput, StageOutput]:
        """Outputs of ingest and clean."""
        sizes = [len(data) for data in self.files.values()]
        frame = samples_frame(self.hashes(), list(self.files), "image", sizes)
        return stage_of(workspace, "ingest", {"ingested": frame}), stage_of(workspace, "clean", {"samples": frame})


class TextSet:
    """Texts and what ingest and clean say of them."""

    def __init__(self, root: Path, texts: list[str]):
        self.root, self.texts = root, texts

    def spec(self, **embed):
        """A spec over a table of texts."""
        values = {"name": "words", "modality": "text", "source": {"kind": "table", "path": "texts.csv"}}
        return make_spec({**values, "embed": embed}, base=self.root)

    def inputs(self, workspace: Workspace) -> tuple[StageOutput, StageOutput]:
        """Outputs of ingest and clean."""
        hashes = [hash_text(text) for text in self.texts]
        frame = samples_frame(hashes, [None] * len(hashes), "text", [len(text) for text in self.texts])
        n = len(hashes)
        facts = pl.DataFrame(
            {
                "content_hash": hashes, "text": self.texts, "clean_text": self.texts, "changes": [[]] * n,
                "language": [None] * n, "language_confidence": [None] * n, "n_characters": [1] * n, "n_words": [1] * n,
                "n_tokens": [1] * n, "repetition": [0.0] * n, "uppercase": [0.0] * n, "symbols": [0.0] * n,
                "damaged": [0.0] * n, "normalized_hash": hashes, "minhash": [[1]] * n,
            },
            schema_overrides={"changes": pl.List(pl.String), "language": pl.String, "language_confidence": pl.Float64},
        ).unique("content_hash", keep="first", maintain_order=True)  # fmt: skip
        cleaned = stage_of(workspace, "clean", {"samples": frame, "text_facts": facts})
        return stage_of(workspace, "ingest", {"ingested": frame}), cleaned


class VectorSet:
    """Vectors of the user and what ingest and clean say of them."""

    def __init__(self, root: Path, vectors: list[list[float] | None]):
        self.root, self.vectors = root, vectors

    def spec(self, **embed):
        """A spec over a table of vectors."""
        values = {"name": "points", "modality": "vectors", "source": {"kind": "table", "path": "points.parquet"}}
        return make_spec({**values, "embed": embed}, base=self.root)

    def hashes(self) -> list[str]:
        return [hash_text(f"{row} {vector}") for row, vector in enumerate(self.vectors)]

    def inputs(self, workspace: Workspace) -> tuple[StageOutput, StageOutput]:
        """Outputs of ingest and clean."""
        hashes = self.hashes()
        frame = samples_frame(hashes, [None] * len(hashes), "vectors", [0] * len(hashes))
        contents = pl.DataFrame(
            {"content_hash": hashes, "text": [None] * len(hashes), "vector": self.vectors},
            schema={"content_hash": pl.String, "text": pl.String, "vector": pl.List(pl.Float32)},
            strict=False,
        )
        ingested = stage_of(workspace, "ingest", {"ingested": frame, "contents": contents})
        return ingested, stage_of(workspace, "clean", {"samples": frame})


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path / "home", "dataset")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> Path:
    """A folder in open_clip's own format with a ViT of random weights."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("models") / "tiny"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps(TINY), encoding="utf-8")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.create_model(f"local-dir:{folder}", load_weights=False, pretrained_text=False)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture
def pictures(tmp_path) -> ImageSet:
    """Twelve small pictures, two of them byte for byte the same."""
    files = {f"{row:02d}.png": encoded(photo(row % 11)) for row in range(12)}
    return ImageSet(tmp_path / "pictures", files)
