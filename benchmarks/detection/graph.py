"""A corpus in memory for the detection benchmarks: exact neighbours, no stage around it."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from assay.metrics.corpus import Corpus


def exact_corpus(vectors: np.ndarray, k: int = 50) -> Corpus:
    """`Corpus` of unit-length vectors with their exact cosine kNN graph."""
    rows, similarities = exact_graph(vectors, k)
    ids = pl.Series([f"{i:07d}" for i in range(len(vectors))])
    return Corpus(
        samples=pl.DataFrame({"sample_id": ids, "content_hash": ids}),
        unit=np.arange(len(vectors), dtype=np.int32),
        unit_ids=ids,
        vectors=vectors,
        neighbors=rows,
        similarities=similarities,
        embedder="benchmark",
        n_unusable=0,
    )


def exact_graph(vectors: np.ndarray, k: int, block: int = 2_000) -> tuple[np.ndarray, np.ndarray]:
    """`(neighbors, similarities)` of shape (n, k), self excluded."""
    matrix = torch.from_numpy(vectors)
    found, similar = [], []
    for start in range(0, len(matrix), block):
        product = matrix[start : start + block] @ matrix.T
        product[torch.arange(len(product)), torch.arange(start, start + len(product))] = -2.0
        values, indices = product.topk(min(k, len(matrix) - 1), dim=1)
        found.append(indices)
        similar.append(values)
    return torch.cat(found).numpy().astype(np.int32), torch.cat(similar).numpy()
