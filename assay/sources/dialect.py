"""How a CSV is written, read from its first megabyte: what parts its cells, whether `"` quotes, which encoding.

The delimiter is the usual one wherever the header has it and the records agree; `"` quotes where the records come
out whole with it, and is a character like any other where they only come out whole without. Each choice that is not
the usual one is said, and where another reading fits as well that is doubted. The encoding is never guessed: bytes
that are not UTF-8 give a proposal.
"""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from assay.contracts.errors import SourceError
from assay.sources.batches import LINE_LIMIT, Rules, mark_of

if TYPE_CHECKING:
    from _csv import Reader

HEAD = 2**20  # bytes looked at
SOME = 200  # lines looked at for what parts the cells
MARKS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
AGREE = 0.95  # of the records, with as many fields as the header
SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)  # Excel's first line
WESTERN = 0.3  # share of bytes beyond ASCII among the letters, above which a text is not of a Latin script


@dataclass(frozen=True)
class Dialect:
    """How one file is written. `quote` is empty where nothing quotes; `skip`: lines before the header."""

    delimiter: str
    quote: str = '"'
    escape: str | None = None
    encoding: str = "utf-8-sig"
    skip: int = 0
    said: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def reader(self, lines: Iterable[str]) -> "Reader":
        """A strict `csv.reader` over lines."""
        return csv.reader(
            lines, delimiter=self.delimiter, quotechar=self.quote or None, escapechar=self.escape, strict=True,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
        )  # fmt: skip


@dataclass
class Fit:
    """How well a dialect reads some lines."""

    fields: int = 0  # of the header
    records: int = 0
    broken: int = 0  # lines of records that are not whole, or have another number of fields
    spans: int = 0  # records of more than one line
    wrapped: int = 0  # cells that begin and end with the quote

    @property
    def is_good(self) -> bool:
        """Several columns, and the records agree."""
        return self.fields > 1 and self.broken <= (1 - AGREE) * max(self.records, 1)


def sniff(file: BinaryIO, name: str, rules: Rules, usual: str) -> Dialect:
    """The dialect of a file that stands at its beginning, and does again afterwards.

    Raises:
        SourceError: the file is UTF-16 or UTF-32 without a mark.
    """
    csv.field_size_limit(LINE_LIMIT)
    mark = mark_of(file)
    data = file.read(HEAD)
    file.seek(0)
    said: list[str] = []
    doubts: list[str] = []
    encoding = rules.encoding or mark or "utf-8-sig"
    if encoding.replace("_", "-").lower() in ("utf-8", "utf8"):
        encoding = "utf-8-sig"  # a mark is no part of the first column's name
    if not rules.encoding and not mark:
        _refuse_unmarked(data, name)
        doubts += _other_encoding(data, name)
    lines = _lines(
        data.decode(encoding, "surrogateescape" if "utf-16" not in encoding else "replace"), len(data) == HEAD
    )
    skip = 0
    delimiter = rules.delimiter
    if lines and (match := SEPARATOR_LINE.fullmatch(lines[0])):
        skip, delimiter = 1, delimiter or match[1]
    lines = lines[skip:]
    if not delimiter:
        delimiter = _delimiter(lines[:SOME], rules.quote, usual, name, said, doubts)
    quote, escape = rules.quote, None
    if quote is None:
        quote, escape = _quote(lines, delimiter, len(data) == HEAD, name, said, doubts)
    return Dialect(delimiter, quote, escape, encoding, skip, said, doubts)


def _delimiter(lines: list[str], quote: str | None, usual: str, name: str, said: list[str], doubts: list[str]) -> str:
    """What parts the cells."""
    quotes = ('"', "") if quote is None else (quote,)
    header = lines[0] if lines else ""
    fits = {
        mark: min((fit(lines, Dialect(mark, sign)) for sign in quotes), key=lambda found: found.broken)
        for mark in dict.fromkeys((usual, *MARKS))
        if mark == usual or mark in header
    }
    good = sorted((mark for mark in fits if fits[mark].is_good), key=lambda mark: (mark != usual, -fits[mark].fields))
    if not good:
        others = [f"{header.count(mark)} {MARKS[mark]}" for mark in MARKS if mark != usual and mark in header]
        if usual not in header and others:
            doubts.append(
                f"the header of {name} has no {MARKS[usual][:-1]} but {' and '.join(others)}: if these part the "
                "columns, set source.delimiter"
            )
        return usual
    chosen = good[0]
    if chosen != usual:
        said.append(f"{name}: {MARKS[chosen]} part the columns, as its header says (source.delimiter = {chosen!r})")
    doubts += [
        f"{name}: {MARKS[other]} would part every record too, into {fits[other].fields} columns where "
        f"{MARKS[chosen]} give {fits[chosen].fields}: source.delimiter = {other!r} reads it so"
        for other in good[1:]
    ]
    return chosen


