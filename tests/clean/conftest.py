"""A workspace, and ingest's output as clean finds it, without running ingest."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from assay.contracts.spec import Spec, make_spec
from assay.modalities.image.cleaning import image_facts
from assay.sources.files import Source
from assay.store import executor
from assay.store.files import hash_bytes, hash_text
from assay.store.stage import StageOutput, run_stage, write_rows
from assay.store.workspace import Workspace

IN_PROCESSES = executor._in_processes


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers do their work in this process, where decodes can be counted; tests of workers take `IN_PROCESSES`."""
    monkeypatch.setattr(executor, "_in_processes", lambda function, batches, *_: map(function, batches))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "home", "test")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.mkdir()
    return path


class MemorySource(Source):
    """Files that are the values of a dictionary."""

    def __init__(self, files: dict[str, bytes]):
        super().__init__(max_file_bytes=10**9)
        self.files = files

    def read(self, uri: str) -> bytes:
        return self.files[uri]


def facts_of(files: list[bytes], **limits: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """What `image_facts` yields of one chunk of files."""
    contents = [(hash_bytes(data), [f"{number}"]) for number, data in enumerate(files)]
    source = MemorySource({f"{number}": data for number, data in enumerate(files)})
    (found,) = image_facts(source, [contents], **{"max_pixels": 10**7, "thumbnail_pixels": 128, **limits})
    return found


def image_spec(folder: Path, **sections) -> Spec:
    source = {"kind": "folder", "path": str(folder), **sections.pop("source", {})}
    return make_spec({"name": "test", "modality": "image", "source": source, **sections}, base=folder)


def text_spec(folder: Path, **sections) -> Spec:
    source = {"kind": "table", "path": "texts.csv", **sections.pop("source", {})}
    return make_spec({"name": "test", "modality": "text", "source": source, **sections}, base=folder)


def ingest_folder(workspace: Workspace, folder: Path, **columns: Callable[[str], str]) -> StageOutput:
    """Every file of `folder` as a sample, in the order of names; `columns` are group columns made from the name."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    rows = [
        {"uri": path.name, "content_hash": hash_bytes(path.read_bytes()), "size_bytes": path.stat().st_size}
        | {name: make(path.name) for name, make in columns.items()}
        for path in files
    ]
    return ingest_rows(workspace, "image", rows)


def ingest_texts(workspace: Workspace, texts: list[str | None]) -> StageOutput:
    """Each text as a sample, ids t0, t1, …"""
    rows = [{"content_hash": hash_text(text or f"null {i}"), "size_bytes": 0} for i, text in enumerate(texts)]
    contents = pl.DataFrame(
        {"content_hash": [row["content_hash"] for row in rows], "text": texts, "vector": None},
        schema_overrides={"text": pl.String, "vector": pl.List(pl.Float32)},
    )
    return ingest_rows(workspace, "text", rows, contents.unique("content_hash", maintain_order=True))


def ingest_rows(
    workspace: Workspace, modality: str, rows: list[dict], contents: pl.DataFrame | None = None
) -> StageOutput:
    """An ingest output of these rows; what they lack is filled in."""
    filled = [
        {"sample_id": row.get("uri") or f"t{i}", "position": i, "uri": None, "modality": modality}
        | {"label": None, "split": None, **row}
        for i, row in enumerate(rows)
    ]
    types = {"uri": pl.String, "label": pl.String, "split": pl.String}
    frame = pl.DataFrame(filled, schema_overrides=types, infer_schema_length=None)

    def body(writer) -> None:
        write_rows(writer, "ingested", frame)
        if contents is not None:
            write_rows(writer, "contents", contents)

    tables = ["ingested"] if contents is None else ["ingested", "contents"]
    night = hash_text(repr(rows))
    return run_stage(
        workspace, "ingest", version=1, tables=tables, config={"night": night}, inputs=[], body=body
    )  # fmt: skip
