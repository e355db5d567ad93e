"""The document of a snapshot that is about to be published."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

from assay.remote.documents import NIGHTLY, Document, File, Files
from assay.store.files import atomic_file
from assay.store.snapshots import all_files, file_sha256
from assay.store.workspace import Workspace

HASHES = "hashes.json"  # in .remote: the digests of facts, by size and time


def describe(workspace: Workspace, folder: Path, manifest: dict[str, Any], number: int) -> Document:
    """The document of a snapshot and of what its night left behind."""
    entries = [File(file["path"], file["sha256"], file["bytes"]) for file in all_files(manifest)]
    snapshot = Files(
        [file for file in entries if file.path not in NIGHTLY],
        {path: (folder / path).read_bytes() for path in NIGHTLY if (folder / path).is_file()},
    )
    about = {
        "dataset": workspace.dataset,
        "snapshot": number,
        "created_at": manifest.get("created_at", ""),
        "samples": manifest["tables"].get("samples", {}).get("rows", 0),
        "publication": secrets.token_hex(16),
    }
    return Document(about, snapshot, _state(workspace, manifest.get("stages", [])))


def _state(workspace: Workspace, stages: list[str]) -> Files:
    """The outputs of the stages that a snapshot is made of, and all facts."""
    found = Files()
    for name in stages:
        folder = workspace.work / name
        if not (folder / "manifest.json").is_file():
            continue
        text = (folder / "manifest.json").read_bytes()
        found.texts[f"work/{name}/manifest.json"] = text
        for path, file in json.loads(text)["files"].items():
            found.objects.append(File(f"work/{name}/{path}", file["sha256"], file["bytes"]))
    hashes = _Hashes(workspace)
    for path in sorted(workspace.facts.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            name = path.relative_to(workspace.root).as_posix()
            found.objects.append(File(name, hashes.of(path, name), path.stat().st_size))
    hashes.write()
    return found


class _Hashes:
    """SHA-256 of facts, taken once as long as size and time stay."""

    def __init__(self, workspace: Workspace) -> None:
        self._path = workspace.root / ".remote" / HASHES
        self._now: dict[str, list[Any]] = {}
        try:
            self._before = dict(json.loads(self._path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            self._before = {}

    def of(self, path: Path, name: str) -> str:
        """A file's, by its name below the dataset."""
        state = os.stat(path)
        known = self._before.get(name)
        if not known or known[:2] != [state.st_size, state.st_mtime_ns]:
            known = [state.st_size, state.st_mtime_ns, file_sha256(path)]
        self._now[name] = known
        return str(known[2])

    def write(self) -> None:
        """Keep them for the next night."""
        if self._now != self._before:
            with atomic_file(self._path) as aside:
                aside.write_text(json.dumps(self._now), encoding="utf-8")
