"""Cosine neighbours by blocked matrix products, in bounded memory; equal similarities are in row order.

The greatest products of a row lie in those parts of the row that have the greatest maxima. The maxima are taken while a
tile of products is still in the cache, so only a few parts need to be searched for the greatest.

With fewer than `TWO_PASS_FROM` rows, and always on a GPU (`on_gpu.py`), every row is compared with all others, and the
neighbours are exact. From there on, on a CPU, candidates come from the leading principal directions and are ranked by
their similarity in the full space, and rows are compared only with those of near cells (`cells.py`). How many
directions, candidates and cells are needed is tried on a sample of the rows, the cheapest first: each of the two steps
must find TRUSTED_RECALL of the sample's neighbours. If no cheaper setting does, every row is compared with all others
after all. Similarities are rounded to 2⁻²⁰, so that equal vectors tie whatever the order of summation.
"""

import functools
import queue
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from assay.knn.cells import Block, Cells
from assay.knn.principal import principal
from assay.store.evenly import evenly

Task = Block | tuple[slice, None]  # the rows to search for, and what they are compared with; None: all

TWO_PASS_FROM = 20_000
PCA_DIMENSIONS = 256
FIRST_PASSES = ((64, 16), (128, 16), (128, 80), (256, 16), (256, 80))  # directions, candidates beyond k; by their cost
SAMPLE, CELLS_SAMPLE = 128, 1_000  # rows that a first pass, and how many cells it takes, are tried on
BLOCK_BYTES = 512 * 2**20  # of products
BLOCK_ROWS, LEAST_ROWS = 512, 64  # of them: with more rows fewer columns fit into the cache
CANDIDATES_BYTES = 64 * 2**20
PART, LARGE_PART = 16, 64  # products that are looked at through their maximum first; from `LARGE` columns on
LARGE = 100_000
TILE = 2048  # columns of products that are made, and looked at, at a time
SPARE = 8  # candidates beyond k, to see a tie at the k-th place
STEP = 2.0**20
TRUSTED_RECALL = 0.999
MOST = 0.5  # share of all pairs of rows, beyond which near cells save little
warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")


@dataclass(frozen=True)
class Plan:
    """How rows are searched for.

    Attributes:
        space: (n, p) in which candidates are found; None: the full space.
        spare: candidates beyond k.
        cells, near: rows of a cell are compared with those of the cells that are `near` (c, c); None: with all.
    """

    space: np.ndarray | None = None
    spare: int = SPARE
    cells: Cells | None = None
    near: torch.Tensor | None = None

    @property
    def blocks(self) -> Callable[[Callable[[int], int]], Iterable[Block]] | None:
        """What `_search` takes."""
        return None if self.cells is None or self.near is None else functools.partial(self.cells.blocks, self.near)


