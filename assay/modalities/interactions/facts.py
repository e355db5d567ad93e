"""What the interactions of a night say of each user and each item."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.contracts.splits import split_kind
from assay.contracts.tables import empty
from assay.modalities.graph.adjacency import adjacency_of, read_ends
from assay.modalities.graph.drawing import Neighbourhoods
from assay.modalities.graph.facts import twins_of
from assay.modalities.interactions.reading import typical_values
from assay.store.tables import TableReader

ENOUGH = 10  # interactions with a time, from which the rhythm of a user says something


def interaction_facts(
    tables: TableReader, samples: pl.DataFrame, chunks: Sequence[Sequence[str]]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """Rows of `interaction_facts` of each chunk of contents; nothing fails."""
    samples = samples.unique("content_hash", keep="first", maintain_order=True)
    measured = measure(tables.read("interactions"), samples)
    ends = read_ends(tables.read("edges"), samples["sample_id"])
    adjacency = adjacency_of(ends, len(samples))
    twins, twin = twins_of(adjacency)
    ids = samples["sample_id"].to_list()
    measured = measured.with_columns(
        n_twins=pl.Series(twins.astype(np.int32)),
        twin=pl.Series([ids[row] if row >= 0 else None for row in twin], dtype=pl.String),
    )
    drawn = Neighbourhoods(adjacency, _colours(samples))
    place = {name: row for row, name in enumerate(samples["content_hash"])}
    columns = list(empty("interaction_facts").schema)
    for chunk in chunks:
        rows = [place[name] for name in chunk]
        pictures = pl.Series("thumbnail", [drawn.draw(one) for one in rows], dtype=pl.Binary)
        yield measured[rows].with_columns(pictures).select(columns), empty("failures"), empty("failures")


def _colours(samples: pl.DataFrame) -> NDArray[np.int64]:
    """(n,) a code a label to colour by, −1 where there is none."""
    return samples["label"].rank("dense").cast(pl.Int64).fill_null(-1).to_numpy()


def measure(rows: pl.DataFrame, samples: pl.DataFrame) -> pl.DataFrame:
    """The columns of `interaction_facts` but twins and picture, a row a sample in its order.

    Args:
        rows: the table `interactions`.
        samples: with the columns sample_id, content_hash and kind.
    """
    low, high = typical_values(rows["value"].drop_nulls().to_numpy())
    odd = pl.col("value").is_not_null() & ~pl.col("value").is_between(low, high)
    rows = rows.with_columns(odd=odd, again=pl.struct("user", "item").is_duplicated())
    rows = rows.with_columns(again=pl.col("again") & ~pl.struct("user", "item").is_first_distinct())
    sides = [_of_side(rows, side, other) for side, other in (("user", "item"), ("item", "user"))]
    found = pl.concat(sides)
    joined = samples.select("sample_id", "content_hash", "kind").join(
        found, on="sample_id", how="left", maintain_order="left"
    )
    counts = ("n_interactions", "n_partners", "n_repeated", "n_odd_values", "n_unlisted", "n_after_test")
    return joined.with_columns(*(pl.col(name).fill_null(0) for name in counts), pl.col("share").fill_null(0.0))


def _of_side(rows: pl.DataFrame, side: str, other: str) -> pl.DataFrame:
    """A row for each user, or each item, that the interactions name."""
    unlisted = (pl.col("is_listed") == False) if side == "item" else pl.lit(False)  # noqa: E712
    finite = pl.col("value").filter(pl.col("value").is_finite())
    counted = rows.group_by(pl.col(side).alias("sample_id")).agg(
        n_interactions=pl.len().cast(pl.Int32),
        n_partners=pl.col(other).n_unique().cast(pl.Int32),
        n_repeated=pl.col("again").sum().cast(pl.Int32),
        share=pl.len() / len(rows),
        mean_value=pl.when(finite.len() > 0).then((finite / finite.len()).sum()),  # a sum may overflow
        n_odd_values=pl.col("odd").sum().cast(pl.Int32),
        n_unlisted=unlisted.sum().cast(pl.Int32) if side == "item" else pl.lit(0, dtype=pl.Int32),
        first_time=pl.col("time").min(),
        last_time=pl.col("time").max(),
    )
    gaps = _gaps(rows, side)
    late = (
        _after_test(rows) if side == "user" else pl.DataFrame(schema={"sample_id": pl.String, "n_after_test": pl.Int32})
    )
    return counted.join(gaps, on="sample_id", how="left").join(late, on="sample_id", how="left")


def _gaps(rows: pl.DataFrame, side: str) -> pl.DataFrame:
    """Of those with enough times: the median seconds between two, and the spread of the gaps ÷ their mean."""
    timed = rows.filter(pl.col("time").is_not_null()).sort(side, "time")
    gap = (pl.col("time").diff().over(side)).dt.total_microseconds() / 1e6
    spread = pl.col("gap").std() / pl.col("gap").mean()
    found = (
        timed.with_columns(gap=gap)
        .group_by(pl.col(side).alias("sample_id"))
        .agg(
            median_gap_seconds=pl.col("gap").median(),
            gap_spread=pl.when(pl.col("gap").mean() > 0).then(spread),
            n=pl.len(),
        )
    )
    return found.filter(pl.col("n") >= ENOUGH).drop("n")


def _after_test(rows: pl.DataFrame) -> pl.DataFrame:
    """How many of each user's interactions of a training split come after its first one of a test split."""
    names = rows["split"].drop_nulls().unique().to_list()
    of = {kind: [name for name in names if split_kind(name) == kind] for kind in ("train", "test")}
    timed = rows.filter(pl.col("time").is_not_null())
    first = timed.filter(pl.col("split").is_in(of["test"])).group_by("user").agg(pl.col("time").min().alias("tested"))
    late = (
        timed.filter(pl.col("split").is_in(of["train"]))
        .join(first, on="user")
        .filter(pl.col("time") > pl.col("tested"))
    )
    return late.group_by(pl.col("user").alias("sample_id")).agg(n_after_test=pl.len().cast(pl.Int32))
