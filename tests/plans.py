"""What DuckDB did for each query that it was asked: `watched()` runs every SELECT a second time, analysed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pytest

from assay.store import duck

LOOPS = {"NESTED_LOOP_JOIN", "BLOCKWISE_NL_JOIN", "PIECEWISE_MERGE_JOIN", "IE_JOIN", "CROSS_PRODUCT", "ASOF_JOIN"}


@dataclass(frozen=True)
class Step:
    """One operator of a plan, with the rows that it gave and those that its inputs gave."""

    query: str
    kind: str
    words: str
    rows: int
    inputs: tuple[int, ...]

    @property
    def pairs(self) -> int:
        """Pairs of rows that a loop compares; 0 of an operator that is none."""
        return self.inputs[0] * self.inputs[-1] if self.kind in LOOPS else 0


class _Watched:
    """A connection that notes how its SELECTs are run."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, steps: list[Step]) -> None:
        self._connection, self._steps = connection, steps

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._connection.close()

    def sql(self, query, **more):
        told = self._connection.sql(f"explain (analyze, format json) {query}", **more).fetchall()
        for root in json.loads(told[0][1])["operator"]:
            self._steps.extend(_steps(query, root))
        return self._connection.sql(query, **more)


def _steps(query: str, node: dict) -> Iterator[Step]:
    children = node.get("children", [])
    inputs = tuple(child["intermediate_rows"] for child in children)
    yield Step(query, node["type"], json.dumps(node["extra_info"]), node["intermediate_rows"], inputs)
    for child in children:
        yield from _steps(query, child)


@contextmanager
def watched() -> Iterator[list[Step]]:
    """The steps of all queries of the connections that are made inside."""
    steps: list[Step] = []
    plain = duckdb.connect
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb, "connect", lambda *given, **named: _Watched(plain(*given, **named), steps))
        patch.setattr(duck, "_idle", [])
        yield steps
