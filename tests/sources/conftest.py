"""One call from raw files to the ingest stage's tables."""

from collections.abc import Callable
from pathlib import Path

import pytest

from assay.contracts.spec import make_spec
from assay.sources.ingest import ingest
from assay.store.stage import StageOutput
from assay.store.workspace import Workspace


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., StageOutput]:
    """`run(source, modality, home="home", **sections)` with paths relative to `tmp_path / "data"`."""
    (tmp_path / "data").mkdir()

    def call(source: dict, modality: str, home: str = "home", base: Path | None = None, **sections) -> StageOutput:
        values = {"name": "d", "modality": modality, "source": {"max_rejects": 1.0, **source}, **sections}
        spec = make_spec(values, base=base or tmp_path / "data")
        return ingest(spec, Workspace(tmp_path / home, "d"))

    return call


@pytest.fixture
def data(tmp_path: Path, run) -> Path:
    """The folder that `run` reads from."""
    return tmp_path / "data"


@pytest.fixture
def table(run, data) -> Callable[..., StageOutput]:
    """`table("t.csv", raw bytes or str)`: ingest one text table."""

    def call(name: str, content: bytes | str, modality: str = "text", **source) -> StageOutput:
        content = content if isinstance(content, bytes) else content.encode()
        (data / name).write_bytes(content)
        sections = {"clean": source.pop("clean", {}), "embed": source.pop("embed", {})}
        return run({"kind": "table", "path": name, **source}, modality, **sections)

    return call


@pytest.fixture
def reasons() -> Callable[[StageOutput], list[str]]:
    """The reject reasons in order."""
    return lambda output: output.read("rejects")["reason"].to_list()


@pytest.fixture
def numbers() -> Callable[[StageOutput], dict[str, float]]:
    """dataset_metrics as a dictionary."""

    def call(output: StageOutput) -> dict[str, float]:
        frame = output.read("dataset_metrics")
        return dict(zip(frame["metric"], frame["value"], strict=True))

    return call
