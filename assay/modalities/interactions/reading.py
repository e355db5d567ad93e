"""A table of who took what → rows, a sample a user or an item; the interactions become a table of their own.

What a user or an item is, is its id: who takes it changes every night, and makes no other sample of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assay.contracts.errors import SourceError
from assay.contracts.spec import Spec
from assay.contracts.tables import empty
from assay.modalities.graph.reading import numbers_of, read_table, table_at
from assay.modalities.interactions.times import as_times
from assay.sources.batches import BATCH_ROWS, Batch
from assay.sources.columns import Fates, strings
from assay.sources.files import Source, open_source
from assay.sources.guards import refuse_unready
from assay.sources.label_text import id_text
from assay.sources.own import OwnRows
from assay.sources.readers import ENDINGS, reader_of
from assay.sources.rows import CELL_LIMIT
from assay.sources.table_files import TableFile, with_digests
from assay.sources.told import Told
from assay.store.files import hash_bytes, hash_text
from assay.store.workspace import Workspace

KNOWN = {
    "user": ("user", "user_id", "userid", "customer", "customer_id", "member", "visitor_id", "reviewer_id"),
    "item": ("item", "item_id", "itemid", "product", "product_id", "movie_id", "movieid", "article_id", "asin"),
    "value": ("value", "rating", "score", "stars", "amount", "quantity", "count"),
    "time": ("time", "timestamp", "ts", "date", "datetime", "created_at", "event_time"),
    "split": ("split",),
}
FILES = ("interactions", "items", "users")
MOST_REFUSED = 1_000  # rows that are rejects of their own; the others are counted
PART = 1_000_000  # rows of `interactions` in one part


@dataclass(frozen=True)
class Files:
    """The tables: `items` and `users` say more of what the interactions name."""

    interactions: TableFile
    items: TableFile | None
    users: TableFile | None

    def all(self) -> list[TableFile]:
        """Those that there are."""
        return [file for file in (self.interactions, self.items, self.users) if file is not None]


@dataclass
class Taken:
    """What was read: `rows` (user, item, value, time, split) and the rows of the file that name no two."""

    rows: pl.DataFrame
    refused: list[tuple[int, str, str]]


def read_folder(spec: Spec, workspace: Workspace) -> OwnRows:
    """Users and items, each a row.

    Raises:
        SourceError: there is no table of interactions, or it has no columns of users and items.
    """
    source = open_source(spec)
    refuse_unready(spec, source)
    files = find_files(spec, source)
    digests = [(file.name, file.content_hash) for file in with_digests(workspace, files.all(), spec.source.reread_days)]
    told = Told()
    kept: list[Taken] = []

    def batches() -> Iterator[Batch]:
        kept[:] = [read_interactions(spec, files.interactions, told)]
        yield Batch(refused=kept[0].refused[:MOST_REFUSED])
        if len(kept[0].refused) > MOST_REFUSED:
            told.doubt(f"{len(kept[0].refused):,} rows of {files.interactions.name} name no user or no item")
        for kind, file in (("user", files.users), ("item", files.items)):
            yield from _samples(kind, kept[0].rows[kind], spec, file)

    def resolve(ids: Sequence[str | None], fates: Fates) -> list[tuple[str | None, int, str | None]]:
        data = [(name or "").encode() for name in ids]
        return [(hash_bytes(one), len(one), None) for one in data]

    def tables(samples: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
        listed = _listed(spec, files.items)
        yield from _tables(kept[0].rows, samples["sample_id"], listed)

    described = hash_text(repr((digests, spec.part("interactions"), spec.source.columns)))
    return OwnRows(described, files.interactions.name, batches, resolve, told, tables)


def find_files(spec: Spec, source: Source) -> Files:
    """The tables that the spec names, or that are named as such are. Raises `SourceError`."""
    section = spec.interactions
    alone = spec.source.path.rpartition("/")[2] if spec.source.kind == "table" else ""
    named = {"interactions": section.interactions or alone, "items": section.items, "users": section.users}
    there = sorted(entry.uri for entry in source.scan() if entry.uri.count("/") == 0)
    for role in FILES:
        fits = [name for name in there if name.rpartition(".")[0].lower() == role and reader_of(name)]
        if not named[role] and len(fits) > 1:
            raise SourceError(
                f"{source.root} holds {', '.join(fits)}; say which in the spec: [interactions] {role} = …"
            )
        named[role] = named[role] or (fits[0] if fits else "")
    tables = [name for name in there if reader_of(name)]
    if not named["interactions"] and len(tables) == 1:
        named["interactions"] = tables[0]
    if not reader_of(named["interactions"]):
        listed = ", ".join(there[:20]) or "nothing"
        raise SourceError(
            f"{source.root} has no table of interactions that can be read: found {listed}. Wanted interactions.csv or "
            f"another of {ENDINGS}; or name it in the spec: [interactions] interactions = …"
        )
    items, users = (table_at(source, named[role]) if named[role] else None for role in ("items", "users"))
    return Files(table_at(source, named["interactions"]), items, users)


def read_interactions(spec: Spec, file: TableFile, told: Told) -> Taken:
    """Every interaction, in the file's order. Raises `SourceError` where there are no columns of users and items."""
    frames = [empty("interactions").select("user", "item", "value", "time", "split")]
    taken, lost = Taken(frames[0], []), 0
    for batch in read_table(spec, file):
        taken.refused += batch.refused
        if not batch.rows:
            continue
        columns = _columns(spec, list(batch.columns), file.name)
        frame, n_lost = _frame(batch, columns)
        lost += n_lost
        good = frame["user"].is_not_null() & frame["item"].is_not_null()
        wrong = (~good).arg_true().to_list()
        taken.refused += [(batch.rows[row], "missing_id", "no user, or no item") for row in wrong]
        frames.append(frame.filter(good))
    if lost:
        told.doubt(
            f"{lost:,} times of {file.name} are not times, or lie outside the years 1971 to 2100: is their unit wrong?"
        )
    taken.rows = pl.concat(frames)
    if taken.rows.is_empty():
        raise SourceError(f"{file.name} has no row that names a user and an item")
    return taken


