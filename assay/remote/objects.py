"""A thin client of one home's objects: few verbs, each tried again where that may help, each failure in clear words.

Keys are relative to the home's prefix. What is written under a name that says what it holds may be written twice; what
must be first is written by `create`, which S3 decides (`If-None-Match: *`).
"""

import functools
import hashlib
import random
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from assay.contracts.errors import StoreError
from assay.remote.address import Address
from assay.remote.connect import connect
from assay.remote.words import in_words, may_pass

PAUSES = (0.5, 2.0, 5.0)  # seconds before each further try, up to half as long again
PIECE_BYTES = 32 * 2**20  # of a large object, read at once
PROBES = "probes/"
Result = TypeVar("Result")


@dataclass(frozen=True)
class Listed:
    """An object, as a listing tells of it."""

    key: str
    size: int
    modified: datetime
    etag: str

    @property
    def name(self) -> str:
        """The key's last part."""
        return self.key.rpartition("/")[2]


class Objects:
    """The objects below a home's address.

    Raises:
        StoreError: the store cannot be used; the message says why, and what to do.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._store = connect(address)

    def get(self, key: str) -> bytes:
        """An object's bytes. Raises `MissingError` where there is none."""
        import obstore

        return self._tried(key, lambda: obstore.get(self._store, key).bytes().to_bytes())

    def fetch(self, key: str, size: int, sha256: str, target: Path) -> None:
        """An object as a file, its digest checked.

        Raises:
            MissingError: there is no such object.
            StoreError: it is not what was written.
        """
        import obstore

        digest = hashlib.sha256()
        with target.open("wb") as file:
            for start in range(0, size, PIECE_BYTES):
                end = start + PIECE_BYTES
                read = functools.partial(obstore.get_range, self._store, key, start=start, end=min(end, size))
                piece = self._tried(key, read)
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != sha256 or target.stat().st_size != size:
            raise StoreError(
                f"{self.address}/{key} is not what was written there; delete it, and `assay push` "
                "from a home that has the file sends it again"
            )

    def put(self, key: str, data: bytes | Path) -> None:
        """Write an object, whatever was there."""
        import obstore

        self._tried(key, lambda: obstore.put(self._store, key, data))

    def create(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one; whether that which is there now is ours.

        An answer may be lost after the object was written, and the next try then meets our own: bytes must be unique.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        def write() -> bool:
            try:
                obstore.put(self._store, key, data, mode="create", use_multipart=False)
                return True
            except (AlreadyExistsError, PreconditionError):
                return False

        return self._tried(key, write) or self.get(key) == data

    def below(self, prefix: str) -> list[Listed]:
        """All objects whose key is below `prefix`, a folder's name."""
        import obstore

        def whole() -> list[Listed]:
            pages = obstore.list(self._store, prefix.rstrip("/"), chunk_size=1000)
            return [
                Listed(one["path"], one["size"], one["last_modified"], (one["e_tag"] or "").strip('"'))
                for page in pages
                for one in page
            ]

        return sorted(self._tried(prefix, whole), key=lambda one: one.key)

    def folders(self) -> list[str]:
        """The names of the folders right below the home: its datasets."""
        import obstore

        found = self._tried("", lambda: obstore.list_with_delimiter(self._store))
        names = {prefix.rstrip("/") for prefix in found["common_prefixes"]} - {PROBES.rstrip("/")}
        return sorted(name for name in names if not name.startswith("."))

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; one that is gone already is no error."""
        import obstore

        if doomed := list(keys):
            self._tried(doomed[0], lambda: obstore.delete(self._store, doomed))

    def probe(self) -> datetime:
        """Try whether the store keeps the promise that publishing rests on; returns the store's own time.

        Raises:
            StoreError: it ignores `If-None-Match`, or cannot be written to.
        """
        import obstore

        key = f"{PROBES}{secrets.token_hex(16)}"
        first, second = self.create(key, b"first"), self.create(key, b"second")
        head = self._tried(key, lambda: obstore.head(self._store, key))
        try:
            self.delete([key])
        except StoreError as error:  # who may write need not be allowed to delete
            if "AccessDenied" not in str(error):
                raise
        if not first or second:
            raise StoreError(
                f"{self.address} is on a store that ignores `If-None-Match: *`: the same key was written twice, where "
                "the second was to be refused. Two publishers would overwrite each other there; use a store that keeps "
                "to it (Amazon S3 does), or a home on a disk"
            )
        return head["last_modified"]

    def _tried(self, key: str, work: Callable[[], Result]) -> Result:
        """The result of `work`, tried again after a while where the store or the way to it failed."""
        from obstore.exceptions import BaseError

        for pause in (*PAUSES, None):
            try:
                return work()
            except (BaseError, OSError, ValueError) as error:
                if pause is None or not may_pass(error):
                    raise in_words(self.address, key, error) from None
                time.sleep(pause * random.uniform(1.0, 1.5))
        raise AssertionError
