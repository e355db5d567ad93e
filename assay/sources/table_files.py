"""Which files a table source is made of, and strings worth remembering about them."""

import contextlib
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, BinaryIO
from urllib.parse import unquote

import polars as pl

from assay.contracts.errors import DamagedTable, SourceError, UnreadableSample
from assay.contracts.spec import Spec
from assay.sources.batches import Batch, Rules
from assay.sources.columns import values_of
from assay.sources.files import Entry, LocalSource, Source, has_wildcard, open_source, source_at
from assay.sources.label_text import value_text
from assay.sources.listing import list_files
from assay.sources.readers import ENDINGS, reader_of
from assay.store.digests import read_trailed, write_trailed
from assay.store.files import hash_text
from assay.store.workspace import Workspace

UNLIMITED = 2**62
IN_WORKER = (".parquet", ".pq")  # cut or damaged, there is no reading them in part
PARTITION = re.compile(r"([A-Za-z_][\w.-]*)=(.*)")
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class TableFile:
    """One file of a table source."""

    source: Source
    entry: Entry
    split: str | None
    content_hash: str = ""
    partitions: Mapping[str, str | None] = field(default_factory=dict)  # columns that the folders' names give

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
        raise SourceError(f"no table matches {section.path}; wanted files with the extension {ENDINGS}")
    files = [_checked(folder, entry, None) for entry in entries]
    return [replace(file, partitions=partitions_of(file.name)) for file in files]


def partitions_of(uri: str) -> dict[str, str | None]:
    """The columns that folders named `column=value` give, as Hive, Spark and DuckDB write them."""
    found = [match for step in uri.split("/")[:-1] if (match := PARTITION.fullmatch(step))]
    return {match[1]: None if match[2] == NO_VALUE else unquote(match[2]) for match in found}


def read_batches(file: TableFile, rules: Rules, handle: BinaryIO) -> Iterator[Batch]:
    """The batches of one table, with the columns that its folders' names give; a column of the file's own stands.

    Raises:
        SourceError: the file is broken as a whole.
    """
    read = reader_of(file.name)
    if read is None:
        raise SourceError(f"{file.name} is not a table that can be read")
    for batch in read(handle, file.name, rules):
        if batch.rows:
            new = [name for name in file.partitions if name not in batch.columns]
            batch.columns |= {name: [file.partitions[name]] * len(batch.rows) for name in new}
            batch.untyped |= frozenset(new)
            batch.partitions = frozenset(new)
            for name in file.partitions.keys() - set(new):
                first = value_text(values_of(batch.columns[name][:1])[0])
                if first != value_text(file.partitions[name]):
                    batch.doubts.append(
                        f"{file.name}: the folder says {name} = {file.partitions[name]!r}, and the file's own column "
                        f"{first!r}, which stands"
                    )
        yield batch


def rules_of(spec: Spec) -> Rules:
    """How the spec wants its tables read."""
    section = spec.source
    return Rules(section.null_values, section.delimiter, section.quote, section.encoding)


def table_folder(spec: Spec) -> Source:
    """The folder that the tables stand in, where `ready_file` is looked for."""
    return open_source(spec.model_copy(update={"source": spec.source.model_copy(update={"root": ""})}))


def with_digests(workspace: Workspace, files: Sequence[TableFile], reread_days: int) -> list[TableFile]:
    """The files with their content hashes; an unchanged file is not read. Raises `SourceError`."""
    found = []
    for file in files:
        row = list_files(workspace, file.source, [file.entry], f"table {file.name}", reread_days).row(0, named=True)
        if row["reason"]:
            raise SourceError(f"the table {file.name} cannot be read: {row['reason']} ({row['detail']})")
        found.append(replace(file, content_hash=row["content_hash"]))
    return found