def _columns(spec: Spec, columns: list[str], file: str) -> dict[str, str]:
    """The columns of each role. Raises `SourceError` without one of users and one of items."""
    by_name = {name.lower(): name for name in columns}
    section, found = spec.interactions, {}
    for role, names in KNOWN.items():
        given = getattr(section, f"{role}_column", "") or spec.source.columns.get(role, "")
        if given and given not in columns:
            raise SourceError(f"{file} has no column {given!r}; its columns are {', '.join(map(repr, columns[:20]))}")
        name = given or next((by_name[name] for name in names if name in by_name), "")
        if name:
            found[role] = name
    for role in ("user", "item"):
        if role not in found:
            raise SourceError(
                f"{file} has the columns {', '.join(map(repr, columns[:20]))}; wanted one of {role}s, such as {role} "
                f'or {role}_id. Name it in the spec: [interactions] {role}_column = "…"'
            )
    return found


def _frame(batch: Batch, columns: dict[str, str]) -> tuple[pl.DataFrame, int]:
    """The batch's interactions, ids null where there is none, and how many times are none."""
    n = len(batch.rows)

    def text(role: str) -> pl.Series:
        if role not in columns:
            return pl.Series(role, [None] * n, dtype=pl.String)
        found = strings(batch.columns[columns[role]], Fates(n), role, CELL_LIMIT, id_text)
        return pl.Series(role, [name or None for name in found], dtype=pl.String)

    value = pl.Series("value", [None] * n, dtype=pl.Float64)
    if "value" in columns:
        value = _values(batch.columns[columns["value"]])
    time, lost = as_times(batch.columns[columns["time"]] if "time" in columns else [None] * n)
    return pl.DataFrame([text("user"), text("item"), value, time.alias("time"), text("split")]), lost


def _values(column: Any) -> pl.Series:
    """Numbers; null where the cell is empty, NaN where it holds no number."""
    cells = column.to_pylist() if hasattr(column, "to_pylist") else column
    is_empty = [cell is None or (isinstance(cell, str) and not cell.strip()) for cell in cells]
    numbers = zip(numbers_of(column).tolist(), is_empty, strict=True)
    return pl.Series("value", [None if empty else number for number, empty in numbers], dtype=pl.Float64)


def _samples(kind: str, named: pl.Series, spec: Spec, file: TableFile | None) -> Iterator[Batch]:
    """Batches of the users, or of the items: what the interactions name, then what the table names besides."""
    ids = named.unique(maintain_order=True).to_frame("id")
    untyped: frozenset[str] = frozenset()
    if file is not None:
        known, is_untyped = _table_of(spec, file, kind)
        ids = ids.join(known, on="id", how="full", coalesce=True, maintain_order="left_right")
        untyped = frozenset(known.columns) if is_untyped else frozenset()
    names = [f"{kind}:{name}" for name in ids["id"]]
    further = {column: ids[column].to_list() for column in ids.columns if column != "id"}
    for start in range(0, len(names), BATCH_ROWS):
        part = slice(start, start + BATCH_ROWS)
        rows = list(range(start, start + len(names[part])))
        columns: dict[str, Any] = {"uri": names[part], "sample_id": names[part], "kind": [kind] * len(rows)}
        yield Batch(rows, columns | {name: cells[part] for name, cells in further.items()}, untyped=untyped)


