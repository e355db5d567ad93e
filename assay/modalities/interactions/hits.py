"""How well vectors of users and items foretell what is taken next: hit@k, beside what the most popular items reach."""

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from assay.store.evenly import evenly
from assay.store.tables import TableReader

K = 20
MOST_USERS = 2_000  # that are judged
FEWEST = 20  # users to judge by

Matrix = NDArray[np.float32]


def validate(
    embed: Callable[[sparse.csr_matrix], Matrix], adjacency: sparse.csr_matrix, ids: pl.Series, tables: TableReader
) -> dict[str, NDArray[np.float64]]:
    """`hits`: hit@k, that of the most popular items, the users judged, k; nothing where too few can be judged.

    The last item of each of some users (by time; by its place in the table where there is none) is held out, all is
    embedded without, and the items that the user has not taken are ranked by the product of the vectors.
    """
    users, items = held_out(tables, ids)
    if len(users) < FEWEST:
        return {}
    rest = adjacency.tolil()
    rest[users, items] = 0
    rest[items, users] = 0
    left = sparse.csr_matrix(rest)
    left.eliminate_zeros()
    hits, popular = hit_rates(embed(left), left, ids, users, items)
    return {"hits": np.array([hits, popular, len(users), K], dtype=np.float64)}


def held_out(tables: TableReader, ids: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of some users, and of the last item of each, which somebody else took too and that is not its only one."""
    place = pl.DataFrame({"id": ids, "at": np.arange(len(ids), dtype=np.int64)})
    pairs = tables.read("interactions", ["row", "user", "item", "time"]).sort("time", "row", nulls_last=False)
    pairs = pairs.unique(["user", "item"], keep="last", maintain_order=True)
    pairs = pairs.join(place.rename({"at": "u"}), left_on="user", right_on="id").join(
        place.rename({"at": "i"}), left_on="item", right_on="id"
    )
    common = (pl.len().over("item") >= 2) & (pl.len().over("user") >= 2)
    pairs = pairs.with_columns(common=common).sort("time", "row", nulls_last=False)
    last = pairs.group_by("u", maintain_order=True).last().filter("common").sort("u")
    rows = evenly(len(last), MOST_USERS)
    return last["u"].to_numpy()[rows], last["i"].to_numpy()[rows]


def hit_rates(
    vectors: Matrix, left: sparse.csr_matrix, ids: pl.Series, users: NDArray[np.int64], items: NDArray[np.int64]
) -> tuple[float, float]:
    """Share of the users whose held-out item is among the `K` best of those that they have not taken: by the product
    of the vectors, and by how many took it.

    Args:
        vectors: (n, d) of all users and items.
        left: (n, n) what was not held out.
        users, items: (m,) rows.
    """
    is_item = ids.str.starts_with("item:").to_numpy()
    those = np.flatnonzero(is_item)
    column = np.full(len(ids), -1, dtype=np.int64)
    column[those] = np.arange(len(those))
    popularity = np.diff(left.indptr)[those].astype(np.float64)
    found = [0, 0]
    for start in range(0, len(users), 256):
        part = slice(start, start + 256)
        taken = left[users[part]][:, those].toarray() > 0
        wanted = column[items[part]]
        for which, scores in enumerate((vectors[users[part]] @ vectors[those].T, np.tile(popularity, (len(taken), 1)))):
            scores = np.where(taken, -np.inf, scores)
            own = scores[np.arange(len(wanted)), wanted][:, None]
            better = (scores > own).sum(axis=1) + ((scores == own).sum(axis=1) - 1) / 2
            found[which] += int((better < K).sum())
    return found[0] / len(users), found[1] / len(users)
