"""CSV and TSV as batches of text cells; a record that cannot be read is set aside line by line, never swallowed."""

import contextlib
import csv
import io
from collections.abc import Iterator
from typing import BinaryIO, Self

from assay.contracts.errors import SourceError
from assay.contracts.spreadsheet import ESCAPED, unescape_cells, unescape_header
from assay.sources.batches import BATCH_CHARACTERS, BATCH_ROWS, HALF_WRITTEN, LINE_LIMIT, Batch, Rules, unique_names
from assay.sources.dialect import Dialect, sniff

RUNAWAY = 8  # lines of a record that each look like a record; of one parted by tabs, 2 are enough
LONG_LINES, LONG_TIMES, LONG_PEERS = 5, 20, 50  # lines, times its peers' mean, peers: from there a record is doubted
OPEN_QUOTE = 'a quotation mark that quotes no cell? source.quote = "" takes it for a character'


def read_csv(file: BinaryIO, name: str, rules: Rules, delimiter: str = ",") -> Iterator[Batch]:
    """Batches of text cells; cells among `rules.null_values` are None.

    Raises:
        SourceError: no header, two columns of one name, or a last row that is cut off.
    """
    dialect = sniff(file, name, rules, delimiter)
    with _Lines(file, name, dialect.encoding) as lines:
        yield Batch(said=dialect.said, doubts=dialect.doubts)
        yield from _Records(lines, name, dialect, frozenset(rules.null_values)).batches()


def read_tsv(file: BinaryIO, name: str, rules: Rules) -> Iterator[Batch]:
    """`read_csv` with tabs between the cells."""
    return read_csv(file, name, rules, delimiter="\t")


