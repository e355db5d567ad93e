"""CSV, JSONL and Parquet as batches of columns, in bounded memory; a row that cannot be read is set aside.

Text that is not valid Unicode comes out with lone surrogates in it, which `rows.py` refuses row by row; nothing here
raises anything but `SourceError`, which is for a file that is cut off or broken as a whole.
"""

import codecs
import contextlib
import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assay.contracts.errors import SourceError
from assay.sources.columns import is_unicode, printable

BATCH_ROWS = 4096
BATCH_CHARACTERS = 16 * 2**20
LINE_LIMIT = 64 * 2**20  # characters of one CSV record's line, bytes of one JSONL line
HALF_WRITTEN = "the file looks half-written: wait until it is complete (see `source.ready_file`), or mend it"
COLUMN_LIMIT = 2000
NAME_LIMIT = 1000


@dataclass
class Batch:
    """Some rows: their numbers in the file (from 0), their columns (lists or Arrow arrays), and rows set aside."""

    rows: list[int] = field(default_factory=list)
    columns: dict[str, list | pa.Array] = field(default_factory=dict)
    refused: list[tuple[int, str, str]] = field(default_factory=list)  # row, reason, detail
    is_untyped: bool = False  # every value is text (CSV), whatever it stands for
    is_sparse: bool = False  # a column that no row of the batch has is absent (JSONL)


def reader_of(name: str) -> Callable[[BinaryIO, str, tuple[str, ...]], Iterator[Batch]] | None:
    """The reader for a file name's ending: `(file, name, null_values) → batches`; None where there is none."""
    ending = name.lower().rsplit(".", 1)[-1] if "." in name else ""
    return {
        "csv": read_csv,
        "tsv": read_tsv,
        "jsonl": read_jsonl,
        "ndjson": read_jsonl,
        "parquet": read_parquet,
        "pq": read_parquet,
    }.get(ending)


def read_csv(file: BinaryIO, name: str, null_values: tuple[str, ...], delimiter: str = ",") -> Iterator[Batch]:
    """Batches of text cells; cells among `null_values` are None.

    Raises:
        SourceError: no header, two columns of one name, or a last row that is cut off.
    """
    _refuse_utf16(file, name)
    with _Lines(file, name) as lines:
        yield from _csv_batches(lines, name, frozenset(null_values), delimiter)


def _csv_batches(lines: "_Lines", name: str, nulls: frozenset[str], delimiter: str) -> Iterator[Batch]:
    records = csv.reader(lines, delimiter=delimiter)
    csv.field_size_limit(LINE_LIMIT)
    header = _header(_next_record(records, name), name)
    row, pending, size = -1, Batch(), 0
    cells: list[list[str]] = []
    while (record := _next_record(records, name)) is not None:
        if not record:
            continue  # a blank line
        row += 1
        if lines.is_over or (len(record) < len(header) and not lines.ended):
            raise SourceError(f"{name}: the last row (row {row}) is cut off; {HALF_WRITTEN}")
        if len(record) != len(header):
            pending.refused.append((row, "wrong_number_of_fields", f"{len(record)} fields, wanted {len(header)}"))
            continue
        pending.rows.append(row)
        cells.append(record)
        size += sum(map(len, record))
        if len(cells) >= BATCH_ROWS or size >= BATCH_CHARACTERS:
            yield _with_cells(pending, header, cells, nulls)
            pending, cells, size = Batch(), [], 0
    yield _with_cells(pending, header, cells, nulls)


def read_tsv(file: BinaryIO, name: str, null_values: tuple[str, ...]) -> Iterator[Batch]:
    """`read_csv` with tabs between the cells."""
    return read_csv(file, name, null_values, delimiter="\t")


def read_jsonl(file: BinaryIO, name: str, null_values: tuple[str, ...] = ()) -> Iterator[Batch]:
    """Batches of JSON values, one object a line; columns are the keys seen in the batch.

    Raises:
        SourceError: a last line that is cut off, or more than `COLUMN_LIMIT` keys.
    """
    _refuse_utf16(file, name)
    pending, objects, size, row = Batch(), [], 0, -1
    for line, is_whole in _json_lines(file, name):
        if line is not None and not line.strip():
            continue
        row += 1
        found, reason, detail = _json_object(line)
        if reason and not is_whole:
            raise SourceError(f"{name}: the last line (row {row}) is cut off; {HALF_WRITTEN}")
        if reason:
            pending.refused.append((row, reason, detail))
            continue
        pending.rows.append(row)
        objects.append(found)
        size += len(line)
        if len(objects) >= BATCH_ROWS or size >= BATCH_CHARACTERS:
            yield _with_objects(pending, objects, name)
            pending, objects, size = Batch(), [], 0
    yield _with_objects(pending, objects, name)


