"""The kNN graph of the nights before, as facts by content: the lists of a whole search, and what came to them since.

`HOME/DATASET/facts/graph/`, see `store/arrays.py`: the base holds the lists of all rows of one night; a delta the rows
that came and went, the lists that were searched for, and the edges that other lists got. Rows are known by a digest of
their content and vector, so nothing hangs on their order or on how the vectors were made. There is one graph a dataset;
one of other settings takes its place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import xxhash

from assay.knn.lists import MOST_CHANGED, Edges, Grown, Lists, no_edges, together
from assay.store.arrays import Head, KeptArrays

MOST_DELTAS = 50
WHOLE = "blocked search"
COMPACT = 0.5  # bytes of deltas ÷ bytes of the base, from which they become one


@dataclass(frozen=True)
class Known:
    """The kept graph: digests (g, 2) uint64 of its rows, which of them are gone, their lists, and the edges that came
    to these later."""

    digests: np.ndarray
    gone: np.ndarray
    lists: Lists
    edges: Edges


@dataclass(frozen=True)
class KeptGraph:
    """Where a dataset's graph is kept, and the contents (n,) of tonight's rows.

    What is said about it: `width` of the lists, `generation` (how many whole searches there have been), `built` (rows
    of the last one), `changed` (rows that came or went since).
    """

    folder: Path
    contents: pl.Series

    def grown(
        self, vectors: np.ndarray, k: int, width: int, advance: Callable[[int], None]
    ) -> tuple[Lists, str] | None:
        """Tonight's lists from the kept ones, and how they came about in words; None where there are none, or too much
        has changed. What is new is kept before this returns."""
        from assay.knn.grow import grow  # torch: not in a night whose graph is there already

        store = KeptArrays(self.folder)
        head = store.head()
        parts = store.load(head) if head and head.about["width"] == width else None
        if head is None or not parts:
            return None
        known = _known(parts)
        digests = digests_of(self.contents, vectors)
        place = places(known.digests, digests)
        place[known.gone] = -1
        place = once(place)
        went = int((~known.gone & (place < 0)).sum())
        came = len(vectors) - int((place >= 0).sum())
        about = {**head.about, "changed": head.about["changed"] + came + went}
        if about["changed"] > MOST_CHANGED * about["built"]:
            return None
        found = grow(vectors, known.lists, known.edges, place, k, advance)
        if found is None:
            return None
        if came or went or len(found.searched):
            self._add(Head(about, head.files), known, place, digests, found)
        said = "whole search {generation} of {built} units, {changed} came or went since".format_map(about)
        return found.lists, said if about["changed"] else WHOLE  # a night that is done again says what it said

    def keep(self, vectors: np.ndarray, lists: Lists) -> None:
        """A whole search's lists as the base from now on."""
        head = KeptArrays(self.folder).head()
        generation = head.about["generation"] + 1 if head else 1
        width = lists.rows.shape[1]
        about = {"width": width, "generation": generation, "built": len(vectors), "changed": 0}
        self._write_base(about, digests_of(self.contents, vectors), lists)

    def _add(self, head: Head, known: Known, place: np.ndarray, digests: np.ndarray, found: Grown) -> None:
        """Keep what the night has changed, as a delta, or with all before it as a new base."""
        base, *deltas = [file["bytes"] for file in head.files]
        if sum(deltas) > COMPACT * base or len(deltas) >= MOST_DELTAS:
            self._write_base(head.about, digests, found.lists)
        else:
            KeptArrays(self.folder).write(head, "delta", _delta(known, place, digests, found))

    def _write_base(self, about: Mapping[str, Any], digests: np.ndarray, lists: Lists) -> None:
        parts = {"near": lists.rows, "similarity": lists.similarities, "horizon": lists.horizon}
        KeptArrays(self.folder).write(Head(about), "base", {"digests": digests, **parts})


