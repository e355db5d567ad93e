"""What the readers of tables give: batches of columns, in bounded memory, with what was set aside and what there is to
say; and the rules by which they read."""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pyarrow as pa

from assay.contracts.errors import SourceError
from assay.sources.unicode import is_unicode, printable

BATCH_ROWS = 4096
BATCH_CHARACTERS = 16 * 2**20
LINE_LIMIT = 64 * 2**20  # characters of one CSV record's line, bytes of one JSONL line
HALF_WRITTEN = "the file looks half-written: wait until it is complete (see `source.ready_file`), or mend it"
COLUMN_LIMIT = 2000  # that become columns of `samples`
FILE_COLUMNS = 20_000  # of a file: a vector may stand as one column a number
NAME_LIMIT = 1000


@dataclass
class Batch:
    """Some rows: their numbers in the file (from 0), their columns (lists or Arrow arrays), and rows set aside."""

    rows: list[int] = field(default_factory=list)
    columns: dict[str, Sequence[Any] | pa.Array] = field(default_factory=dict)
    refused: list[tuple[int, str, str]] = field(default_factory=list)  # row, reason, detail
    is_untyped: bool = False  # every value is text (CSV), whatever it stands for
    untyped: frozenset[str] = frozenset()  # or these columns are
    partitions: frozenset[str] = frozenset()  # columns that the folders' names give
    is_sparse: bool = False  # a column that no row of the batch has is absent (JSONL)
    said: list[str] = field(default_factory=list)  # how the file was read
    doubts: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Rules:
    """How a spec wants its tables read; what is empty is read from the file itself (`quote`: None, not empty)."""

    null_values: tuple[str, ...] = ()
    delimiter: str = ""
    quote: str | None = None
    encoding: str = ""


def unique_names(names: list[str], file: str) -> None:
    """Raises `SourceError` where two columns have one name (upper and lower case are one to SQL), or one has none."""
    seen: dict[str, str] = {}
    for name in names:
        if not name or "\0" in name or not is_unicode(name) or len(name) > NAME_LIMIT:
            raise SourceError(
                f"{file} has a column named {printable(name)!r:.100}; wanted 1 to {NAME_LIMIT} Unicode characters "
                "without NUL: rename it in the file, or set source.encoding if it is not UTF-8"
            )
        twin = seen.setdefault(name.casefold(), name)
        if twin is not name:
            raise SourceError(
                f"{file} has two columns named {twin!r} and {name!r}; SQL cannot tell them apart: rename one of them"
            )
    if len(names) > FILE_COLUMNS:
        raise SourceError(f"{file} has {len(names):,} columns; wanted at most {FILE_COLUMNS:,}")


def mark_of(file: BinaryIO) -> str:
    """The encoding that a byte-order mark at a file's beginning names; empty where there is none."""
    start = file.read(4)
    file.seek(0)
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    return "utf-16" if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else ""
