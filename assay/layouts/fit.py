"""Fit a projection from nothing but the kNN graph and the vectors: PCA, UMAP, t-SNE. All seeded.

The heavy libraries are imported when a fit is needed: most nights only place what is new.
"""

import contextlib
import io
import re
import warnings

import numpy as np

from assay.store.progress import Progress

SMALLEST = 10  # fewer units than this are drawn by their principal components
LARGEST_PCA = 20_000  # rows that the principal components are fitted on
ITERATIONS, TOLD_EVERY = 750, 50  # of t-SNE: 250 exaggerated ones, then 500
REFIT_RATE = 0.1  # UMAP's learning rate where it starts from an earlier layout
LARGEST = 200_000  # UMAP and t-SNE fit at most so many units; the others are placed by their neighbours


def pca_coordinates(vectors: np.ndarray, seed: int) -> np.ndarray:
    """The three leading principal components, float32 (n, 3); missing ones are zero."""
    from sklearn.decomposition import PCA

    n, d = vectors.shape
    coordinates = np.zeros((n, 3), dtype=np.float32)
    sample = vectors[:: max(1, n // LARGEST_PCA)]
    components = min(3, len(sample), d)
    if components < 1 or not np.ptp(sample, axis=0).any():
        return coordinates
    solver = "randomized" if min(sample.shape) > 50 else "full"
    fitted = PCA(components, svd_solver=solver, random_state=seed).fit(sample)
    coordinates[:, :components] = vectors @ fitted.components_.T - fitted.mean_ @ fitted.components_.T
    return coordinates


def umap_coordinates(
    rows: np.ndarray,
    similarities: np.ndarray,
    init: np.ndarray,
    n_neighbors: int,
    min_dist: float,
    seed: int,
    is_refit: bool = False,
) -> np.ndarray:
    """UMAP (McInnes, Healy and Melville, 2018) of a kNN graph (n, k), started from `init` (n, 2). Float32 (n, 2).

    A refit starts from an earlier layout and takes small steps, so that it stays near it.
    """
    import umap

    keep_compiled()
    n = len(rows)
    epochs = 500 if n < 5_000 else 200 if n < 100_000 else 100
    indices = np.hstack([np.arange(n, dtype=np.int32)[:, None], rows])
    distances = np.hstack([np.zeros((n, 1), dtype=np.float32), np.clip(1.0 - similarities, 0.0, 2.0)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that transform() will not be there
        model = umap.UMAP(
            n_neighbors=min(n_neighbors, indices.shape[1]),
            min_dist=min_dist,
            n_epochs=epochs,
            init=spread(init, seed),
            precomputed_knn=(indices, distances),
            force_approximation_algorithm=True,
            learning_rate=REFIT_RATE if is_refit else 1.0,
            random_state=seed,
            n_jobs=1,
            tqdm_kwds={"disable": False, "file": _Epochs(epochs), "bar_format": "{n_fmt}"},
        )
        return np.asarray(model.fit_transform(init), dtype=np.float32)


class _Epochs(io.TextIOBase):
    """Where UMAP's own bar writes the number of the epoch."""

    def __init__(self, epochs: int) -> None:
        self._progress = Progress("epochs of UMAP", epochs, brief=True)

    def write(self, text: str) -> int:
        """Take the number out of `text`."""
        if found := re.search(r"\d+", text):
            self._progress.advance(int(found[0]) - self._progress.done)
        return len(text)


def keep_compiled() -> None:
    """Let Numba keep what it compiles of UMAP, which asks for that for some of its functions only.

    The others would be compiled anew by each process: ten seconds of processor time, more than a small fit. The files
    lie beside UMAP's own, or in the account's cache; where neither can be written, nothing is kept.
    """
    from importlib import import_module

    from numba.core.caching import NullCache
    from numba.core.dispatcher import Dispatcher

    for name in ("umap.umap_", "umap.layouts"):
        for function in vars(import_module(name)).values():
            if isinstance(function, Dispatcher) and isinstance(getattr(function, "_cache", None), NullCache):
                with contextlib.suppress(RuntimeError):  # no place to write
                    function.enable_caching()


def tsne_coordinates(rows: np.ndarray, similarities: np.ndarray, init: np.ndarray, seed: int) -> np.ndarray:
    """t-SNE (van der Maaten and Hinton, 2008) of a kNN graph, by openTSNE. Float32 (n, 2)."""
    from openTSNE import TSNE
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    distances = np.sqrt(np.clip(2.0 - 2.0 * similarities, 1e-9, None)).astype(np.float64)
    graph = PrecomputedNeighbors(rows.astype(np.int64), distances)
    affinities = PerplexityBasedNN(knn_index=graph, perplexity=min(30.0, rows.shape[1] / 3), n_jobs=1)
    start = spread(init, seed).astype(np.float64)
    start *= 1e-4 / max(start[:, 0].std(), 1e-12)  # t-SNE starts small
    progress = Progress("iterations of t-SNE", ITERATIONS, brief=True)
    told = {"callbacks": lambda *_: progress.advance(TOLD_EVERY), "callbacks_every_iters": TOLD_EVERY}
    model = TSNE(initialization=start, random_state=seed, n_jobs=1, **told)
    return np.asarray(model.fit(affinities=affinities), dtype=np.float32)


def spread(init: np.ndarray, seed: int) -> np.ndarray:
    """`init` in about [−10, 10], with a little noise, so that no two points start in one place."""
    noise = np.random.default_rng(seed).normal(scale=1e-3, size=init.shape)
    largest = np.abs(init).max(initial=0.0)
    return (init * (10.0 / largest if largest > 0 else 1.0) + noise).astype(np.float32)


def align(coordinates: np.ndarray, old: np.ndarray, known: np.ndarray) -> np.ndarray:
    """`coordinates` (n, 2) moved, turned and scaled so that the `known` rows lie nearest to `old` (Procrustes)."""
    from scipy.linalg import orthogonal_procrustes

    if known.sum() < 3:
        return coordinates
    source, target = coordinates[known].astype(np.float64), old[known].astype(np.float64)
    centre, wanted = source.mean(axis=0), target.mean(axis=0)
    variance = np.square(source - centre).sum()
    if not variance > 0:
        return coordinates
    turn, strength = orthogonal_procrustes(source - centre, target - wanted)
    turned = (coordinates - centre) @ turn * (strength / variance) + wanted
    return turned.astype(np.float32)


def align_signs(coordinates: np.ndarray, old: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Principal components with the signs that agree with `old` on the `known` rows."""
    agreement = (coordinates[known] * old[known]).sum(axis=0)
    return coordinates * np.where(agreement < 0, -1.0, 1.0).astype(np.float32)
