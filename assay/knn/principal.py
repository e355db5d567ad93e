"""Principal axes of rows: one way for embedders, search, probe, outliers and drift."""

from typing import NamedTuple

import numpy as np

from assay.store.machine import one_blas_thread

BLOCK = 2048  # rows that are float64 at a time


class Principal(NamedTuple):
    """`mean` (d,) that the rows were taken about; `variance` (r,) along each axis, the greatest first; `axes` (d, r) of
    length 1, each with its largest entry positive. r = min(n, d); float64."""

    mean: np.ndarray
    variance: np.ndarray
    axes: np.ndarray


@one_blas_thread()
def principal(rows: np.ndarray, centre: bool = True) -> Principal:
    """The principal axes of rows (n, d) of any numbers, about their mean or, without `centre`, about zero.

    Fewer rows than dimensions go by way of their inner products, where an axis along which nothing varies is zero: a
    matrix of d × d takes minutes from 10,000 on. The same to the last bit on machines of any size.
    """
    n, d = rows.shape
    mean = rows.mean(axis=0, dtype=np.float64) if centre and n else np.zeros(d)
    if n < d:
        centred = rows - mean
        values, left = np.linalg.eigh(centred @ centred.T)
        axes = centred.T @ (left / np.sqrt(np.maximum(values, 1e-300)))
        axes[:, values <= 1e-14 * max(values.max(initial=0.0), 1e-300)] = 0.0
    else:
        scatter = np.zeros((d, d))
        for start in range(0, n, BLOCK):
            block = rows[start : start + BLOCK] - mean
            scatter += block.T @ block
        values, axes = np.linalg.eigh(scatter)
    values, axes = np.maximum(values[::-1], 0.0) / max(n, 1), axes[:, ::-1]
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]) if axes.size else 1.0
    return Principal(mean, values, axes * signs)
