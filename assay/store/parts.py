"""Parts: the Parquet files of a table, each held to its contract."""

from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from assay.contracts.errors import ContractError
from assay.contracts.tables import CONTRACTS

ROW_GROUP = 122_880  # DuckDB's own vector-friendly row-group size
VECTOR_GROUP_BYTES = 32 * 2**20
PIECE_GROUP_BYTES = 2**20


def check(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` in its contract's columns, order and types; further columns (group columns) are kept after them.

    Raises:
        ContractError: rows break the contract; the message has the rules and how many rows broke each.
    """
    if table not in CONTRACTS:
        raise ContractError(f"table `{table}` has no contract in assay/contracts/tables.py")
    contract = CONTRACTS[table]
    names = list(contract.columns())
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise ContractError(f"table `{table}` lacks the columns {absent}")
    try:
        good, failure = contract.filter(frame.select(names), cast=True)
    except Exception as error:  # dataframely raises on columns that cannot be cast at all
        raise ContractError(f"table `{table}` cannot be cast to its contract: {error}") from error
    if len(failure):
        example = failure.invalid().head(1).to_dicts()[0]
        raise ContractError(f"table `{table}` breaks its contract: {failure.counts()}; for example {example!r:.400}")
    further = [name for name in frame.columns if name not in names] if table in ("samples", "ingested") else []
    return good.hstack(frame.select(further)) if further else good


def write_part(table: str, frame: pl.DataFrame, path: Path | BinaryIO) -> None:
    """One Parquet file with the contract's name and version in its schema; byte-identical for identical rows."""
    arrow = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    arrow = arrow.replace_schema_metadata({"assay.table": table, "assay.contract": str(CONTRACTS[table].VERSION)})
    pq.write_table(arrow, path, **_layout(arrow))


def _layout(arrow: pa.Table) -> dict[str, Any]:
    """How a table's rows lie in its file. Vectors are not compressed, which would gain nothing, and stand in row groups
    of some megabytes, decoded in parallel; pictures and other bytes stand in small ones, as one is read at a time."""
    vectors = [field.name for field in arrow.schema if pa.types.is_fixed_size_list(field.type)]
    pieces = [field.name for field in arrow.schema if field.type in (pa.binary(), pa.large_binary())]
    large = vectors or pieces
    if not large:
        return {"compression": "zstd", "row_group_size": ROW_GROUP}
    words = [name for name in arrow.schema.names if name not in large]
    size = max(sum(arrow.column(name).nbytes for name in large) // max(len(arrow), 1), 1)
    if vectors:
        rows = max(VECTOR_GROUP_BYTES // size, 1024)
        return {"compression": dict.fromkeys(words, "zstd"), "use_dictionary": words,
                "row_group_size": min(ROW_GROUP, rows)}  # fmt: skip
    rows = max(PIECE_GROUP_BYTES // size, 128)
    return {"compression": "zstd", "use_dictionary": words, "write_statistics": words,
            "row_group_size": min(ROW_GROUP, rows)}  # fmt: skip
