"""Content hashes, atomic and synced writes, hard links."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


def hash_bytes(data: bytes) -> str:
    """BLAKE2b-128 as 32 hex digits: the content hash of the whole project."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def hash_text(text: str) -> str:
    """`hash_bytes` of UTF-8; lone surrogates hash as themselves."""
    return hash_bytes(text.encode("utf-8", "surrogatepass"))


def link_or_copy(source: Path, target: Path) -> None:
    """A hard link where the file system allows one, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary path that becomes `path`, fsynced, when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    os.chmod(name, 0o644)  # mkstemp's 0600 would hide results from colleagues
    try:
        yield Path(name)
        sync_path(Path(name))
        os.replace(name, path)
        sync_path(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def write_json(path: Path, value: object) -> None:
    """Sorted, indented JSON, atomically."""
    with atomic_file(path) as aside:
        aside.write_text(json.dumps(value, indent=2, sort_keys=True, default=str) + "\n", encoding="utf-8")


def sync_path(path: Path) -> None:
    """fsync a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(root: Path) -> None:
    """fsync every file and folder below `root`, deepest first."""
    for folder, _, files in os.walk(root, topdown=False):
        for name in files:
            sync_path(Path(folder) / name)
        sync_path(Path(folder))
