"""Rows of Hugging Face datasets that hold files: a Parquet, or the Arrow files of a `save_to_disk` folder.

The column of files is the first struct with `bytes` (as images, sounds and videos are stored there), else the first of
bytes. The label is the column `label`, or one of its other usual names; numbers of classes go by the names in the
features. The files are read in a process of its own, as tables are.
"""

import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

import pyarrow as pa

from assay.contracts.errors import SourceError, UnreadableSample
from assay.sources.batches import Batch, Rules
from assay.sources.carriers import MOST_MEMBERS, Index, Member
from assay.sources.columns import values_of
from assay.sources.worker import read_in_worker

LABEL = "label"


def row_index(open_file: Callable[[], BinaryIO], name: str, most_bytes: int) -> Index:
    """The index of one file: a member is the number of its row.

    Raises:
        UnreadableSample: the file is damaged as a whole, or none of its columns holds files.
    """
    members: list[Member] = []
    labels: dict[str, str] = {}
    broken = ""
    try:
        for batch in _batches(open_file, name):
            column = _files_column(batch)
            for row, (data, path) in zip(batch.rows, _cells(batch.columns[column]), strict=True):
                members.append(_member(str(row), data, path, most_bytes))
            labels |= _labels(batch)
            if len(members) > MOST_MEMBERS:
                broken = f"more than {MOST_MEMBERS:,} rows"
                break
    except SourceError as error:
        if not members:
            raise UnreadableSample("unreadable", str(error)[:300]) from None
        broken = f"after {len(members):,} rows: {str(error)[:250]}"
    return Index(members, _Reader(open_file, name).read, labels, broken)


class _Reader:
    """Reads rows in about their order: what was passed over is read again from the start."""

    def __init__(self, open_file: Callable[[], BinaryIO], name: str) -> None:
        self._open, self._name = open_file, name
        self._lock = threading.Lock()
        self._recent: list[Batch] = []
        self._coming: Iterator[Batch] | None = None

    def read(self, name: str) -> bytes:
        """The bytes of a row. Raises `UnreadableSample`."""
        row = int(name)
        with self._lock:
            for batch in self._recent:
                if batch.rows[0] <= row <= batch.rows[-1]:
                    return self._cell(batch, row)
            try:
                return self._cell(self._forward(row), row)
            except SourceError as error:
                self._coming = None
                raise UnreadableSample("unreadable", str(error)[:300]) from None

    def _forward(self, row: int) -> Batch:
        if self._coming is None or (self._recent and row < self._recent[-1].rows[0]):
            self._coming, self._recent = _batches(self._open, self._name), []
        for batch in self._coming:
            self._recent = [*self._recent[-1:], batch]
            if batch.rows[0] <= row <= batch.rows[-1]:
                return batch
        raise SourceError(f"there is no row {row} any more")

    @staticmethod
    def _cell(batch: Batch, row: int) -> bytes:
        column = batch.columns[_files_column(batch)][row - batch.rows[0] : row - batch.rows[0] + 1]
        data, _ = next(iter(_cells(column)))
        if data is None:
            raise UnreadableSample("not_found", "the row holds no bytes")
        return data


def _batches(open_file: Callable[[], BinaryIO], name: str) -> Iterator[Batch]:
    """Batches that have rows; those of its bytes, in one column of several, have them as Arrow has them."""
    with open_file() as file:
        for batch in read_in_worker(file, name, Rules()):
            if batch.rows:
                yield batch


def _files_column(batch: Batch) -> str:
    """Raises `SourceError` where no column holds files."""
    kinds = {name: column.type for name, column in batch.columns.items() if isinstance(column, pa.Array)}
    structs = [name for name, kind in kinds.items() if pa.types.is_struct(kind) and _has_bytes(kind)]
    plain = [name for name, kind in kinds.items() if pa.types.is_binary(kind) or pa.types.is_large_binary(kind)]
    for name in (*structs, *plain):
        return name
    raise SourceError(
        f"no column holds files: wanted a struct with `bytes`, or bytes; there are {', '.join(batch.columns)[:200]}. "
        'A table of texts, vectors or uris is source.kind = "table"'
    )


def _has_bytes(kind: pa.StructType) -> bool:
    place = kind.get_field_index("bytes")
    return place >= 0 and (pa.types.is_binary(kind[place].type) or pa.types.is_large_binary(kind[place].type))


def _cells(column: pa.Array) -> Iterator[tuple[bytes | None, str | None]]:
    """The bytes of each row, and the path that it names."""
    for value in column:
        found = value.as_py()
        if isinstance(found, dict):
            yield found.get("bytes"), found.get("path")
        else:
            yield found, None


def _member(name: str, data: bytes | None, path: str | None, most_bytes: int) -> Member:
    if data is None and path:
        return Member(name, 0, "outside_root", f"the row names a file of its own ({path[:200]!r}) and holds no bytes")
    if data is None:
        return Member(name, 0, "missing_content", "the row holds no bytes")
    if len(data) > most_bytes:
        return Member(name, len(data), "too_large", f"{len(data):,} bytes, over source.max_file_bytes = {most_bytes:,}")
    return Member(name, len(data))


def _labels(batch: Batch) -> dict[str, str]:
    """The label of each row that has one."""
    named = [name for name in batch.columns if name.casefold() == LABEL] or [
        name for name in batch.columns if name.casefold() in ("labels", "class", "category", "target", "fine_label")
    ]
    if not named:
        return {}
    cells = values_of(batch.columns[named[0]])
    return {
        str(row): str(cell)
        for row, cell in zip(batch.rows, cells, strict=True)
        if isinstance(cell, str | int) and not isinstance(cell, bool)
    }
