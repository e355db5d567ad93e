"""Lists of neighbours that outlive their night: longer than asked for, each with its horizon.

A list holds every row that is nearer than its horizon, so new rows can be put in and others taken out without a search:
as long as enough rows nearer than the horizon are left, the nearest of them are the nearest of all, in whatever order
the rows stand. Similarities are multiples of 2⁻²⁰ (see `blocked.py`), so a neighbour fits into one integer that sorts
by descending similarity, then by row.
"""

from dataclasses import dataclass

import numpy as np

NEVER = np.float32(-3.0)  # the horizon of a list that holds all rows
STEPS = 2**20
NOBODY = np.iinfo(np.int64).max
BLOCK = 8_192  # lists at a time
MOST_CHANGED = 0.2  # share of the rows that came or went since the whole search, beyond which that is due again


@dataclass(frozen=True)
class Lists:
    """Neighbours of some rows.

    Attributes:
        rows: int32 (m, width), nearest first, equally near ones by row; −1 behind the last.
        similarities: float32 (m, width); anything behind the last.
        horizon: float32 (m,): all rows of greater similarity are in the list.
    """

    rows: np.ndarray
    similarities: np.ndarray
    horizon: np.ndarray


@dataclass(frozen=True)
class Edges:
    """Neighbours that came after a list was made: `row` (e,) has the neighbour `near` (e,) at `similarity` (e,)."""

    row: np.ndarray
    near: np.ndarray
    similarity: np.ndarray

    def only(self, kept: np.ndarray) -> "Edges":
        """Some of them: (e,) bool, or places in any order."""
        return Edges(self.row[kept], self.near[kept], self.similarity[kept])


@dataclass(frozen=True)
class Grown:
    """Tonight's graph, and what changed in it.

    Attributes:
        lists: of all rows, (n, width).
        searched: the rows whose list was searched for, ascending: the new ones and those that had lost too many.
        edges: what was put into the lists of the others.
    """

    lists: Lists
    searched: np.ndarray
    edges: Edges


def no_edges() -> Edges:
    """None."""
    return Edges(np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32))


def together(parts: list[Edges]) -> Edges:
    """All of them, in their order; at least one."""
    return Edges(
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.near for part in parts]),
        np.concatenate([part.similarity for part in parts]),
    )


def whole(rows: np.ndarray, similarities: np.ndarray, n: int) -> Lists:
    """Lists as a search among `n` rows gave them, (m, width)."""
    m, width = rows.shape
    last = similarities[:, -1].copy() if 0 < width < n - 1 else np.full(m, NEVER)
    return Lists(rows, similarities, last.astype(np.float32))


def merged(lists: Lists, edges: Edges, place: np.ndarray, width: int) -> tuple[Lists, np.ndarray]:
    """The lists with the edges put in, and the number of usable neighbours in each (m,).

    Args:
        edges: `row` counts in the lists; both may name rows that are gone.
        place: int32 (g,), for each row that lists and edges name its number from now on; −1: it is gone.
        width: neighbours kept of each list.
    """
    m, numbers = len(lists.rows), np.append(place, np.int32(-1))  # the row −1 stays −1
    order = np.argsort(edges.row, kind="stable")
    row, key = edges.row[order], _keys(numbers[edges.near[order]], edges.similarity[order])
    rows, similarities = np.empty((m, width), dtype=np.int32), np.empty((m, width), dtype=np.float32)
    horizon, usable = lists.horizon.copy(), np.empty(m, dtype=np.int64)
    for start in range(0, m, BLOCK):
        here = slice(start, min(start + BLOCK, m))
        some = slice(*np.searchsorted(row, [here.start, here.stop]))
        keys = _keys(numbers[lists.rows[here]], lists.similarities[here])
        keys = np.concatenate([keys, _spread(row[some] - start, key[some], len(keys), 2 * width + 2)], axis=1)
        keys[keys > _keys(np.zeros(1, dtype=np.int32), horizon[here])[:, None] - 1] = (
            NOBODY  # as far as the horizon, or farther
        )
        keys.sort(axis=1)
        usable[here] = (keys != NOBODY).sum(axis=1)
        rows[here], similarities[here] = _read(keys[:, :width])
        cut = usable[here] > width
        horizon[here] = np.where(cut, similarities[here, -1] if width else NEVER, horizon[here])
    return Lists(rows, similarities, horizon), usable


def _spread(row: np.ndarray, key: np.ndarray, m: int, most: int) -> np.ndarray:
    """(m, at most `most`) the keys of each row, which are sorted by row, filled up with NOBODY; the least ones of a hub
    that has more."""
    count = np.bincount(row, minlength=m)
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    if count.max(initial=0) > most:
        key = key[np.lexsort((key, row))]
        row, key, place = (each[place < most] for each in (row, key, place))
    out = np.full((m, int(place.max(initial=-1)) + 1), NOBODY)
    out[row, place] = key
    return out


def _keys(rows: np.ndarray, similarities: np.ndarray) -> np.ndarray:
    """int64 of the same shape: ascending by descending similarity, then by row; NOBODY where the row is −1."""
    steps = 2 * STEPS - np.rint(similarities.astype(np.float64) * STEPS).astype(np.int64)
    return np.where(rows < 0, NOBODY, (steps << 32) | rows)


def _read(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(rows, similarities)` of keys; −1 and −3 where there is nobody."""
    there = keys != NOBODY
    rows = np.where(there, keys & 0xFFFFFFFF, -1).astype(np.int32)
    similarities = np.where(there, (2 * STEPS - (keys >> 32)) / STEPS, NEVER).astype(np.float32)
    return rows, similarities
