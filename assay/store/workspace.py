"""Where one dataset's results live."""

from dataclasses import dataclass
from pathlib import Path

from assay.contracts.errors import SpecError


@dataclass(frozen=True)
class Workspace:
    """Where one dataset's results live.

    Raises:
        SpecError: the home's path has a character that Polars and DuckDB take for a wildcard.
    """

    home: Path
    dataset: str

    def __post_init__(self) -> None:
        if found := sorted(set("*?[]").intersection(str(self.home))):
            raise SpecError(
                f"the home {self.home} has {' '.join(found)} in its path, which Parquet readers take for a pattern; "
                "name another with --home"
            )

    @property
    def root(self) -> Path:
        return self.home / self.dataset

    @property
    def work(self) -> Path:
        return self.root / "work"

    @property
    def facts(self) -> Path:
        return self.root / "facts"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"
