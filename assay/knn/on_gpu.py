"""Cosine neighbours on a GPU: every row is compared with all others, and the neighbours are exact.

Products are made in half precision, a block of rows by a slab of columns at a time. The greatest of a row lie in those
parts of the row that have the greatest maxima, so only a few parts are searched. These candidates, some to spare, are
then ordered by their products in fp32, since half precision confuses what is nearly equal. A row whose k-th neighbour
could be confused with what was left out is searched again in fp32.

Slabs stay on the device if all of them fit there; otherwise they are streamed by for each block.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch

STEP = 2.0**20  # similarities are rounded to 1 / STEP, so that equal vectors tie whatever the order of summation
SPARE = 30  # candidates beyond k
PART = 64  # products that are looked at through their maximum first
BLOCK = 4_096  # rows at a time
SLAB = 2**20  # columns at a time
KEPT = 0.5  # share of the device's free memory for slabs that stay
ROOM = 0.2  # of it for the products of a block
FREE = 2**31  # taken as free where there is no such device
GATHERED = 2**30  # bytes of candidates' vectors at a time
ERROR, LEAST_ERROR = 2.0**-11, 1e-4  # of a product in half precision: relative, and of the vectors' own rounding
WORST = -(2**62)


class Slab(NamedTuple):
    """Rows from `start` on, (s, d), in fp32 and in half precision."""

    start: int
    full: torch.Tensor
    half: torch.Tensor


def knn_on_gpu(
    vectors: np.ndarray, k: int, device: str = "cuda", advance: Callable[[int], None] = lambda count: None
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` nearest other rows of each row, as `blocked.blocked_knn` gives them; ties are in row order.

    Args:
        vectors: float32 (n, d), rows of length 1 (or zero).
        k: at most n − 1.
    """
    n = len(vectors)
    slabs = _Slabs(vectors, torch.device(device))
    block = max(1, min(BLOCK, slabs.room // (2 * min(n, SLAB))))
    best, sure = np.empty((n, k), dtype=np.int64), np.empty(n, dtype=bool)
    for start in range(0, n, block):
        stop = min(start + block, n)
        found, certain = _search(slabs, torch.arange(start, stop, device=slabs.device), k)
        best[start:stop], sure[start:stop] = found.cpu(), certain.cpu()
        advance(stop - start)
    again = np.flatnonzero(~sure)
    step = max(1, slabs.room // (16 * min(n, SLAB)))
    for start in range(0, len(again), step):
        rows = again[start : start + step]
        best[rows] = _search_in_full(slabs, torch.from_numpy(rows).to(slabs.device), k).cpu()
    rows = (2**32 - 1 - (best & (2**32 - 1))).astype(np.int32)
    return rows, ((best >> 32) / STEP).astype(np.float32)


class _Slabs:
    """The slabs of a matrix on a device, and bytes of `room` beside them."""

    def __init__(self, vectors: np.ndarray, device: torch.device) -> None:
        self.device, self._vectors = device, vectors
        free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else FREE
        self.room = int(ROOM * free)
        fits = vectors.size * 6 <= KEPT * free
        self._kept = [self._slab(start) for start in self._starts()] if fits else None

    def _starts(self) -> range:
        return range(0, len(self._vectors), SLAB)

    def _slab(self, start: int) -> Slab:
        full = torch.from_numpy(self._vectors[start : start + SLAB]).to(self.device)
        return Slab(start, full, full.half())

    def __iter__(self) -> Iterator[Slab]:
        return iter(self._kept) if self._kept is not None else map(self._slab, self._starts())

    def rows(self, numbers: torch.Tensor) -> torch.Tensor:
        """Some rows, fp32 (m, d)."""
        if self._kept is not None and len(self._kept) == 1:
            return self._kept[0].full[numbers]
        return torch.from_numpy(self._vectors[numbers.cpu().numpy()]).to(self.device)


def _keys(similarities: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """int64 numbers that are in the order of the similarities, and of equal ones in the order of rows, reversed."""
    return ((similarities * STEP).round_().long() << 32) + (2**32 - 1 - rows)


def _greatest(keys: list[torch.Tensor], k: int) -> torch.Tensor:
    joined = torch.cat(keys, dim=1)
    return joined.topk(min(k, joined.shape[1]), dim=1).values


def _search(slabs: _Slabs, rows: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """`(keys, is_sure)` of some rows: their k greatest keys, (m, k) in descending order."""
    queries = slabs.rows(rows)
    half = queries.half()
    best: list[torch.Tensor] = []
    bound = torch.full((len(rows),), -2.0, device=slabs.device)
    for slab in slabs:
        products = half @ slab.half.T
        columns, least = _candidates(products, k + 1 + SPARE)
        del products
        numbers = columns + slab.start
        keys = _keys(_products(queries, slab.full, columns), numbers)
        best = [_greatest([*best, keys.masked_fill_(numbers == rows[:, None], WORST)], k)]
        if columns.shape[1] < len(slab.full):
            bound = torch.maximum(bound, least + least.abs() * ERROR + LEAST_ERROR)
    return best[0], (best[0][:, -1] >> 32) / STEP > bound


def _candidates(products: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The columns of the `count` greatest of each row of `products` (m, n), and the least of them, fp32 (m,)."""
    n = products.shape[1]
    parts = n // PART  # part p has the columns p, p + parts, p + 2 · parts, …
    if parts <= 2 * count:
        values, columns = products.topk(min(count, n), dim=1, sorted=False)
        return columns, values.amin(dim=1).float()
    maxima = products[:, : parts * PART].view(-1, PART, parts).amax(dim=1)
    chosen = maxima.topk(count, dim=1, sorted=False).indices
    steps = parts * torch.arange(PART, device=products.device)
    rest = torch.arange(parts * PART, n, device=products.device).expand(len(products), -1)
    among = torch.cat([(chosen[:, :, None] + steps).flatten(1), rest], dim=1)
    values, place = products.gather(1, among).topk(count, dim=1, sorted=False)
    return among.gather(1, place), values.amin(dim=1).float()


def _products(queries: torch.Tensor, data: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """(m, c) products of row i of `queries` (m, d) with the rows `columns[i]` of `data`, in fp32."""
    step = max(1, GATHERED // (4 * columns.shape[1] * data.shape[1]))
    parts = zip(queries.split(step), columns.split(step), strict=True)
    return torch.cat([torch.bmm(data[near], some[:, :, None])[:, :, 0] for some, near in parts])


def _search_in_full(slabs: _Slabs, rows: torch.Tensor, k: int) -> torch.Tensor:
    """The keys of `_search`, from products with all rows in fp32."""
    queries = slabs.rows(rows)
    best: list[torch.Tensor] = []
    for slab in slabs:
        numbers = torch.arange(slab.start, slab.start + len(slab.full), device=slabs.device)
        keys = _keys(queries @ slab.full.T, numbers)
        best = [_greatest([*best, keys.masked_fill_(numbers == rows[:, None], WORST)], k)]
    return best[0]
