"""SQL that somebody types, over one snapshot: it reads the snapshot and nothing else, unless he says otherwise."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assay.contracts.errors import SpecError
from assay.store.snapshots import Snapshot

if TYPE_CHECKING:
    import duckdb

# What a query says that may need the views of all nights, whatever their names: after a year these take seconds.
ANY_VIEW = re.compile(r"duckdb_|information_schema|pg_|show|describe|summarize", re.IGNORECASE)
READS = re.compile(r"\s*explain\s+(select|from|with|values|table)\b", re.IGNORECASE)


def ask(
    snapshot: Snapshot, sql: str, allow: Sequence[Path] = (), unlocked: bool = False
) -> "duckdb.DuckDBPyRelation | None":
    """The answer to a SELECT; of several the last one's. None where there is none.

    Args:
        allow: files and folders that it may read besides the snapshots and decisions of its dataset.
        unlocked: any statement, and any file that this account may read or write.

    Raises:
        SnapshotError: a file of the snapshot is missing or damaged.
        SpecError: the query fails, is no SELECT or no UTF-8, or `allow` names what is not there.
    """
    missing = [path for path in allow if not path.exists()]
    if missing:
        raise SpecError(f"--allow {missing[0]}: there is no such file or folder")
    try:
        sql.encode()
    except UnicodeEncodeError:
        raise SpecError("the query holds bytes that are not UTF-8; write it in UTF-8") from None
    with mistakes_in_words():
        connection = snapshot.connect(not unlocked, allow, history_named(sql))
        if not unlocked:
            refuse_all_but_reading(connection, sql)
        return connection.sql(sql)


def history_named(sql: str) -> set[str] | None:
    """The words of a query, among which are the tables of `history` that it names; None: any may be meant."""
    words = set(re.findall(r"[a-z_]+", sql.lower()))
    return None if ANY_VIEW.search(sql) else words if "history" in words else set()


@contextlib.contextmanager
def mistakes_in_words() -> Iterator[None]:
    """Where rows are made: a failing query raises `SpecError`, with what to do."""
    import duckdb

    try:
        yield
    except duckdb.PermissionException as error:
        raise SpecError(
            f"the query may read the snapshots alone: {error}. --allow PATH adds a file or folder of yours, --unlocked "
            "takes every lock away"
        ) from None
    except duckdb.Error as error:
        raise SpecError(f"the query failed: {error}") from None


def refuse_all_but_reading(connection: "duckdb.DuckDBPyConnection", sql: str) -> None:
    """Raises `SpecError` where `sql` holds anything but SELECTs.

    DuckDB lets COPY and EXPORT write wherever a connection may read, so its own locks are not enough.
    """
    for statement in connection.extract_statements(sql):
        kind = statement.type.name
        if kind != "SELECT" and not (kind == "EXPLAIN" and READS.match(statement.query)):
            raise SpecError(f"the query holds a statement of kind {kind}; wanted SELECT. --unlocked allows any")
