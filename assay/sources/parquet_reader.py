"""Parquet as batches of Arrow arrays. Class names that stand in the file's own metadata take the place of numbers."""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from assay.contracts.errors import DamagedTable
from assay.sources.batches import BATCH_CHARACTERS, BATCH_ROWS, HALF_WRITTEN, Batch, Rules, unique_names


def read_parquet(file: BinaryIO, name: str, _: Rules) -> Iterator[Batch]:
    """Batches of Arrow arrays, sized by the row groups' own uncompressed sizes.

    Raises:
        DamagedTable: no footer, or damaged pages.
        SourceError: two columns of one name.
    """
    try:
        table = pq.ParquetFile(file)
        texts = [column.name for column in table.schema_arrow if _is_text(column.type)]
        unique_names(list(table.schema_arrow.names), name)
        file.seek(0)
        table = pq.ParquetFile(
            file, read_dictionary=texts, page_checksum_verification=True
        )  # a repeated huge cell is held once
        names = class_names(table.schema_arrow.metadata)
        if names:
            told = ", ".join(f"{column} ({len(classes)})" for column, classes in names.items())
            yield Batch(said=[f"{name}: classes are named by the file's own metadata: {told}; -1 is none"])
        start = 0
        for group in range(table.num_row_groups):
            about = table.metadata.row_group(group)
            per_row = max(about.total_byte_size // max(about.num_rows, 1), 1)
            size = max(min(2 * BATCH_CHARACTERS // per_row, 2 * BATCH_ROWS), 1)
            for batch in table.iter_batches(batch_size=size, row_groups=[group], use_threads=False):
                _refuse_damage(batch, name)
                rows = list(range(start, start + batch.num_rows))
                columns = dict(zip(batch.schema.names, batch.columns, strict=True))
                columns |= {column: named(columns[column], names[column]) for column in names if column in columns}
                yield Batch(rows, columns)
                start += batch.num_rows
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        problem = f"{type(error).__name__}: {error}"[:300]
        raise DamagedTable(f"{name} is not a whole Parquet file ({problem}); {HALF_WRITTEN}") from None


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


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def class_names(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """Names of the classes of each column that holds their numbers, as Hugging Face `datasets` writes them."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        found = {column: _class_label(feature) for column, feature in features.items()}
    except (KeyError, ValueError, TypeError, AttributeError):  # none, or written by something else
        return {}
    return {column: names for column, names in found.items() if names}


def _class_label(feature: object) -> list[str]:
    """The names of a feature that is a class, or a list of classes; empty for any other."""
    if isinstance(feature, list) and len(feature) == 1:
        return _class_label(feature[0])
    if not isinstance(feature, dict):
        return []
    if feature.get("_type") in ("Sequence", "List", "LargeList"):
        return _class_label(feature.get("feature"))
    names = feature.get("names") if feature.get("_type") == "ClassLabel" else None
    if isinstance(names, dict):  # {"0": "cat", …} in older files
        names = [names[key] for key in sorted(names, key=int)]
    return list(names) if isinstance(names, list) and all(isinstance(name, str) for name in names) else []


def named(column: pa.Array, names: list[str]) -> pa.Array | list[Any]:
    """Numbers of classes by name: -1 is none, and a number without a name stays as it is."""
    if pa.types.is_integer(column.type):
        codes = column.cast(pa.int64())
        is_known = pc.and_(pc.greater_equal(codes, 0), pc.less(codes, len(names)))
        found = pa.array(names, pa.string()).take(pc.if_else(is_known, codes, None))
        other = pc.if_else(pc.equal(codes, -1), None, codes.cast(pa.string()))
        return pc.if_else(is_known, found, other)
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return [
            None if row is None else [_named(code, names) for code in row if code != -1] for row in column.to_pylist()
        ]
    return column


def _named(code: int | None, names: list[str]) -> int | str | None:
    return names[code] if code is not None and 0 <= code < len(names) else code