def read_parquet(file: BinaryIO, name: str, null_values: tuple[str, ...] = ()) -> Iterator[Batch]:
    """Batches of Arrow arrays, sized by the row groups' own uncompressed sizes.

    Raises:
        SourceError: no footer, damaged pages, or two columns of one name.
    """
    try:
        table = pq.ParquetFile(file)
        texts = [column.name for column in table.schema_arrow if _is_text(column.type)]
        unique_names(list(table.schema_arrow.names), name)
        file.seek(0)
        table = pq.ParquetFile(
            file, read_dictionary=texts, page_checksum_verification=True
        )  # a repeated huge cell is held once
        start = 0
        for group in range(table.num_row_groups):
            about = table.metadata.row_group(group)
            per_row = max(about.total_byte_size // max(about.num_rows, 1), 1)
            size = max(min(2 * BATCH_CHARACTERS // per_row, 2 * BATCH_ROWS), 1)
            for batch in table.iter_batches(batch_size=size, row_groups=[group], use_threads=False):
                _refuse_damage(batch, name)
                rows = list(range(start, start + batch.num_rows))
                yield Batch(rows, dict(zip(batch.schema.names, batch.columns, strict=True)))
                start += batch.num_rows
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        problem = f"{type(error).__name__}: {error}"[:300]
        raise SourceError(f"{name} is not a whole Parquet file ({problem}); {HALF_WRITTEN}") from None


def _refuse_damage(batch: pa.RecordBatch, name: str) -> None:
    """Raises `ValueError` where a page that was decoded cannot be true; text is looked at later, cell by cell."""
    for column in batch.columns:
        if pa.types.is_dictionary(column.type):
            last = pc.max(column.indices).as_py()
            first = pc.min(column.indices).as_py()
            if last is not None and not 0 <= first <= last < len(column.dictionary):
                raise ValueError(f"{name} has a dictionary without the entry {last}")
        elif not _is_text(column.type):
            column.validate(full=True)


def unique_names(names: list[str], file: str) -> None:
    """Raises `SourceError` where two columns have one name (upper and lower case are one to SQL), or one has none."""
    seen: dict[str, str] = {}
    for name in names:
        if not name or "\0" in name or not is_unicode(name) or len(name) > NAME_LIMIT:
            raise SourceError(
                f"{file} has a column named {printable(name)!r:.100}; wanted 1 to {NAME_LIMIT} Unicode characters "
                "without NUL: rename it in the file"
            )
        twin = seen.setdefault(name.casefold(), name)
        if twin is not name:
            raise SourceError(
                f"{file} has two columns named {twin!r} and {name!r}; SQL cannot tell them apart: rename one of them"
            )
    if len(names) > COLUMN_LIMIT:
        raise SourceError(f"{file} has {len(names):,} columns; wanted at most {COLUMN_LIMIT:,}")


def _refuse_utf16(file: BinaryIO, name: str) -> None:
    """Raises `SourceError` where a text file begins with a byte-order mark of UTF-16 or UTF-32."""
    start = file.read(2)
    file.seek(0)
    if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise SourceError(f"{name} is encoded in UTF-16; save it as UTF-8")


class _Lines:
    """The lines of a text file, each bounded. `is_over`: the end was met; `ended`: the last line had its line end."""

    def __init__(self, file: BinaryIO, name: str):
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._name = name
        self.is_over, self.ended = False, True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ValueError):  # it is closed already
            self._text.detach()  # whoever opened the file closes it

    def __iter__(self):
        return self

    def __next__(self) -> str:
        line = self._text.readline(LINE_LIMIT + 1)
        if len(line) > LINE_LIMIT:
            raise SourceError(f"{self._name} has a line of more than {LINE_LIMIT:,} characters; {HALF_WRITTEN}")
        if not line:
            self.is_over = True
            raise StopIteration
        self.ended = line[-1] in "\r\n"
        return line


def _next_record(records: Iterator[list[str]], name: str) -> list[str] | None:
    """The next CSV record, None at the end."""
    try:
        return next(records, None)
    except csv.Error as error:
        raise SourceError(f"{name} cannot be read as CSV ({error}); is a quote opened and never closed?") from None


def _header(record: list[str] | None, name: str) -> list[str]:
    """Column names; one without a name is called by its place. Raises `SourceError`."""
    if not record:
        raise SourceError(f"{name} is empty; wanted a header line with the columns' names, then a line per sample")
    names = [cell.strip() or f"column_{place}" for place, cell in enumerate(record, start=1)]
    unique_names(names, name)
    return names


def _with_cells(batch: Batch, header: list[str], cells: list[list[str]], nulls: frozenset[str]) -> Batch:
    batch.is_untyped = True
    columns = list(zip(*cells, strict=True)) if cells else [()] * len(header)
    batch.columns = {
        name: [None if cell in nulls else cell for cell in column] for name, column in zip(header, columns, strict=True)
    }
    return batch


def _json_lines(file: BinaryIO, name: str) -> Iterator[tuple[bytes | None, bool]]:
    """Each line, None for one over `LINE_LIMIT`, and whether it had its line end."""
    first = True
    while line := file.readline(LINE_LIMIT + 1):
        if first:
            line = line.removeprefix(codecs.BOM_UTF8)
            first = False
        if len(line) <= LINE_LIMIT:
            yield line, line.endswith(b"\n")
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(LINE_LIMIT)
        yield None, True


def _json_object(line: bytes | None) -> tuple[dict, str, str]:
    """`(object, reason, detail)` of one line."""
    if line is None:
        return {}, "too_large", f"a line of more than {LINE_LIMIT:,} bytes"
    try:
        found = json.loads(line.decode("utf-8"), object_pairs_hook=_unique_keys)
    except UnicodeDecodeError as error:
        return {}, "invalid_unicode", f"not UTF-8: {error.reason} at byte {error.start}"
    except _TwoKeys as error:
        return {}, "duplicate_key", f"two values for the key {str(error)!r:.100}"
    except (ValueError, RecursionError) as error:
        return {}, "invalid_json", f"{error}"[:200]
    if not isinstance(found, dict):
        return {}, "invalid_json", "not an object"
    if not all(map(is_unicode, found)):
        return {}, "invalid_unicode", "a key with a lone surrogate"
    return found, "", ""


class _TwoKeys(ValueError):
    pass


def _unique_keys(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [key for key, _ in pairs]
        raise _TwoKeys(next(key for key in names if names.count(key) > 1))
    return found


def _with_objects(batch: Batch, objects: list[dict], name: str) -> Batch:
    keys = list(dict.fromkeys(key for found in objects for key in found))
    unique_names(keys, name)
    batch.is_sparse = True
    batch.columns = {key: [found.get(key) for found in objects] for key in keys}
    return batch


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