def blocked_knn(
    vectors: np.ndarray, k: int, device: str | None = None, advance: Callable[[int], None] = lambda count: None
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` nearest other rows of each row; nearly all of them from TWO_PASS_FROM rows on a CPU.

    Args:
        vectors: float32 (n, d), rows of length 1 (or zero).
        k: at most n − 1.
        advance: called with the number of rows that were searched since the last call, from any thread.

    Returns:
        `(rows, similarities)`: int32 and float32 of shape (n, k), by descending similarity, then by row.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device != "cpu":
        from assay.knn.on_gpu import knn_on_gpu

        return knn_on_gpu(vectors, k, device, advance)
    n = len(vectors)
    plan = planned(vectors, k)
    return _search(vectors, np.arange(n), k, plan.space, plan.spare, advance, plan.blocks)


def planned(vectors: np.ndarray, k: int) -> Plan:
    """How `blocked_knn` searches on a CPU."""
    if len(vectors) < TWO_PASS_FROM:
        return Plan()
    space, spare = _first_pass(vectors, k)
    return Plan(space, spare, *(_near_cells(vectors, k, space, spare) or ()))


def search_blocks(
    vectors: np.ndarray, k: int, space: np.ndarray | None, spare: int, blocks: list[Block]
) -> tuple[np.ndarray, np.ndarray]:
    """As `blocked_knn` by a plan that was made before, for the rows of `blocks` alone; others mean nothing."""
    return _search(vectors, np.arange(len(vectors)), k, space, spare, blocks=lambda _: blocks)


def _first_pass(vectors: np.ndarray, k: int) -> tuple[np.ndarray | None, int]:
    """`(rows in the leading directions, candidates beyond k)`: the cheapest of FIRST_PASSES that finds the neighbours
    of a sample; `(None, SPARE)` where none does in half of the dimensions."""
    n, d = vectors.shape
    passes = [(dimensions, spare) for dimensions, spare in FIRST_PASSES if 2 * dimensions <= d]
    if not passes:
        return None, SPARE
    sample = evenly(n, SAMPLE)
    least = kth_similarity(vectors, sample, k)
    basis, space = principal_basis(vectors), np.empty((n, 0), dtype=np.float32)
    for dimensions, spare in passes:
        if space.shape[1] != dimensions:
            space = vectors @ basis[:, :dimensions]
        tried, _ = _search(vectors, sample, k, space, spare)
        if recall(tried, vectors, sample, least) >= TRUSTED_RECALL:
            return space, spare
    return None, SPARE


def _near_cells(vectors: np.ndarray, k: int, space: np.ndarray | None, spare: int) -> tuple[Cells, torch.Tensor] | None:
    """The cells of a plan, and which are near enough to hold the neighbours of a sample; None where that compares more
    than MOST of all pairs."""
    cells, some = Cells(torch.from_numpy(vectors if space is None else space)), evenly(len(vectors), CELLS_SAMPLE)
    known, _ = _search(vectors, some, k, space, spare)
    limit = cells.limit(torch.from_numpy(some), torch.from_numpy(known).long(), TRUSTED_RECALL)
    near = cells.near(limit, k + 1 + spare)
    return (cells, near) if cells.share(near) <= MOST else None


def principal_basis(vectors: np.ndarray, dimensions: int = PCA_DIMENSIONS) -> np.ndarray:
    """The leading principal directions (not centred, so that products are kept), float32 (d, dimensions)."""
    sample = vectors[:: max(1, len(vectors) // 10_000)]
    return np.ascontiguousarray(principal(sample, centre=False).axes[:, :dimensions], dtype=np.float32)


def query_knn(vectors: np.ndarray, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """As `blocked_knn`, for some rows only, always in the full space."""
    picked = np.empty((len(rows), k), dtype=np.int32)
    similar = np.empty((len(rows), k), dtype=np.float32)
    data = torch.from_numpy(vectors)
    block = max(1, BLOCK_BYTES // (64 * max(1, len(vectors))))
    for start in range(0, len(rows), block):
        place = slice(start, start + block)
        picked[place], similar[place] = _with_ties(data, torch.from_numpy(np.asarray(rows[place], dtype=np.int64)), k)
    return picked, similar


def kth_similarity(vectors: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """float32 (m,): the similarity of some rows to their k-th nearest other row, in the full space."""
    data, out = torch.from_numpy(vectors), []
    block = max(1, BLOCK_BYTES // (16 * max(1, len(vectors))))
    for start in range(0, len(rows), block):
        numbers = torch.from_numpy(np.asarray(rows[start : start + block], dtype=np.int64))
        values = torch.mm(data[numbers], data.T)
        values[torch.arange(len(numbers)), numbers] = -2.0
        out.append(rounded(largest(values, k)[0].amin(dim=1)))
    return torch.cat(out).numpy() if out else np.zeros(0, dtype=np.float32)


def recall(found: np.ndarray, vectors: np.ndarray, rows: np.ndarray, least: np.ndarray) -> float:
    """Share of `found` (m, k) that is at least as near to `rows` as `least` (m,), from `kth_similarity`; in [0, 1]."""
    if not found.size:
        return 1.0
    similar = _similarities(torch.from_numpy(vectors), torch.from_numpy(rows), torch.from_numpy(found.astype(np.int64)))
    return float((similar.numpy() >= least[:, None] - 2.0 / STEP).mean())


def largest(
    values: torch.Tensor, count: int, fill: Callable[[slice], object] = lambda columns: None
) -> tuple[torch.Tensor, torch.Tensor]:
    """`(values, columns)` of shape (m, count): the `count` greatest of each row of `values` (m, n), in any order.

    `fill` is called with every slice of columns in turn, just before its values are read.
    """
    m, n = values.shape
    part = PART if n < LARGE else LARGE_PART
    if n // part < 4 * count:
        fill(slice(0, n))
        columns = _largest_columns(values, count)
        return values.gather(1, columns), columns
    maxima, first, step, rest = [], [], [], []
    for start in range(0, n, TILE):
        width = min(TILE, n - start) // part  # a part is every so many columns of the tile
        fill(slice(start, start + TILE))
        maxima.append(values[:, start : start + width * part].unflatten(1, (part, width)).amax(dim=1))
        first.append(torch.arange(start, start + width))
        step.append(torch.full((width,), width))
        rest.append(torch.arange(start + width * part, min(start + TILE, n)))
    best = _largest_columns(torch.cat(maxima, dim=1), count)
    parts = torch.cat(first)[:, None] + torch.cat(step)[:, None] * torch.arange(part)
    columns = torch.cat([parts[best].flatten(1), torch.cat(rest).expand(m, -1)], dim=1)
    chosen = values.gather(1, columns)
    place = _largest_columns(chosen, count)
    return chosen.gather(1, place), columns.gather(1, place)


def _largest_columns(values: torch.Tensor, count: int) -> torch.Tensor:
    """Column numbers of the `count` greatest of each row. On a CPU NumPy partitions twice as fast as torch."""
    n = values.shape[1]
    if count >= n:
        return torch.topk(values, min(count, n), dim=1, sorted=False).indices
    return torch.from_numpy(np.argpartition(values.numpy(), n - count, axis=1)[:, n - count :])


def _similarities(data: torch.Tensor, rows: torch.Tensor, near: torch.Tensor) -> torch.Tensor:
    """(m, c) products of row `rows[i]` with the rows `near[i]`; nothing is gathered or computed beyond these."""
    m, c = near.shape
    pattern = torch.sparse_csr_tensor(
        torch.arange(0, (m + 1) * c, c), near.reshape(-1), torch.zeros(m * c), (m, len(data)), check_invariants=False
    )
    return torch.sparse.sampled_addmm(pattern, data[rows], data.T).values().view(m, c)


def rerank(
    vectors: np.ndarray, rows: np.ndarray, candidates: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best `k` of each row's `candidates` (m, c) by similarity in the full space; a row's own number is skipped.

    Returns:
        `(rows, similarities, is_tied)`: as `blocked_knn`, and whether the worst candidate ties with the k-th.
    """
    data, mine = torch.from_numpy(vectors), torch.from_numpy(rows.astype(np.int64))
    near = torch.from_numpy(candidates.astype(np.int64)).sort(dim=1).values
    block = max(1, CANDIDATES_BYTES // (16 * max(1, near.shape[1])))
    parts = [slice(start, start + block) for start in range(0, len(mine), block)]
    values = torch.cat([_similarities(data, mine[part], near[part]) for part in parts])
    return _ranked(mine, near, values, k)


def _ranked(
    rows: torch.Tensor, near: torch.Tensor, values: torch.Tensor, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best `k` of the candidates `near` (m, c) by `values`, ties by row number; see `rerank`."""
    values = rounded(values)
    values[near == rows[:, None]] = -2.0
    near, order = near.sort(dim=1)
    values, order = values.gather(1, order).sort(dim=1, descending=True, stable=True)
    near = near.gather(1, order[:, :k])
    last = torch.where(values[:, -1] < -1.5, values[:, -2], values[:, -1])
    return near.numpy().astype(np.int32), values[:, :k].numpy(), (last == values[:, k - 1]).numpy()


def _search(
    vectors: np.ndarray,
    rows: np.ndarray,
    k: int,
    space: np.ndarray | None = None,
    spare: int = SPARE,
    advance: Callable[[int], None] = lambda count: None,
    blocks: Callable[[Callable[[int], int]], Iterable[Block]] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours of `rows` by blocked search in `space` (default: the vectors themselves), ranked in the full space.

    `blocks` yields places in `rows`, together with the rows to search for them; by default all rows are searched.
    """
    n, m = len(vectors), len(rows)
    data = torch.from_numpy(vectors if space is None else space)
    wanted = min(n, k + 1 + spare)
    picked = np.empty((m, k), dtype=np.int32)
    similar = np.empty((m, k), dtype=np.float32)
    tied = np.zeros(m, dtype=bool)
    workers = torch.get_num_threads()
    tasks, size = _tasks(n, m, workers, blocks)
    buffers: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for _ in range(workers):
        buffers.put(torch.empty(size))

    def search(task: Task) -> None:
        here, searched = task
        among = searched() if searched else None
        numbers, products = torch.from_numpy(rows[here]), buffers.get()
        try:
            columns = n if among is None else len(among)
            if len(products) < len(numbers) * columns:  # the block was cut where there are fewer cores
                products = torch.empty(len(numbers) * columns)
            values = products[: len(numbers) * columns].view(len(numbers), columns)
            values, near = largest(values, wanted, _multiply(data[numbers], data, among, values))
        finally:
            buffers.put(products)
        near = near if among is None else among[near]
        full = space is None
        found = _ranked(numbers, near, values, k) if full else rerank(vectors, rows[here], near.numpy(), k)
        picked[here], similar[here], tied[here] = found
        advance(len(numbers))

    _side_by_side(search, tasks, workers)
    if wanted < n:
        _settle_ties(vectors, rows, k, tied, picked, similar)
    return picked, similar


def _tasks(
    n: int, m: int, workers: int, blocks: Callable[[Callable[[int], int]], Iterable[Block]] | None
) -> tuple[list[Task], int]:
    """The tasks of `_search`, and the most products that one of them makes."""
    if blocks:
        most = max(min(BLOCK_BYTES // (4 * workers), BLOCK_ROWS * n), LEAST_ROWS * n)
        return list(blocks(lambda candidates: block_rows(candidates, m, workers))), most
    rows = block_rows(n, m, workers)
    return [(slice(start, start + rows), None) for start in range(0, m, rows)], rows * n


def block_rows(n: int, m: int, workers: int) -> int:
    """Rows of products over `n` columns that a worker holds at a time."""
    return max(1, min(m, BLOCK_ROWS, max(LEAST_ROWS, BLOCK_BYTES // (4 * n * workers))))


def _side_by_side(work: Callable[[Any], None], blocks: list[Any], workers: int) -> None:
    """Call `work` with each block, in as many threads as there are cores, each of which lets torch use one thread."""
    if workers == 1 or len(blocks) == 1:
        for block in blocks:
            work(block)
        return
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(work, blocks))
    finally:
        torch.set_num_threads(workers)


def _multiply(
    queries: torch.Tensor, data: torch.Tensor, among: torch.Tensor | None, products: torch.Tensor
) -> Callable[[slice], object]:
    """A function that fills some columns of `products` with queries · rows `among` (or all) of the data."""

    def fill(columns: slice) -> None:
        chosen = data[columns] if among is None else data.index_select(0, among[columns])
        torch.mm(queries, chosen.T, out=products[:, columns])

    return fill


def _settle_ties(
    vectors: np.ndarray, rows: np.ndarray, k: int, tied: np.ndarray, picked: np.ndarray, similar: np.ndarray
) -> None:
    """Search again those rows whose k-th neighbour ties with more rows than there were candidates."""
    if tied.any():
        picked[tied], similar[tied] = query_knn(vectors, rows[tied], k)


def _with_ties(data: torch.Tensor, rows: torch.Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours of some rows among all rows; of rows that tie at the k-th place, the first ones."""
    values = rounded(data[rows] @ data.T)
    values[torch.arange(len(rows)), rows] = -2.0
    last = largest(values, k)[0].amin(dim=1, keepdim=True)
    nearer, equal = values > last, values == last
    room = k - nearer.sum(dim=1, keepdim=True)
    chosen = nearer | (equal & (equal.cumsum(dim=1, dtype=torch.int32) <= room))
    near = chosen.nonzero()[:, 1].view(len(rows), k)
    similar, order = values.gather(1, near).sort(dim=1, descending=True, stable=True)
    return near.gather(1, order).numpy().astype(np.int32), similar.numpy()


def rounded(values: torch.Tensor) -> torch.Tensor:
    """Similarities to 2⁻²⁰, in place."""
    return values.mul_(STEP).round_().div_(STEP)
