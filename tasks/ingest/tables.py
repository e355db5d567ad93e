"""Samples from tables: which files they are, which uris they name, and their rows read in one pass."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np
import polars as pl

from data_contracts.errors import SourceError, SpecError, UnreadableSample
from data_contracts.spec import Spec
from tasks.ingest.groups import Fates, strings
from tasks.ingest.listing import list_files, refuse_change, stat_all
from tasks.ingest.readers import Batch, reader_of
from tasks.ingest.roles import Roles
from tasks.ingest.rows import CELL_LIMIT, Resolve, TableRows
from tasks.source import Entry, LocalSource, Source, has_wildcard, open_source, source_at
from tasks.stage import Progress, StageWriter, Workspace, atomic_file, hash_text

ENDINGS = ".csv, .tsv, .jsonl, .ndjson, .parquet, .pq"
UNLIMITED = 2**62


@dataclass(frozen=True)
class TableFile:
    """One file of a table source."""

    source: Source
    entry: Entry
    split: str | None
    content_hash: str = ""

    @property
    def name(self) -> str:
        return self.entry.uri


def table_files(spec: Spec) -> list[TableFile]:
    """The files that a table source is made of, in order.

    Raises:
        SourceError: one is missing, is not a regular file, is empty, or has an ending that no reader takes.
    """
    section = spec.source
    if section.files:
        return [_one_file(spec, path, split) for split, path in section.files.items()]
    folder, pattern = _folder_and_pattern(spec)
    if folder is None:
        return [_one_file(spec, section.path, None)]
    entries = [
        entry
        for entry in folder.scan()
        if reader_of(entry.uri) and entry.uri != section.ready_file and (not pattern or matches(entry.uri, pattern))
    ]
    if not entries:
        raise SourceError(f"no table matches {section.path}; wanted files ending in {ENDINGS}")
    return [_checked(folder, entry, None) for entry in entries]


def table_folder(spec: Spec) -> Source:
    """The folder that the tables stand in, where `ready_file` is looked for."""
    return open_source(spec.model_copy(update={"source": spec.source.model_copy(update={"root": ""})}))


def with_digests(workspace: Workspace, files: Sequence[TableFile]) -> list[TableFile]:
    """The files with their content hashes; an unchanged file is not read. Raises `SourceError`."""
    found = []
    for file in files:
        row = list_files(workspace, file.source, [file.entry], f"table {file.name}").row(0, named=True)
        if row["reason"]:
            raise SourceError(f"the table {file.name} cannot be read: {row['reason']} ({row['detail']})")
        found.append(replace(file, content_hash=row["content_hash"]))
    return found


def content_role(spec: Spec, workspace: Workspace, files: Sequence[TableFile]) -> str:
    """Which role holds the samples: a table of texts may instead name files of text.

    Raises:
        SpecError: no table can hold that modality.
    """
    if spec.modality == "vectors":
        return "vector"
    if spec.modality == "text":
        if "text" in spec.source.columns:
            return "text"
        names = _remembered(workspace, "columns", files, "", lambda: first_columns(files))
        uri = spec.source.columns.get("uri", "uri")
        return "uri" if uri in names and "text" not in names else "text"
    if spec.modality in ("image", "audio", "video"):
        return "uri"
    raise SpecError(
        f'modality = "{spec.modality}" cannot come from a table; it takes image, audio, video, text, vectors'
    )


def first_columns(files: Sequence[TableFile]) -> list[str]:
    """The column names in the first batch that has any."""
    for file in files:
        with file.source.open(file.name) as handle:
            for batch in reader_of(file.name)(handle, file.name, ()):
                if batch.columns:
                    return list(batch.columns)
    return []


def uri_listing(spec: Spec, workspace: Workspace, files: Sequence[TableFile]) -> pl.DataFrame:
    """The listing of every file that the tables' `uri` column names, once each, in the order of the uris."""
    column = spec.source.columns.get("uri", "uri")
    uris = _remembered(
        workspace, "uris", files, column, lambda: sorted(set(_uris(files, column, spec.source.null_values)))
    )
    source = open_source(spec)
    return list_files(workspace, source, stat_all(source, uris), "reading files")