def whole_files(
    workspace: Workspace, files: Sequence[TableFile], rules: Rules
) -> tuple[list[TableFile], list[dict[str, str]]]:
    """The files that can be read to their end, and a reject for each Parquet file that cannot be. A file is
    looked through once, when it is new; where it is the only one, by whoever reads it.

    Raises:
        DamagedTable: none of several is whole.
    """
    if len(files) < 2:
        return list(files), []
    problems: dict[str, str] = {}
    for file in files:
        if file.name.lower().endswith(IN_WORKER):
            found = remembered(workspace, "whole", [file], repr(rules), partial(_damage, file, rules))
            problems.update(dict.fromkeys([file.name] * len(found), "".join(found)))
    if len(problems) == len(files):
        raise DamagedTable(next(iter(problems.values())))
    rejects = [
        {"uri": name, "sample_id": name, "reason": "damaged_table", "detail": words} for name, words in problems.items()
    ]
    return [file for file in files if file.name not in problems], rejects


def _damage(file: TableFile, rules: Rules) -> list[str]:
    """Why a file is not whole; nothing where it is."""
    try:
        with file.source.open(file.name) as handle:
            for _ in read_batches(file, rules, handle):
                pass
    except DamagedTable as error:
        return [str(error)]
    return []


def remembered(
    workspace: Workspace, kind: str, files: Sequence[TableFile], detail: str, compute: Callable[[], list[str]]
) -> list[str]:
    """Strings computed from the tables' contents, kept for nights when these are the same."""
    key = hash_text(repr([(file.name, file.content_hash) for file in files]) + detail)
    where = hash_text(repr([(file.source.root, file.name) for file in files]))
    place = workspace.facts / "files" / f"{kind}-{where}.parquet"
    with contextlib.suppress(Exception):  # absent or damaged: read the tables again
        stored = pl.read_parquet(io.BytesIO(read_trailed(place)))
        if stored["key"][0] == key:
            return stored["value"].to_list()
    values = compute()
    buffer = io.BytesIO()
    frame = pl.DataFrame({"value": values}, schema={"value": pl.String})
    frame.with_columns(key=pl.lit(key)).write_parquet(buffer)
    write_trailed(place, buffer.getvalue())
    return values


def file_beside(spec: Spec, files: Sequence[TableFile]) -> TableFile | None:
    """The .npy of vectors that `columns.vector` names, in the table's own folder. Raises `SourceError`."""
    name = spec.source.columns.get("vector", "")
    if not name.endswith(".npy"):
        return None
    if len(files) != 1 or not isinstance(files[0].source, LocalSource):
        raise SourceError("a .npy of vectors goes with one local table; give the vectors as a column instead")
    return _at(files[0].source, name, None)


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
    rules: dict[str, Any] = {"max_file_bytes": UNLIMITED, "follow_symlinks": True}
    rules |= {"include": spec.source.include, "exclude": spec.source.exclude}
    is_there = "://" not in path and os.path.exists(spec.base / path)
    if has_wildcard(path) and not is_there:
        steps = path.split("/")
        first = next(number for number, step in enumerate(steps) if has_wildcard(step))
        root = "/".join(steps[:first]) or ("/" if path.startswith("/") else ".")
        return _existing(source_at(root, spec.base, **rules)), "/".join(steps[first:])
    if reader_of(path) and not os.path.isdir(spec.base / path):
        return None, ""
    if "://" not in path and os.path.isfile(spec.base / path):
        raise SourceError(f"the table {path} has an unknown extension; wanted one of {ENDINGS}")
    return _existing(source_at(path, spec.base, **rules)), ""


def _existing(folder: Source) -> Source:
    if isinstance(folder, LocalSource) and not os.path.isdir(folder.root):
        raise SourceError(f"there is no source at {folder.root}; check source.path (relative to the spec's own file)")
    return folder


def _one_file(spec: Spec, path: str, split: str | None) -> TableFile:
    if not reader_of(path):
        raise SourceError(f"the table {path} has an unknown extension; wanted one of {ENDINGS}")
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
