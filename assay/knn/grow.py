"""A kept graph made into tonight's: new rows put in, those that are gone taken out, and only what that leaves in doubt
searched again. Where the kept lists are exact, so are the new ones.
"""

from collections.abc import Callable

import numpy as np
import torch

from assay.knn.blocked import SPARE, largest, query_knn, rounded
from assay.knn.lists import MOST_CHANGED, NEVER, Edges, Grown, Lists, merged, no_edges, together, whole

CHUNK_BYTES = 256 * 2**20  # of products
CHUNK_ROWS = 512
INFINITE = np.float32(3.0)
Hits = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # places among the new rows, rows, and their products


def grow(
    vectors: np.ndarray,
    lists: Lists,
    edges: Edges,
    place: np.ndarray,
    k: int,
    advance: Callable[[int], None] = lambda count: None,
) -> Grown | None:
    """The graph of all `vectors`, given the lists of rows of before.

    Args:
        vectors: float32 (n, d), rows of length 1 (or zero), n > width.
        lists: (g, width) of the rows of before; `edges` came to them later.
        place: int32 (g,) which of `vectors` each of these rows is; −1: none.
        k: the neighbours that each list must hold; at most width.
        advance: called with the number of rows that were searched for.

    Returns:
        None where more than MOST_CHANGED of all lists would have to be searched for.
    """
    n, width = len(vectors), lists.rows.shape[1]
    before = np.full(n, -1, dtype=np.int64)
    before[place[place >= 0]] = np.flatnonzero(place >= 0)
    old, new = np.flatnonzero(before >= 0), np.flatnonzero(before < 0)
    horizon = np.full(n, INFINITE, dtype=np.float32)
    horizon[old] = lists.horizon[before[old]]
    own, arrived = arrivals(vectors, new, horizon, width, advance)
    kept = Lists(lists.rows[before[old]], lists.similarities[before[old]], horizon[old])
    there, usable = _both(kept, edges, arrived, place, old, n)
    short = old[usable < k]
    if len(short) + len(new) > MOST_CHANGED * n:
        return None
    rows, similarities = np.empty((n, width), dtype=np.int32), np.empty((n, width), dtype=np.float32)
    for at, some in ((old, there), (new, own)):
        rows[at], similarities[at], horizon[at] = some.rows, some.similarities, some.horizon
    doubtful = np.concatenate([short, new[(own.similarities > own.horizon[:, None]).sum(axis=1) < k]])
    again = whole(*query_knn(vectors, doubtful, width), n)
    rows[doubtful], similarities[doubtful], horizon[doubtful] = again.rows, again.similarities, again.horizon
    searched = np.union1d(short, new)
    fresh = ~np.isin(arrived.row, searched) & (arrived.similarity > horizon[arrived.row])
    return Grown(Lists(rows, similarities, horizon), searched, arrived.only(fresh))


def _both(
    kept: Lists, edges: Edges, arrived: Edges, place: np.ndarray, old: np.ndarray, n: int
) -> tuple[Lists, np.ndarray]:
    """`merged` of the old rows' lists: with `edges`, which name rows of before, and `arrived`, which name tonight's."""
    at = np.full(n, -1, dtype=np.int32)
    at[old] = np.arange(len(old), dtype=np.int32)  # where in `kept` the list of one of tonight's rows is
    mine = edges.only(place[edges.row] >= 0)
    mine = Edges(at[place[mine.row]], mine.near, mine.similarity)
    g = len(place)
    late = Edges(at[arrived.row], arrived.near + np.int32(g), arrived.similarity)
    numbers = np.concatenate([place, np.arange(n, dtype=np.int32)])  # of tonight's rows, behind those of before
    return merged(kept, together([mine, late]), numbers, kept.rows.shape[1])


def arrivals(
    vectors: np.ndarray, new: np.ndarray, horizon: np.ndarray, width: int, advance: Callable[[int], None]
) -> tuple[Lists, Edges]:
    """The lists of some rows, and where they belong in the lists of others: one product for both.

    Args:
        new: the rows (m,).
        horizon: (n,) of all rows; INFINITE where a row is not to get an edge.
    """
    n, m = len(vectors), len(new)
    data, far, found = torch.from_numpy(vectors), torch.from_numpy(horizon), [no_edges()]
    rows, similarities = np.empty((m, width), dtype=np.int32), np.empty((m, width), dtype=np.float32)
    last = np.empty(m, dtype=np.float32)
    step = max(1, min(CHUNK_ROWS, CHUNK_BYTES // (4 * n)))
    for start in range(0, m, step):
        numbers = torch.from_numpy(new[start : start + step])
        products = torch.empty((len(numbers), n))
        hits: list[Hits] = []
        values, columns = largest(products, min(n, width + 1 + SPARE), _fill(data, numbers, far, products, hits))
        own = Edges(
            np.arange(len(numbers)).repeat(columns.shape[1]), columns.flatten().numpy(), values.flatten().numpy()
        )
        lists = _sorted(own, numbers.numpy(), n, width, columns.shape[1])
        here = slice(start, start + len(numbers))
        rows[here], similarities[here], last[here] = lists.rows, lists.similarities, lists.horizon
        found.append(_edges(hits, new[start : start + step], horizon))
        advance(len(numbers))
    return Lists(rows, similarities, last), together(found)


def _fill(
    data: torch.Tensor, numbers: torch.Tensor, horizon: torch.Tensor, products: torch.Tensor, hits: list[Hits]
) -> Callable[[slice], object]:
    """A function that makes some columns of `products`, and notes in `hits` those beyond a row's horizon while they
    are in the cache."""
    queries = data[numbers]

    def fill(columns: slice) -> None:
        tile = products[:, columns]
        torch.mm(queries, data[columns].T, out=tile)
        hit = (tile > horizon[columns]).nonzero()
        hits.append((hit[:, 0], hit[:, 1] + columns.start, tile[hit[:, 0], hit[:, 1]]))

    return fill


def _sorted(own: Edges, numbers: np.ndarray, n: int, width: int, wanted: int) -> Lists:
    """The best `width` of `wanted` candidates of each row; a row itself is none of its neighbours."""
    similar = rounded(torch.from_numpy(own.similarity)).numpy()
    own = Edges(own.row, own.near, similar).only(own.near != numbers[own.row])
    nobody = np.full((len(numbers), width), -1, dtype=np.int32)
    far = similar.reshape(len(numbers), -1).min(axis=1) if wanted < n else np.full(len(numbers), NEVER)
    empty = Lists(nobody, nobody.astype(np.float32), far.astype(np.float32))
    return merged(empty, own, np.arange(n, dtype=np.int32), width)[0]


def _edges(hits: list[Hits], new: np.ndarray, horizon: np.ndarray) -> Edges:
    """What `_fill` noted, as edges from the rows to the new ones."""
    if not hits:
        return no_edges()
    near, row, products = (torch.cat(part) for part in zip(*hits, strict=True))
    similarity = rounded(products).numpy()
    found = Edges(row.numpy(), new[near.numpy()].astype(np.int32), similarity)
    return found.only(similarity > horizon[found.row])
