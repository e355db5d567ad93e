"""How many labels may be wrong beyond those that are flagged: what the vectors cannot tell."""

from typing import Any, Protocol

import polars as pl

FEWEST = 10  # labels that are worth a word


class Readable(Protocol):
    """Whatever gives a snapshot's tables lazily: a `View`, or the report's `Tables`."""

    def scan(self, table: str) -> pl.LazyFrame: ...


def untold(tables: Readable) -> dict[str, Any] | None:
    """`{n, share}`: about how many labels more than are flagged, and what share of all, may be wrong by the upper end
    of the estimate's interval. None where that is not estimated, or fewer than are flagged, or fewer than FEWEST."""
    wanted = ("estimated_noise_rate_high", "n_labeled")
    rows = tables.scan("dataset_metrics").filter(pl.col("metric").is_in(wanted)).select("metric", "value").collect()
    value = {metric: number for metric, number in rows.iter_rows() if number is not None}
    if len(value) < len(wanted):
        return None
    issues = tables.scan("label_issues").filter(pl.col("is_issue") & pl.col("label").is_not_null())
    flagged = issues.select(pl.len()).collect().item()
    more = round(value["estimated_noise_rate_high"] * value["n_labeled"]) - flagged
    return {"n": more, "share": more / value["n_labeled"]} if more >= max(FEWEST, flagged) else None
