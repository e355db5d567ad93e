"""Digests of files: taken when a file is written, carried beside it, checked when it is used.

A digest is never recomputed from the file as found later, since that would accept any damage. The fast one (XXH3) is
checked when a process first uses a file; SHA-256 is what a snapshot publishes.
"""

import contextlib
import hashlib
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

import xxhash

from assay.store.files import atomic_file, hash_text, write_json

BLOCK = 2**20
SEAL = "seal"  # the key of a JSON file that holds the digest of all others
TRAILER = b"assay-xxh3:"  # before the digest at the end of a file that carries its own
UNFLIPPED_BYTES = 2**16  # of a file in which a flipped bit is looked for: some seconds at most


class FileDigest(TypedDict):
    """A file as it was written: its size and two digests, in hexadecimal."""

    bytes: int
    sha256: str
    xxh3: str


_seen: dict[tuple[int, int, int, int], str] = {}
_lock = threading.Lock()


def take(path: Path) -> FileDigest:
    """The digests of a file that was just written, in one pass."""
    slow, fast, size = hashlib.sha256(), xxhash.xxh3_128(), 0
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            slow.update(block)
            fast.update(block)
            size += len(block)
    with _lock:
        _seen[_state(path)] = fast.hexdigest()
    return {"bytes": size, "sha256": slow.hexdigest(), "xxh3": fast.hexdigest()}


def fast_digest(path: Path) -> str:
    """128-bit XXH3 of a file, read once a process even if it has several names."""
    state = _state(path)
    with _lock:
        if state in _seen:
            return _seen[state]
    fast = xxhash.xxh3_128()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            fast.update(block)
    with _lock:
        _seen[state] = fast.hexdigest()
    return fast.hexdigest()


def _state(path: Path) -> tuple[int, int, int, int]:
    """The part of a file's status that changes when somebody writes to it."""
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def problem_of(path: Path, written: Mapping[str, Any]) -> str | None:
    """What is wrong with a file, in words; None if it is as written, or if its fast digest was never taken.

    Args:
        written: a `FileDigest`, or what a snapshot's manifest says of a file.
    """
    try:
        size = path.stat().st_size
        if size != written["bytes"]:
            return f"{size:,} bytes, written as {written['bytes']:,}"
        wanted = written.get("xxh3")
        return "its content is not what was written" if wanted and fast_digest(path) != wanted else None
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def sealed(values: dict[str, Any]) -> dict[str, Any]:
    """The same with a digest of itself added, to be written as JSON."""
    rest = {key: value for key, value in values.items() if key != SEAL}
    return rest | {SEAL: hash_text(json.dumps(rest, sort_keys=True, default=str))}


def write_sealed(path: Path, values: dict[str, Any]) -> None:
    """Sorted, indented JSON with a digest of itself, atomically."""
    write_json(path, sealed(values))


def read_sealed(path: Path) -> dict[str, Any]:
    """What `write_sealed` wrote; an older file without a seal is believed.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON object, or not what was written.
    """
    values = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise ValueError("not a JSON object")
    if SEAL in values and values[SEAL] != sealed(values)[SEAL]:
        raise ValueError("its content is not what was written")
    return values


def read_mended(path: Path) -> dict[str, Any]:
    """As `read_sealed`; if a single bit of the file has flipped, it is flipped back, and that is reported.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON object, or not what was written, by more than one bit.
    """
    try:
        return read_sealed(path)
    except ValueError as error:
        found = unflipped(path.read_bytes(), is_sealed)
        if found is None:
            print(f"damaged: {path}: {error}; it is made again where possible", file=sys.stderr)
            raise
    with contextlib.suppress(OSError), atomic_file(path) as aside:
        aside.write_bytes(found)
    print(f"damaged: {path}: one bit had turned; it was turned back", file=sys.stderr)
    return dict(json.loads(found))


def is_sealed(data: bytes | bytearray) -> bool:
    """Whether this is JSON with a correct digest of itself."""
    if not data[-8:].rstrip().endswith(b"}"):  # cut off, and not worth the time to read it
        return False
    try:
        values = json.loads(data)
        return isinstance(values, dict) and SEAL in values and values[SEAL] == sealed(values)[SEAL]
    except (ValueError, RecursionError):
        return False


def write_trailed(path: Path, data: bytes) -> None:
    """Write bytes followed by their digest, atomically; for files that are replaced under one name."""
    with atomic_file(path) as aside:
        aside.write_bytes(data + TRAILER + xxhash.xxh3_128_hexdigest(data).encode())


def read_trailed(path: Path) -> bytes:
    """What `write_trailed` wrote; an older file without a digest is believed.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not what was written.
    """
    stored = path.read_bytes()
    data, digest = stored[: -len(TRAILER) - 32], stored[-len(TRAILER) - 32 :]
    if not digest.startswith(TRAILER):
        return stored
    if digest != TRAILER + xxhash.xxh3_128_hexdigest(data).encode():
        raise ValueError("its content is not what was written")
    return data


def unflipped(data: bytes, is_right: Callable[[bytes | bytearray], bool]) -> bytes | None:
    """The same bytes with one bit flipped so that they are right; None where no bit does that, or there are too many to
    try."""
    if len(data) > UNFLIPPED_BYTES:
        return None
    tried = bytearray(data)
    for place in range(len(tried)):
        for bit in range(8):
            tried[place] ^= 1 << bit
            if is_right(tried):
                return bytes(tried)
            tried[place] ^= 1 << bit
    return None