def _remembered(
    workspace: Workspace, kind: str, files: Sequence[TableFile], detail: str, compute: Callable[[], list[str]]
) -> list[str]:
    """Strings computed from the tables' contents, kept for nights when these are the same."""
    key = hash_text(repr([(file.name, file.content_hash) for file in files]) + detail)
    where = hash_text(repr([(file.source.root, file.name) for file in files]))
    place = workspace.facts / "files" / f"{kind}-{where}.parquet"
    with contextlib.suppress(Exception):  # absent or damaged: read the tables again
        stored = pl.read_parquet(place)
        if stored["key"][0] == key:
            return stored["value"].to_list()
    values = compute()
    with atomic_file(place) as aside:
        frame = pl.DataFrame({"value": values}, schema={"value": pl.String})
        frame.with_columns(key=pl.lit(key)).write_parquet(aside)
    return values


def read_rows(spec: Spec, writer: StageWriter, files: Sequence[TableFile], content: str, listing: pl.DataFrame | None):
    """All tables read into one `TableRows`. Raises `SourceError` where a file is broken or changes meanwhile."""
    columns = {role: name for role, name in spec.source.columns.items() if not name.endswith(".npy")}
    roles = Roles(content, columns, with_vector=spec.embed.kind == "vectors")
    resolve = _resolver(spec, listing) if listing is not None else None
    rows = TableRows(writer, roles, spec.clean.max_text_characters, resolve)
    beside = _matrix_beside(spec, files)
    first = 0
    for file in files:
        last, progress = -1, Progress(f"bytes of {file.name}", file.entry.size_bytes)
        with file.source.open(file.name) as handle:
            for batch in reader_of(file.name)(handle, file.name, spec.source.null_values):
                if beside is not None and batch.rows:
                    batch.columns["vector"] = _rows_beside(beside, batch)
                rows.take(batch, file.name, file.split, first)
                progress.advance(max(0, handle.tell() - progress.done) if not handle.closed else 0)
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


def matches(uri: str, pattern: str) -> bool:
    """Whether a relative path matches a glob; `*` stays within a folder, `**` stands for any folders."""
    return _match(uri.split("/"), pattern.split("/"))


def _match(steps: list[str], wanted: list[str]) -> bool:
    if not wanted or not steps:
        return not steps and all(step == "**" for step in wanted)
    if wanted[0] == "**":
        return _match(steps, wanted[1:]) or _match(steps[1:], wanted)
    return fnmatchcase(steps[0], wanted[0]) and _match(steps[1:], wanted[1:])


def _folder_and_pattern(spec: Spec) -> tuple[Source | None, str]:
    """The folder to scan and the glob its files must match (empty: all); no folder where `path` is one file."""
    path = spec.source.path
    rules = {"max_file_bytes": UNLIMITED, "follow_symlinks": True, "exclude": spec.source.exclude}
    if has_wildcard(path):
        steps = path.split("/")
        first = next(number for number, step in enumerate(steps) if has_wildcard(step))
        root = "/".join(steps[:first]) or ("/" if path.startswith("/") else ".")
        return _existing(source_at(root, spec.base, **rules)), "/".join(steps[first:])
    if reader_of(path) and not os.path.isdir(spec.base / path):
        return None, ""
    if "://" not in path and os.path.isfile(spec.base / path):
        raise SourceError(f"the table {path} has an ending that is not known; wanted one of {ENDINGS}")
    return _existing(source_at(path, spec.base, **rules)), ""


def _existing(folder: Source) -> Source:
    if isinstance(folder, LocalSource) and not os.path.isdir(folder.root):
        raise SourceError(f"there is no source at {folder.root}; check source.path (relative to the spec's own file)")
    return folder


def _one_file(spec: Spec, path: str, split: str | None) -> TableFile:
    if not reader_of(path):
        raise SourceError(f"the table {path} has an ending that is not known; wanted one of {ENDINGS}")
    folder, _, name = path.rpartition("/")
    folder = folder or ("/" if path.startswith("/") else ".")
    source = source_at(folder, spec.base, max_file_bytes=UNLIMITED, follow_symlinks=True)
    return _at(source, name, split)


