"""Samples from tables: what holds them, which files their uris name, and their rows read in one pass."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import polars as pl

from assay.contracts.errors import SourceError, UnreadableSample
from assay.contracts.spec import Spec
from assay.sources.batches import Batch
from assay.sources.columns import Fates, strings
from assay.sources.files import LocalSource, Source, open_source
from assay.sources.fragments import part_hash, parted, region_of
from assay.sources.listing import list_files, refuse_change, stat_all
from assay.sources.roles import Roles
from assay.sources.rows import CELL_LIMIT, Resolve, TableRows
from assay.sources.table_files import TableFile, file_beside, read_batches, remembered, rules_of
from assay.store.progress import Progress
from assay.store.stage import StageWriter
from assay.store.workspace import Workspace


def content_role(spec: Spec, workspace: Workspace, files: Sequence[TableFile]) -> str:
    """Which role holds the samples: a table of texts may instead name files of text."""
    content = spec.data.content
    if content == "vector":
        return "vector"
    if content == "text":
        if "text" in spec.source.columns:
            return "text"
        names = remembered(workspace, "columns", files, repr(rules_of(spec)), lambda: first_columns(spec, files))
        uri = spec.source.columns.get("uri", "uri")
        return "uri" if uri in names and "text" not in names else "text"
    return "uri"


def first_columns(spec: Spec, files: Sequence[TableFile]) -> list[str]:
    """The column names in the first batch that has any."""
    for file in files:
        with file.source.open(file.name) as handle:
            for batch in read_batches(file, rules_of(spec), handle):
                if batch.columns:
                    return list(batch.columns)
    return []


def uri_listing(spec: Spec, workspace: Workspace, files: Sequence[TableFile]) -> pl.DataFrame:
    """The listing of every file that the tables' `uri` column names, once each, in the order of the uris."""
    column = spec.source.columns.get("uri", "uri")
    uris = remembered(
        workspace, "uris", files, column + repr(rules_of(spec)), lambda: sorted(set(_uris(spec, files, column)))
    )
    if spec.data.reader:
        uris = sorted({parted(uri)[0] for uri in uris})
    source = open_source(spec)
    return list_files(workspace, source, stat_all(source, uris), "reading files", spec.source.reread_days)


def read_rows(
    spec: Spec, writer: StageWriter, files: Sequence[TableFile], content: str, listing: pl.DataFrame | None
) -> TableRows:
    """All tables read into one `TableRows`. Raises `SourceError` where a file is broken or changes meanwhile."""
    columns = {role: name for role, name in spec.source.columns.items() if not name.endswith(".npy")}
    roles = Roles(content, columns, with_vector=spec.embed.kind == "vectors")
    resolve = _resolver(spec, listing) if listing is not None else None
    rows = TableRows(writer, roles, spec.clean.max_text_characters, resolve, spec.source.label_separator)
    beside = _matrix_beside(spec, files)
    first = 0
    for file in files:
        last, progress = -1, Progress(f"bytes of {file.name}", file.entry.size_bytes)
        with file.source.open(file.name) as handle:
            for batch in read_batches(file, rules_of(spec), handle):
                if beside is not None and batch.rows:
                    batch.columns["vector"] = _rows_beside(beside, batch)
                rows.take(batch, file.name, file.split, first)
                progress.advance(max(0, handle.tell() - progress.done))
                last = max([last, *batch.rows[-1:], *(row for row, _, _ in batch.refused)])
        if beside is not None and last + 1 != len(beside):
            raise SourceError(
                f"{spec.source.columns['vector']} has {len(beside):,} vectors, and {file.name} {last + 1:,} rows; "
                "they must go row by row"
            )
        refuse_change(file.source, file.entry)
        first += last + 1
    roles.refuse_absent(rows.seen_columns, ", ".join(file.name for file in files[:5]))
    return rows


def _uris(spec: Spec, files: Sequence[TableFile], column: str) -> Iterator[str]:
    """Every usable value of the uri column."""
    for file in files:
        with file.source.open(file.name) as handle:
            for batch in read_batches(file, rules_of(spec), handle):
                if column in batch.columns:
                    cells = strings(batch.columns[column], Fates(len(batch.rows)), column, CELL_LIMIT)
                    yield from (uri for uri in cells if uri is not None)


def _resolver(spec: Spec, listing: pl.DataFrame) -> Resolve:
    """Content hash, size and (for a text) text of uris, out of a listing."""
    columns = ("uri", "content_hash", "size_bytes", "reason", "detail")
    known = {row[0]: row[1:] for row in listing.select(columns).iter_rows()}
    source = open_source(spec) if spec.data.content == "text" else None

    def resolve(uris: Sequence[str | None], fates: Fates) -> list[tuple[str | None, int, str | None]]:
        found = []
        for place, uri in enumerate(uris):
            file, fragment = parted(uri) if spec.data.reader and uri else (uri, "")
            content_hash, size, reason, detail = known.get(file, (None, 0, "missing_uri", "no uri"))
            text = None
            if fragment and region_of(fragment) is None:
                reason, detail = "no_box", f"{fragment!r:.60} is not a box; wanted left,top,width,height"
            content_hash = content_hash and part_hash(content_hash, fragment)
            if source and uri and reason is None:
                text, reason, detail = file_text(source, uri, spec.clean.max_text_characters, spec.source.encoding)
            if reason:
                fates.refuse(place, reason, detail or "")
            found.append((content_hash, size, text))
        return found

    return resolve


def file_text(
    source: Source, uri: str, max_characters: int, encoding: str = ""
) -> tuple[str | None, str | None, str | None]:
    """`(text, reason, detail)` of one file, in `encoding`; by default UTF-8, or UTF-16 where a byte-order mark says so.
    The mark is left out."""
    try:
        data = source.read(uri)
        marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        text = data.decode(encoding or ("utf-16" if marked else "utf-8-sig"))
    except UnreadableSample as problem:
        return None, problem.reason, problem.detail
    except UnicodeDecodeError as error:
        return None, "invalid_unicode", f"not {error.encoding.upper()}: {error.reason} at byte {error.start}"
    if len(text) > max_characters:
        return None, "too_large", f"{len(text):,} characters, wanted at most {max_characters:,}"
    return text, None, None


def _matrix_beside(spec: Spec, files: Sequence[TableFile]) -> np.ndarray | None:
    """That file memory-mapped, never unpickled; its rows go with the table's. Raises `SourceError`."""
    beside = file_beside(spec, files)
    if beside is None:
        return None
    name = beside.name
    try:
        matrix = np.load(cast(LocalSource, files[0].source).path(name), mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError) as error:
        raise SourceError(f"{name} cannot be read as a .npy of numbers: {error}") from None
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiu":
        raise SourceError(f"{name} holds {matrix.dtype} of shape {matrix.shape}; wanted numbers of shape (rows, d)")
    return matrix


def _rows_beside(matrix: np.ndarray, batch: Batch) -> list[Any]:
    return [matrix[row] if row < len(matrix) else None for row in batch.rows]