def _table_of(spec: Spec, file: TableFile, kind: str) -> tuple[pl.DataFrame, bool]:
    """The table of users or items, its ids as `id`, each once; and whether all its cells are text."""
    frames, is_untyped = [], False
    for batch in read_table(spec, file):
        if not batch.rows:
            continue
        by_name = {name.lower(): name for name in batch.columns}
        name = next((by_name[name] for name in (*KNOWN[kind], "id", "sample_id") if name in by_name), None)
        if name is None:
            raise SourceError(f"{file.name} has the columns {', '.join(map(repr, batch.columns))}; wanted {kind} or id")
        columns = {
            "item_uri" if key.lower() == "uri" else key: cells for key, cells in batch.columns.items() if key != name
        }
        ids = strings(batch.columns[name], Fates(len(batch.rows)), name, CELL_LIMIT, id_text)
        cells = {key: pl.Series(key, _as_list(column), strict=False) for key, column in columns.items()}
        frames.append(pl.DataFrame({"id": pl.Series(ids, dtype=pl.String), **cells}))
        is_untyped |= batch.is_untyped
    if not frames:
        return pl.DataFrame(schema={"id": pl.String}), False
    found = pl.concat(frames, how="diagonal_relaxed").filter(pl.col("id").is_not_null() & (pl.col("id") != ""))
    return found.unique("id", keep="first", maintain_order=True), is_untyped


def _as_list(column: Any) -> list[Any]:
    return column.to_pylist() if hasattr(column, "to_pylist") else list(column)


def _listed(spec: Spec, file: TableFile | None) -> pl.Series | None:
    return None if file is None else _table_of(spec, file, "item")[0]["id"]


def _tables(rows: pl.DataFrame, ids: pl.Series, listed: pl.Series | None) -> Iterator[tuple[str, pl.DataFrame]]:
    """Parts of `interactions`, then `edges` for the embedders of graphs, and no features."""
    is_listed = pl.lit(None, dtype=pl.Boolean) if listed is None else pl.col("item").is_in(listed.implode())
    rows = rows.with_columns(is_listed=is_listed).with_columns(
        pl.format("user:{}", "user").alias("user"), pl.format("item:{}", "item").alias("item")
    )
    rows = rows.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    for start in range(0, len(rows), PART):
        yield "interactions", rows.slice(start, PART).select(empty("interactions").columns)
    edges = rows.group_by("user", "item", maintain_order=True).agg(pl.len().cast(pl.Int32).alias("n"))
    known = ids.implode()
    yield (
        "edges",
        edges.select(
            pl.col("user").alias("source"), pl.col("item").alias("target"), "n", is_loop=pl.lit(False),
            is_dangling=~(pl.col("user").is_in(known) & pl.col("item").is_in(known)),
            same_label=pl.lit(None, dtype=pl.Boolean), likeness=pl.lit(None, dtype=pl.Float64),
        ),
    )  # fmt: skip
    yield "node_features", empty("node_features")


def typical_values(values: np.ndarray) -> tuple[float, float]:
    """`(low, high)` of what values are usually like; beyond lies what is none of them.

    Where there are few different values, as of ratings, those that one row in a thousand has (two rows at least, from
    a hundred on) span it. Else ten times the middle half of the logarithms, on either side.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return -np.inf, np.inf
    different, counts = np.unique(finite, return_counts=True)
    if len(different) <= 50:
        least = len(finite) / 1_000 if len(finite) > 2_000 else 2.0 if len(finite) >= 100 else 1.0
        common = different[counts >= least]
        return (float(common.min()), float(common.max())) if len(common) else (-np.inf, np.inf)
    logs = np.sign(finite) * np.log1p(np.abs(finite))
    low, high = np.quantile(logs, (0.25, 0.75))
    reach = 10.0 * max(high - low, 1e-9)
    ends = np.array([low - reach, high + reach])
    bounds = np.sign(ends) * np.expm1(np.minimum(np.abs(ends), 700.0))
    return float(bounds[0]), float(bounds[1])
