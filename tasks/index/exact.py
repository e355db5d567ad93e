"""Exact cosine neighbours by blocked matrix products, in bounded memory; equal similarities stand in row order.

From `TWO_PASS_FROM` rows on, and only on a CPU, the candidates come from the leading principal directions and are
ranked by their similarity in the full space. How many directions and candidates that takes is tried on a sample of the
rows, the cheapest first; the full search takes over where even the leading 256 do not hold the neighbours.
Similarities are rounded to 2⁻²⁰, so that equal vectors tie whatever the order of summation.
"""

import numpy as np
import torch

TWO_PASS_FROM = 20_000
PCA_DIMENSIONS = 256
FIRST_PASSES = ((128, 16), (256, 16), (256, 64))  # directions, and candidates beyond k; by what they cost
SAMPLE = 256  # rows that a first pass is tried on
BLOCK_BYTES = 128 * 2**20
GATHER_BYTES = 32 * 2**20
SPARE = 8  # candidates beyond k, to see a tie at the k-th place
STEP = 2.0**20
TRUSTED_RECALL = 0.999


def exact_knn(vectors: np.ndarray, k: int, device: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The `k` nearest other rows of each row.

    Args:
        vectors: float32 (n, d), rows of length 1 (or zero).
        k: at most n − 1.

    Returns:
        `(rows, similarities)`: int32 and float32 of shape (n, k), by descending similarity, then by row.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    n, d = vectors.shape
    if device == "cpu" and n >= TWO_PASS_FROM and d > 2 * PCA_DIMENSIONS:
        space = vectors @ principal_basis(vectors)
        sample = np.linspace(0, n - 1, SAMPLE).astype(np.int64)
        true = query_knn(vectors, sample, k)[1]
        for dimensions, spare in FIRST_PASSES:
            leading = np.ascontiguousarray(space[:, :dimensions])
            tried = _search(vectors, sample, k, device, leading, spare)
            if recall(tried[0], vectors, sample, true) >= TRUSTED_RECALL:
                return _search(vectors, np.arange(n), k, device, leading, spare)
    return _search(vectors, np.arange(n), k, device)


def principal_basis(vectors: np.ndarray, dimensions: int = PCA_DIMENSIONS) -> np.ndarray:
    """The leading principal directions (not centred, so that products are kept), float32 (d, dimensions)."""
    step = max(1, len(vectors) // 20_000)
    sample = vectors[::step]
    _, directions = np.linalg.eigh((sample.T @ sample).astype(np.float64))
    basis = directions[:, ::-1][:, :dimensions]
    signs = np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(basis.shape[1])])
    return np.ascontiguousarray(basis * signs, dtype=np.float32)


def query_knn(vectors: np.ndarray, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """As `exact_knn`, for some rows only, always in the full space."""
    picked = np.empty((len(rows), k), dtype=np.int32)
    similar = np.empty((len(rows), k), dtype=np.float32)
    data = torch.from_numpy(vectors)
    block = max(1, BLOCK_BYTES // (16 * max(1, len(vectors))))
    for start in range(0, len(rows), block):
        place = slice(start, start + block)
        picked[place], similar[place] = _with_ties(data, torch.from_numpy(np.asarray(rows[place], dtype=np.int64)), k)
    return picked, similar


def recall(found: np.ndarray, vectors: np.ndarray, rows: np.ndarray, true: np.ndarray) -> float:
    """Share of `found` (m, k) that is as near to `rows` as the k-th of the `true` similarities (m, k); 1 is all."""
    if not found.size:
        return 1.0
    similar = np.stack([vectors[near] @ vectors[row] for near, row in zip(found, rows, strict=True)])
    return float((similar >= true[:, -1:] - 2.0 / STEP).mean())


def rerank(
    vectors: np.ndarray, rows: np.ndarray, candidates: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best `k` of each row's `candidates` (m, c) by similarity in the full space; a row's own number is skipped.

    Returns:
        `(rows, similarities, is_tied)`: as `exact_knn`, and whether the worst candidate ties with the k-th.
    """
    data = torch.from_numpy(vectors)
    n, c, d = len(rows), candidates.shape[1], vectors.shape[1]
    block = max(1, min(n, GATHER_BYTES // max(1, 4 * c * d)))
    gathered = torch.empty((block * c, d))  # filled again and again: fresh memory costs more than the products
    values = torch.empty((n, c))
    near = torch.from_numpy(candidates.astype(np.int64))
    mine = torch.from_numpy(rows.astype(np.int64))
    for start in range(0, n, block):
        size = min(block, n - start)
        torch.index_select(data, 0, near[start : start + size].reshape(-1), out=gathered[: size * c])
        queries = data[mine[start : start + size]][:, :, None]
        torch.bmm(gathered[: size * c].view(size, c, d), queries, out=values[start : start + size, :, None])
    return _ranked(mine, near, values, k)


def _ranked(
    rows: torch.Tensor, near: torch.Tensor, values: torch.Tensor, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best `k` of the candidates `near` (m, c) by `values`, ties by row number; see `rerank`."""
    values = _rounded(values)
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
    device: str,
    space: np.ndarray | None = None,
    spare: int = SPARE,
) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours of `rows` by blocked search in `space` (default: the vectors themselves), ranked in the full space."""
    n, m = len(vectors), len(rows)
    data = torch.from_numpy(vectors if space is None else space).to(device)
    wanted = min(n, k + 1 + spare)
    picked = np.empty((m, k), dtype=np.int32)
    similar = np.empty((m, k), dtype=np.float32)
    tied = np.zeros(m, dtype=bool)
    block = max(1, min(m, BLOCK_BYTES * (8 if device != "cpu" else 1) // (4 * n)))
    product = torch.empty((block, n), device=device)
    for start in range(0, m, block):
        here = slice(start, min(m, start + block))
        numbers = torch.from_numpy(rows[here])
        values = torch.mm(data[numbers.to(device)], data.T, out=product[: len(numbers)])
        values, near = torch.topk(values, wanted, dim=1, sorted=False)
        if space is None:
            found = _ranked(numbers, near.cpu(), values.cpu(), k)
        else:
            found = rerank(vectors, rows[here], near.cpu().numpy(), k)
        picked[here], similar[here], tied[here] = found
    if wanted < n:
        _settle_ties(vectors, rows, k, tied, picked, similar)
    return picked, similar


def _settle_ties(
    vectors: np.ndarray, rows: np.ndarray, k: int, tied: np.ndarray, picked: np.ndarray, similar: np.ndarray
) -> None:
    """Search the rows again whose k-th place is shared by more rows than there were candidates."""
    if tied.any():
        picked[tied], similar[tied] = query_knn(vectors, rows[tied], k)


def _with_ties(data: torch.Tensor, rows: torch.Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours of some rows over all rows; of equally similar ones at the k-th place, the first rows."""
    values = _rounded(data[rows] @ data.T)
    values[torch.arange(len(rows)), rows] = -2.0
    last = torch.topk(values, k, dim=1).values[:, -1:]
    nearer, equal = values > last, values == last
    room = k - nearer.sum(dim=1, keepdim=True)
    chosen = nearer | (equal & (equal.cumsum(dim=1, dtype=torch.int32) <= room))
    near = chosen.nonzero()[:, 1].view(len(rows), k)
    similar, order = values.gather(1, near).sort(dim=1, descending=True, stable=True)
    return near.gather(1, order).numpy().astype(np.int32), similar.numpy()


def _rounded(values: torch.Tensor) -> torch.Tensor:
    return values.mul_(STEP).round_().div_(STEP)
