"""A table of who took what → rows, a sample a user or an item; the interactions become a table of their own.

What a user or an item is, is its id: who takes it changes every night, and makes no other sample of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from assay.contracts.errors import SourceError
from assay.contracts.spec import Spec
from assay.contracts.tables import empty
from assay.modalities.graph.reading import numbers_of, read_table, table_at
from assay.modalities.interactions.times import as_times
from assay.sources.batches import BATCH_ROWS, Batch, unique_names
from assay.sources.columns import Fates, kept_values, strings, values_of
from assay.sources.files import Source, open_source
from assay.sources.guards import refuse_unready
from assay.sources.label_text import id_text
from assay.sources.own import OwnRows
from assay.sources.readers import ENDINGS, reader_of
from assay.sources.roles import carried
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
METHOD = 2  # of reading; another one reads unchanged files again
OWN = ("uri", "sample_id", "kind")  # what a user's or an item's sample is given
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
    known: dict[str, Known] = {}

    def batches() -> Iterator[Batch]:
        kept[:] = [read_interactions(spec, files.interactions, told)]
        yield Batch(refused=kept[0].refused[:MOST_REFUSED])
        if len(kept[0].refused) > MOST_REFUSED:
            told.doubt(f"{len(kept[0].refused):,} rows of {files.interactions.name} name no user or no item")
        known["user"], known["item"] = _table_of(spec, files.users, "user"), _table_of(spec, files.items, "item")
        _refuse_absent(spec, known["user"], known["item"])
        for kind, those in known.items():
            yield from _samples(kind, kept[0].rows[kind], those)

    def resolve(ids: Sequence[str | None], fates: Fates) -> list[tuple[str | None, int, str | None]]:
        data = [(name or "").encode() for name in ids]
        return [(hash_bytes(one), len(one), None) for one in data]

    def tables(samples: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
        listed = pl.Series(list(known["item"].place), dtype=pl.String) if files.items else None
        yield from _tables(kept[0].rows, samples["sample_id"], listed)

    described = hash_text(repr((METHOD, digests, spec.part("interactions"), spec.source.columns)))
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
    is_empty = [cell is None or (isinstance(cell, str) and not cell.strip()) for cell in values_of(column)]
    numbers = zip(numbers_of(column).tolist(), is_empty, strict=True)
    return pl.Series("value", [None if empty else number for number, empty in numbers], dtype=pl.Float64)


@dataclass
class Known:
    """What the table of users or items says.

    Attributes:
        place: by id, the number of its first row.
        cells: of each further column, a value a row; bytes as they are.
        columns: the names as they are in the file.
        is_untyped: all cells are text.
    """

    place: dict[str, int] = field(default_factory=dict)
    cells: dict[str, list[Any]] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)
    is_untyped: bool = False


def _samples(kind: str, named: pl.Series, known: Known) -> Iterator[Batch]:
    """Batches of the users, or of the items: what the interactions name, then what the table names besides."""
    ids = list(dict.fromkeys([*named.unique(maintain_order=True), *known.place]))
    untyped = frozenset(known.cells) if known.is_untyped else frozenset[str]()
    for start in range(0, len(ids), BATCH_ROWS):
        part = ids[start : start + BATCH_ROWS]
        names, places = [f"{kind}:{name}" for name in part], [known.place.get(name) for name in part]
        columns: dict[str, Any] = {"uri": names, "sample_id": names, "kind": [kind] * len(part)}
        for name, cells in known.cells.items():
            columns[name] = [None if place is None else cells[place] for place in places]
        yield Batch(list(range(start, start + len(part))), columns, untyped=untyped)


def _table_of(spec: Spec, file: TableFile | None, kind: str) -> Known:
    """The table of users or items; of none nothing is known. Raises `SourceError` where it has no column of ids."""
    found, n = Known(), 0
    for batch in read_table(spec, file) if file is not None else ():
        if not batch.rows or file is None:
            continue
        name = _id_column(spec, list(batch.columns), kind, file.name)
        further = {key: cells for key, cells in batch.columns.items() if key != name}
        for key, cells in carried(further, spec.source.columns, OWN, kind, file.name).items():
            found.cells.setdefault(key, [None] * n).extend(_values_of(cells))
        ids = strings(batch.columns[name], Fates(len(batch.rows)), name, CELL_LIMIT, id_text)
        for row, one in enumerate(ids, start=n):
            if one:
                found.place.setdefault(one, row)
        n += len(ids)
        for cells in found.cells.values():
            cells.extend([None] * (n - len(cells)))
        found.columns |= set(batch.columns)
        found.is_untyped |= batch.is_untyped
    return found


def _values_of(column: Any) -> list[Any]:
    is_bytes = isinstance(column, pa.Array) and (
        pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)
    )
    return column.to_pylist() if is_bytes else kept_values(column, Fates(len(column)), "")


def _id_column(spec: Spec, columns: list[str], kind: str, file: str) -> str:
    """The column of ids in the table of users or items, perhaps named as in that of interactions."""
    by_name = {name.lower(): name for name in columns}
    given = getattr(spec.interactions, f"{kind}_column").lower()
    name = next((by_name[name] for name in (given, *KNOWN[kind], "id", "sample_id") if name in by_name), None)
    if name is None:
        raise SourceError(
            f"{file} has the columns {', '.join(map(repr, columns[:20]))}; wanted {kind} or id. Rename its column of "
            f"ids, or name it as that of the interactions in the spec: [interactions] {kind}_column = …"
        )
    return name


def _refuse_absent(spec: Spec, users: Known, items: Known) -> None:
    """Raises `SourceError` where the spec names a column of labels that neither table has, or where two of their
    columns are one to SQL."""
    label = spec.source.columns.get("label")
    if label and label not in users.columns | items.columns:
        listed = ", ".join(map(repr, sorted(users.columns | items.columns)[:20])) or "none"
        raise SourceError(
            f"source.columns says label = {label!r}, and neither the table of users nor that of items has such a "
            f"column; the columns there are {listed}"
        )
    unique_names(list(dict.fromkeys([*users.cells, *items.cells])), "the source")


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