class _Records:
    """The records of one file, its header first."""

    def __init__(self, lines: "_Lines", name: str, dialect: Dialect, nulls: frozenset[str]) -> None:
        self._lines, self._name, self._dialect, self._nulls = lines, name, dialect, nulls
        for _ in range(dialect.skip):
            next(lines, None)
        self._records = dialect.reader(lines)
        try:
            self._header = _header(next(self._records, None), name)
        except csv.Error as error:
            raise SourceError(f"the header of {name} cannot be read ({error}); {OPEN_QUOTE}") from None
        lines.taken.clear()
        self._row, self._longest = -1, (0, 0, 0)  # row, lines, characters
        self._n, self._characters = 0, 0

    def batches(self) -> Iterator[Batch]:
        """All rows, some thousand at a time."""
        pending, cells, size = Batch(), [], 0
        header, lines = self._header, self._lines
        while True:
            record = self._next(pending)
            if record is None:
                break
            if not record:
                continue  # a blank line, or what was set aside
            self._row += 1
            if lines.is_over or (len(record) < len(header) and not lines.ended):
                raise SourceError(f"{self._name}: the last row (row {self._row}) is cut off; {HALF_WRITTEN}")
            if len(record) != len(header):
                detail = f"{len(record)} fields, wanted {len(header)}"
                pending.refused.append((self._row, "wrong_number_of_fields", detail))
                continue
            pending.rows.append(self._row)
            cells.append(record)
            size += sum(map(len, record))
            if len(cells) >= BATCH_ROWS or size >= BATCH_CHARACTERS:
                self._count(len(cells), size)
                yield self._with_cells(pending, cells)
                pending, cells, size = Batch(), [], 0
        self._count(len(cells), size)
        pending.doubts += self._long()
        yield self._with_cells(pending, cells)

    def _next(self, pending: Batch) -> list[str] | None:
        """The next record; empty where its lines were set aside; None at the end."""
        taken = self._lines.taken
        try:
            record = next(self._records, None)
        except csv.Error as error:
            if self._lines.is_over and not self._looks_like_records(taken):
                raise SourceError(
                    f"{self._name}: row {self._row + 1} opens a quotation mark that nothing closes ({error}); "
                    f"{HALF_WRITTEN}. Or is it {OPEN_QUOTE}"
                ) from None
            self._set_aside(pending, taken, f"{error}".replace("\t", "\\t"))
            record = []
        if len(taken) > 1 and record:
            few = 2 if self._dialect.delimiter == "\t" else RUNAWAY
            if len(taken) >= few and self._looks_like_records(taken):
                self._set_aside(pending, taken, "each of them has as many fields as the header")
                record = []
            elif len(taken) > self._longest[1]:
                self._longest = (self._row + 1, len(taken), sum(map(len, taken)))
        taken.clear()
        return record

    def _looks_like_records(self, lines: list[str]) -> bool:
        """Whether every line for itself has the header's number of fields."""
        marks = len(self._header) - 1
        return marks > 0 and all(line.count(self._dialect.delimiter) == marks for line in lines)

    def _set_aside(self, pending: Batch, lines: list[str], why: str) -> None:
        """A reject for each line of a record."""
        if len(lines) > 1:
            why = f"one of {len(lines):,} lines that a quotation mark makes one record: {why}; {OPEN_QUOTE}"
        else:
            why = f"{why}; {OPEN_QUOTE}"
        for _ in lines:
            self._row += 1
            pending.refused.append((self._row, "open_quote", why))

    def _count(self, n: int, characters: int) -> None:
        self._n, self._characters = self._n + n, self._characters + characters

    def _long(self) -> list[str]:
        """The longest record of several lines, where it is far longer than its peers."""
        row, n_lines, characters = self._longest
        mean = (self._characters - characters) / max(self._n - 1, 1)
        if n_lines < LONG_LINES or self._n < LONG_PEERS or characters < LONG_TIMES * mean:
            return []
        return [
            f"{self._name}, row {row}: a record of {n_lines:,} lines and {characters:,} characters, where the mean "
            f"is {mean:,.0f}: {OPEN_QUOTE}"
        ]

    def _with_cells(self, batch: Batch, cells: list[list[str]]) -> Batch:
        batch.is_untyped = True
        columns = list(zip(*cells, strict=True)) if cells else [()] * len(self._header)
        nulls = self._nulls
        texts: dict[str, list[str | None]] = {
            name: [None if cell in nulls else cell for cell in column]
            for name, column in zip(self._header, columns, strict=True)
        }
        batch.columns = dict(unescape_cells(texts) if ESCAPED in texts else texts)
        return batch


class _Lines:
    """The lines of a text file, each bounded. `is_over`: the end was met; `ended`: the last line had its line end;
    `taken`: the lines since whoever reads them last cleared it."""

    def __init__(self, file: BinaryIO, name: str, encoding: str) -> None:
        errors = (
            "strict" if encoding.lower().startswith(("utf-16", "utf-32", "utf_16", "utf_32")) else "surrogateescape"
        )
        self._text = io.TextIOWrapper(file, encoding=encoding, errors=errors, newline="")
        self._name, self._encoding = name, encoding
        self.is_over, self.ended = False, True
        self.taken: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ValueError):  # it is closed already
            self._text.detach()  # whoever opened the file closes it

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        try:
            line = self._text.readline(LINE_LIMIT + 1)
        except UnicodeError as error:
            raise SourceError(f"{self._name} is not {self._encoding} throughout ({error}); {HALF_WRITTEN}") from None
        if len(line) > LINE_LIMIT:
            raise SourceError(f"{self._name} has a line of more than {LINE_LIMIT:,} characters; {HALF_WRITTEN}")
        if not line:
            self.is_over = True
            raise StopIteration
        self.ended = line[-1] in "\r\n"
        self.taken.append(line)
        return line


def _header(record: list[str] | None, name: str) -> list[str]:
    """Column names; one without a name is called by its place. Raises `SourceError`."""
    if not record:
        raise SourceError(f"{name} is empty; wanted a header line with the columns' names, then a line per sample")
    names = [cell.strip() or f"column_{place}" for place, cell in enumerate(record, start=1)]
    unique_names(names, name)
    return unescape_header(names)