def _quote(
    lines: list[str], delimiter: str, is_cut: bool, name: str, said: list[str], doubts: list[str]
) -> tuple[str, str | None]:
    """`(quote, escape)`: whether `"` quotes a cell, and whether a backslash keeps one inside."""
    if not any('"' in line for line in lines):
        return '"', None
    quoted, plain = (fit(lines, Dialect(delimiter, mark), is_cut) for mark in ('"', ""))
    if quoted.broken and any('\\"' in line for line in lines):
        escaped = fit(lines, Dialect(delimiter, '"', "\\"), is_cut)
        if escaped.broken < min(quoted.broken, plain.broken) and escaped.fields == quoted.fields:
            said.append(f"{name}: a backslash keeps a quotation mark inside a quoted cell")
            return '"', "\\"
    if lines[0].lstrip().startswith('"'):
        return '"', None
    if plain.fields > 1 and (plain.broken < quoted.broken or (plain.broken == quoted.broken and quoted.spans)):
        said.append(
            f'{name}: quotation marks are characters like any other (source.quote = ""): taken for quotes, '
            f"{quoted.broken:,} lines would not be whole and {quoted.spans:,} records span lines"
        )
        return "", None
    if delimiter == "\t" and quoted.wrapped and plain.broken == 0 and not any('""' in line for line in lines):
        doubts.append(
            f"{name}: {quoted.wrapped:,} cells stand in quotation marks, which are taken away; "
            'source.quote = "" keeps them'
        )
    return '"', None


def fit(lines: list[str], dialect: Dialect, is_cut: bool = True) -> Fit:
    """How well `dialect` reads `lines`; where these are the beginning of more, the last record may lack its end."""
    found = Fit()
    records = dialect.reader(iter(lines))
    before = 0
    while True:
        is_whole = True
        try:
            record = next(records, None)
        except csv.Error as error:
            record, is_whole = [], f"{error}" == "unexpected end of data" and is_cut
        if record is None:
            return found
        n_lines, before = records.line_num - before, records.line_num
        if not record and is_whole:
            continue
        found.fields = found.fields or len(record)
        found.records += 1
        found.spans += n_lines > 1 and bool(record)
        if len(record) != found.fields:
            found.broken += n_lines
        elif dialect.quote:
            found.wrapped += _wrapped(lines[before - 1], dialect)


def _wrapped(line: str, dialect: Dialect) -> int:
    cells = line.rstrip("\r\n").split(dialect.delimiter)
    return sum(len(cell) > 1 and cell[0] == cell[-1] == dialect.quote for cell in cells)


def _lines(text: str, is_cut: bool) -> list[str]:
    """The lines of a file's beginning, with their ends; the last is left out where it is cut."""
    lines = list(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    return lines[:-1] if is_cut and len(lines) > 1 else lines


def _refuse_unmarked(data: bytes, name: str) -> None:
    """Raises `SourceError` where every second byte of the first ones is NUL."""
    start = data[:200]
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros = start[first::2]
        if len(zeros) > 4 and zeros.count(0) > 0.9 * len(zeros) and start[1 - first :: 2].count(0) == 0:
            raise SourceError(f'{name} looks like UTF-16 without a mark; set source.encoding = "{encoding}"')


def _other_encoding(data: bytes, name: str) -> list[str]:
    """A proposal where bytes are not UTF-8."""
    for number, line in enumerate(data.splitlines()[: -1 if len(data) == HEAD else None], start=1):
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            beyond = sum(byte > 127 for byte in data)
            letters = beyond + sum(bytes([byte]).isalpha() for byte in data if byte < 128)
            if beyond > WESTERN * letters:
                return [
                    f"{name} is not UTF-8 (line {number}): set source.encoding to what wrote it, such as cp1251, "
                    "shift_jis, gb18030 or cp1252"
                ]
            shown = line.decode("cp1252", "replace").strip()
            return [
                f"{name} is not UTF-8 and looks like Windows-1252, as which line {number} reads {shown!r:.80}: "
                'if that is right, set source.encoding = "cp1252"'
            ]
    return []
