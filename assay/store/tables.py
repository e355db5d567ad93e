"""Tables by name: of one finished stage, of all stages of a night, or of a snapshot; read lazily, never by position."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.contracts.errors import ContractError

if TYPE_CHECKING:
    import polars as pl

    from assay.store.stage import StageOutput


class TableReader:
    """Whatever has tables in Parquet parts. A table that is not there reads as an empty one of its contract."""

    def parts(self, table: str) -> list[Path]:
        """The table's Parquet files in row order; none where there is no such table."""
        raise NotImplementedError

    def scan(self, table: str) -> "pl.LazyFrame":
        """The whole table, lazily."""
        import polars as pl

        from assay.contracts.tables import empty

        parts = self.parts(table)
        return pl.scan_parquet(parts) if parts else empty(table).lazy()

    def read(self, table: str, columns: Sequence[str] | None = None) -> "pl.DataFrame":
        """The whole table, or some columns of it, in memory."""
        frame = self.scan(table)
        return (frame.select(columns) if columns is not None else frame).collect()


class Tables(TableReader):
    """What a stage gets: the tables that it declared to read, from the outputs of earlier stages.

    A table that several of them wrote (`rejects`) is read as one, in the order of the outputs.
    """

    def __init__(self, stage: str, reads: Iterable[str], outputs: Iterable["StageOutput"]) -> None:
        self.stage, self.reads = stage, frozenset(reads)
        self.outputs = [output for output in outputs if self.reads.intersection(output.tables)]

    def parts(self, table: str) -> list[Path]:
        """The table's Parquet files.

        Raises:
            ContractError: the stage did not declare that it reads this table.
        """
        return [part for output in self._writers(table) for part in output.parts(table)]

    def config_of(self, table: str) -> dict[str, Any]:
        """The config of the stage that wrote the table; empty where no stage did."""
        return next((output.config for output in self._writers(table)), {})

    def _writers(self, table: str) -> list["StageOutput"]:
        if table not in self.reads:
            raise ContractError(f"stage {self.stage} reads `{table}`, and declares to read {sorted(self.reads)} only")
        return [output for output in self.outputs if table in output.tables]