def digests_of(contents: pl.Series, vectors: np.ndarray) -> np.ndarray:
    """(n, 2) uint64: 128-bit XXH3 of each row's content hash and vector."""
    found = [
        xxhash.xxh3_128_digest(content.encode() + row.tobytes()) for content, row in zip(contents, vectors, strict=True)
    ]
    return np.frombuffer(b"".join(found), dtype=np.uint64).reshape(-1, 2)


def places(known: np.ndarray, digests: np.ndarray) -> np.ndarray:
    """int32 (g,): which of `digests` (n, 2) each of `known` (g, 2) is; −1: none."""
    names = ["high", "low"]
    mine = (
        pl.DataFrame(digests, schema=names, orient="row")
        .with_row_index("place")
        .unique(names, keep="first", maintain_order=True)
    )
    before = pl.DataFrame(known, schema=names, orient="row")
    found = before.join(mine, on=names, how="left", maintain_order="left")["place"].cast(pl.Int32)
    return found.fill_null(-1).to_numpy().copy()


def once(place: np.ndarray) -> np.ndarray:
    """The same with −1 in the place of all but the first of equal ones."""
    first = np.full(len(place), -1, dtype=np.int32)
    numbers, at = np.unique(place, return_index=True)
    first[at] = numbers
    return first


def _delta(known: Known, place: np.ndarray, digests: np.ndarray, found: Grown) -> dict[str, np.ndarray]:
    """What the night has changed, in the graph's own numbers: new rows come after all before."""
    g, rows = len(place), np.flatnonzero(place >= 0)
    number = np.full(len(digests), -1, dtype=np.int32)  # of tonight's rows, in the graph
    number[place[rows]] = rows
    new = np.flatnonzero(number < 0)
    number[new] = np.arange(g, g + len(new))
    horizon, searched = found.lists.horizon[place[rows]], found.searched
    raised = (horizon != known.lists.horizon[rows]) & ~np.isin(place[rows], searched)
    return {
        "gone": np.flatnonzero(~known.gone & (place < 0)).astype(np.int32),
        "digests": digests[new],
        "row": number[searched],
        "near": np.append(number, np.int32(-1))[found.lists.rows[searched]],
        "similarity": found.lists.similarities[searched],
        "horizon": found.lists.horizon[searched],
        "edge_row": number[found.edges.row],
        "edge_near": number[found.edges.near],
        "edge_similarity": found.edges.similarity,
        "raised_row": rows[raised].astype(np.int32),
        "raised": horizon[raised],
    }


def _known(parts: list[dict[str, np.ndarray]]) -> Known:
    """The base with its deltas."""
    base, *deltas = parts
    lists = Lists(base["near"], base["similarity"], base["horizon"])
    known = Known(base["digests"], np.zeros(len(lists.rows), dtype=bool), lists, no_edges())
    for delta in deltas:
        known = _with(known, delta)
    return known


def _with(known: Known, parts: Mapping[str, np.ndarray]) -> Known:
    """The graph after one more night. Dead rows stay, so that numbers stay; who comes again is a new row."""
    g, digests, row, width = len(known.gone), parts["digests"], parts["row"], known.lists.rows.shape[1]
    blank = np.full((len(digests), width), -1, dtype=np.int32)
    near = np.concatenate([known.lists.rows, blank])
    similarity = np.concatenate([known.lists.similarities, blank.astype(np.float32)])
    horizon = np.concatenate([known.lists.horizon, np.zeros(len(digests), dtype=np.float32)])
    near[row], similarity[row], horizon[row] = parts["near"], parts["similarity"], parts["horizon"]
    horizon[parts["raised_row"]] = parts["raised"]
    gone = np.concatenate([known.gone, np.zeros(len(digests), dtype=bool)])
    gone[parts["gone"]] = True
    anew = np.zeros(g + len(digests), dtype=bool)
    anew[row] = True
    later = Edges(parts["edge_row"], parts["edge_near"], parts["edge_similarity"])
    edges = together([known.edges.only(~anew[known.edges.row]), later])
    return Known(np.concatenate([known.digests, digests]), gone, Lists(near, similarity, horizon), edges)