def _at(source: Source, name: str, split: str | None) -> TableFile:
    """One named file, which must be there and hold something. Raises `SourceError`."""
    try:
        return _checked(source, source.stat(name), split)
    except UnreadableSample as problem:
        raise SourceError(
            f"the table {name} cannot be read: {problem.reason} ({problem.detail}); "
            "check source.path (relative to the spec's own file)"
        ) from None


def _checked(source: Source, entry: Entry, split: str | None) -> TableFile:
    if entry.reason:
        raise SourceError(f"the table {entry.uri} cannot be read: {entry.reason} ({entry.detail})")
    if entry.size_bytes == 0:
        raise SourceError(f"the table {entry.uri} is empty (0 bytes); run again when it has been written")
    return TableFile(source, entry, split)


def _uris(files: Sequence[TableFile], column: str, null_values: tuple[str, ...]) -> Iterator[str]:
    """Every usable value of the uri column."""
    for file in files:
        with file.source.open(file.name) as handle:
            for batch in reader_of(file.name)(handle, file.name, null_values):
                if column in batch.columns:
                    cells = strings(batch.columns[column], Fates(len(batch.rows)), column, CELL_LIMIT)
                    yield from (uri for uri in cells if uri is not None)


def _resolver(spec: Spec, listing: pl.DataFrame) -> Resolve:
    """Content hash, size and (for a text) text of uris, out of a listing."""
    columns = ("uri", "content_hash", "size_bytes", "reason", "detail")
    known = {row[0]: row[1:] for row in listing.select(columns).iter_rows()}
    source = open_source(spec) if spec.modality == "text" else None

    def resolve(uris: Sequence[str | None], fates: Fates) -> list[tuple[str | None, int, str | None]]:
        found = []
        for place, uri in enumerate(uris):
            content_hash, size, reason, detail = known.get(uri, (None, 0, "missing_uri", "no uri"))
            text = None
            if source and reason is None:
                text, reason, detail = file_text(source, uri, spec.clean.max_text_characters)
            if reason:
                fates.refuse(place, reason, detail or "")
            found.append((content_hash, size, text))
        return found

    return resolve


def file_text(source: Source, uri: str, max_characters: int) -> tuple[str | None, str | None, str | None]:
    """`(text, reason, detail)` of one file: UTF-8, or UTF-16 where a byte-order mark says so; the mark is left out."""
    try:
        data = source.read(uri)
        marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        text = data.decode("utf-16" if marked else "utf-8-sig")
    except UnreadableSample as problem:
        return None, problem.reason, problem.detail
    except UnicodeDecodeError as error:
        return None, "invalid_unicode", f"not UTF-8: {error.reason} at byte {error.start}"
    if len(text) > max_characters:
        return None, "too_large", f"{len(text):,} characters, wanted at most {max_characters:,}"
    return text, None, None


def file_beside(spec: Spec, files: Sequence[TableFile]) -> TableFile | None:
    """The .npy of vectors that `columns.vector` names, in the table's own folder. Raises `SourceError`."""
    name = spec.source.columns.get("vector", "")
    if not name.endswith(".npy"):
        return None
    if len(files) != 1 or not isinstance(files[0].source, LocalSource):
        raise SourceError("a .npy of vectors goes with one local table; give the vectors as a column instead")
    return _at(files[0].source, name, None)


def _matrix_beside(spec: Spec, files: Sequence[TableFile]) -> np.ndarray | None:
    """That file memory-mapped, never unpickled; its rows go with the table's. Raises `SourceError`."""
    beside = file_beside(spec, files)
    if beside is None:
        return None
    name = beside.name
    try:
        matrix = np.load(files[0].source.path(name), mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError) as error:
        raise SourceError(f"{name} cannot be read as a .npy of numbers: {error}") from None
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiu":
        raise SourceError(f"{name} holds {matrix.dtype} of shape {matrix.shape}; wanted numbers of shape (rows, d)")
    return matrix


def _rows_beside(matrix: np.ndarray, batch: Batch) -> list:
    return [matrix[row] if row < len(matrix) else None for row in batch.rows]
