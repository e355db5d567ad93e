"""What ingest reads of a small folder, without a night around it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from assay.contracts.spec import make_spec
from assay.sources.ingest import ingest
from assay.store.stage import StageOutput
from assay.store.workspace import Workspace


@pytest.fixture
def ingested(tmp_path: Path) -> Callable[..., StageOutput]:
    """`ingested(modality, files, **sections)`: the output of ingest on a folder of these files, by name."""

    def run(modality: str, files: dict[str, str | bytes], columns: dict[str, str] | None = None, **sections):
        for name, data in files.items():
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data.encode() if isinstance(data, str) else data)
        source = {"kind": "folder", "path": "data", "columns": columns or {}, "max_rejects": 1.0}
        values = {"name": "t", "modality": modality, "source": source, **sections}
        return ingest(make_spec(values, tmp_path, "test"), Workspace(tmp_path / "home", "t"))

    return run
