"""Checks of the stored vectors themselves, for `embedding_health`. One pass, one part in memory at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq


@dataclass
class Refusals:
    """Contents without a vector, and why: content hash → (reason, detail)."""

    reasons: dict[str, tuple[str, str]] = field(default_factory=dict)

    def count(self, reason: str) -> int:
        return sum(found == reason for found, _ in self.reasons.values())


MOST_CUT = 0.01  # share of the texts
_RANK_SAMPLE = 4_096  # vectors that the effective rank is computed on


@dataclass
class VectorStatistics:
    """What one pass over the vectors of a snapshot finds."""

    n: int = 0
    dimensions: int = 0
    norms: list[np.ndarray] = field(default_factory=list)
    hashes: list[np.ndarray] = field(default_factory=list)
    sample: list[np.ndarray] = field(default_factory=list)
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    def add(self, matrix: np.ndarray) -> None:
        """Count the rows of `matrix`, float16 or float32 (n, d)."""
        self.n += len(matrix)
        self.dimensions = matrix.shape[1]
        wide = matrix.astype(np.float32, copy=False)
        self.norms.append(np.sqrt(np.einsum("ij,ij->i", wide, wide)))
        self.hashes.append(_row_hashes(matrix))
        low, high = wide.min(axis=0), wide.max(axis=0)
        self.low = low if self.low is None else np.minimum(self.low, low)
        self.high = high if self.high is None else np.maximum(self.high, high)
        room = _RANK_SAMPLE - sum(map(len, self.sample))
        if room > 0:
            self.sample.append(wide[:room].copy())


def statistics(parts: list[Any], contents: pl.Series) -> VectorStatistics:
    """The statistics of the vectors of `contents` in some fact parts."""
    found = VectorStatistics()
    wanted = contents.unique().to_frame("content_hash")
    for part in parts:
        table = pq.read_table(part, columns=["content_hash", "vector"])
        values = table.column("vector").combine_chunks()
        matrix = values.flatten().to_numpy(zero_copy_only=False).reshape(-1, values.type.list_size)
        here = pl.DataFrame({"content_hash": pl.from_arrow(table.column("content_hash"))}).with_row_index("row")
        rows = here.join(wanted, on="content_hash", how="semi", maintain_order="left")["row"].to_numpy()
        if len(rows):
            found.add(matrix[rows])
    return found


def _row_hashes(matrix: np.ndarray) -> np.ndarray:
    """A 64-bit hash of each row's bytes; equal rows have equal hashes."""
    bits = np.ascontiguousarray(matrix).view(np.uint16 if matrix.dtype == np.float16 else np.uint32)
    weights = np.random.default_rng(0).integers(1, 2**63, bits.shape[1], dtype=np.uint64) | np.uint64(1)
    return (bits.astype(np.uint64) * weights).sum(axis=1, dtype=np.uint64)


def effective_rank(matrix: np.ndarray) -> float:
    """exp of the entropy of the covariance's eigenvalues (Roy & Vetterli 2007): 1 (a line) … d (a ball)."""
    centred = matrix.astype(np.float64) - matrix.mean(axis=0, dtype=np.float64)
    small = centred.T @ centred if centred.shape[0] > centred.shape[1] else centred @ centred.T
    values = np.clip(np.linalg.eigvalsh(small), 0.0, None)
    if values.sum() <= 1e-12:
        return 0.0
    shares = values / values.sum()
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def health_rows(
    stats: VectorStatistics,
    n_contents: int,
    refusals: Refusals,
    basis_overlap: float | None,
    norms: np.ndarray | None,
    at_ingest: Mapping[str, int] | None = None,
) -> pl.DataFrame:
    """Rows of `embedding_health`. For vectors brought by the user, `norms` has their lengths before scaling, and
    `at_ingest` counts the rows that ingest refused, by reason."""
    refused = at_ingest or {}
    rows = [
        _count("vectors_missing", n_contents - stats.n, "contents without a vector; `rejects` says why"),
        _count(
            "vectors_nan",
            refusals.count("vector_not_finite") + refused.get("not_finite", 0),
            "vectors with NaN or infinity; not stored",
        ),
        _count("vectors_zero", refusals.count("vector_zero"), "vectors of length 0; not stored"),
    ]
    if norms is not None:
        wrong = refusals.count("vector_wrong_length") + refused.get("wrong_length", 0)
        rows.append(_count("vectors_wrong_length", wrong, "another number of entries"))
        rows += _quantiles("given_norm", norms, "> 0", lambda value: value > 0, "as given, before they were made 1")
    if stats.n:
        lengths = np.concatenate(stats.norms)
        rows += _quantiles(
            "norm", lengths, "1 ± 0.01", lambda value: abs(value - 1) <= 0.01, "length of a vector, as stored"
        )
        rows += _spread(stats)
    if basis_overlap is not None:
        note = "share of contents that tonight and the fit of the embedder have in common; below 0.8 it is fitted again"
        rows.append(("basis_overlap", basis_overlap, ">= 0.8", basis_overlap >= 0.8, note))
    return pl.DataFrame(rows, schema=["check", "value", "wanted", "ok", "note"], orient="row", strict=False)


def cut_row(cut: pl.DataFrame, n_contents: int, unit: str) -> pl.DataFrame:
    """The row on texts longer than the model reads. `cut`: rows of `cut_contents`; `unit`: what these count."""
    share = len(cut) / max(n_contents, 1)
    note = f"no text is longer than what the model reads, in {unit}"
    if len(cut):
        n_read, n_whole = cut["n_read"].to_numpy(), cut["n_whole"].to_numpy()
        longest, read = int(n_read.max()), float((n_read / n_whole).mean())
        note = (
            f"{len(cut):,} of {n_contents:,} texts are longer than the {longest:,} {unit} that the model "
            f'reads; of these it sees {read:.0%} on average. embed.long_texts = "windows" has it read them whole'
        )
    row = ("texts_cut", share, f"<= {MOST_CUT}", share <= MOST_CUT, note)
    return pl.DataFrame([row], schema=["check", "value", "wanted", "ok", "note"], orient="row", strict=False)


def _spread(stats: VectorStatistics) -> list[tuple[Any, ...]]:
    """How much the vectors differ from each other."""
    hashes = np.concatenate(stats.hashes)
    duplicates = 1.0 - len(np.unique(hashes)) / len(hashes)
    flat = stats.n > 1 and stats.high is not None and stats.high - stats.low <= 1e-7
    constant = int(np.sum(flat))
    dead = "dimensions with one value in all vectors"
    rank = effective_rank(np.concatenate(stats.sample))
    return [
        ("dimensions", float(stats.dimensions), ">= 1", True, None),
        ("constant_dimensions", float(constant), "<= 10% of them", constant <= 0.1 * stats.dimensions, dead),
        ("duplicate_vectors", duplicates, "<= 0.1", duplicates <= 0.1, "share of contents with another one's vector"),
        ("effective_rank", rank, ">= 2", rank >= 2 or stats.n <= 2, "dimensions that the vectors really use"),
    ]  # fmt: skip


def _count(check: str, value: int, note: str) -> tuple[Any, ...]:
    return check, float(value), "== 0", value == 0, note


def _quantiles(
    check: str, values: np.ndarray, wanted: str, is_ok: Callable[[float], bool], note: str
) -> list[tuple[Any, ...]]:
    if not len(values):
        return []
    found = {"min": values.min(), "median": np.median(values), "max": values.max()}
    return [(f"{check}_{name}", float(value), wanted, bool(is_ok(value)), note) for name, value in found.items()]
