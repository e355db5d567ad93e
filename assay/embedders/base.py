"""What every embedder offers, and the thread setting that the CPU path needs.

An embedder turns raw content (the bytes of an image, a cleaned text) into one float32 vector. `prepare` runs for one
item on any thread, `collate` stacks prepared items into a batch of one fixed shape, `launch` starts the forward pass
and returns what collects its result, so that a GPU computes one batch while the next one is being decoded.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from assay.contracts.errors import UnreadableSample
from assay.embedders.basis import Basis
from assay.store.machine import cores

Refusal = tuple[str, str]  # a reason, and in words
Check = tuple[str, float, str, bool, str]  # a row of `embedding_health`: check, value, wanted, ok, note
Collect = Callable[[], np.ndarray]
_MOST_WORKERS = 8  # beyond this, cores go into each worker's own forward pass


def cpu_workers() -> int:
    """Threads that each decode and compute their own batches where there is no accelerator."""
    return min(cores(), _MOST_WORKERS)


class Collected:
    """A `Collect` of vectors (n, d) that are there already, of which some turned out to be none.

    Attributes:
        refused: row → why it has no vector.
    """

    def __init__(self, vectors: np.ndarray, refused: Mapping[int, Refusal]) -> None:
        self._vectors, self.refused = vectors, refused

    def __call__(self) -> np.ndarray:
        """The vectors; those of refused rows mean nothing."""
        return self._vectors


def refused_rows(collect: Collect) -> Mapping[int, Refusal]:
    """The rows of a launched batch that turned out to have no vector, and why."""
    return collect.refused if isinstance(collect, Collected) else {}


class Embedder:
    """Base of the embedders.

    Attributes:
        fingerprint: hex name of all that decides the vectors: model, weights, preprocessing, precision, storage.
        batch_size: items in a forward pass; shrinks when memory runs out.
        one_driver: the forward pass is driven by one thread (an accelerator's, or of a library that is not safe from
            from several); else each worker runs that of its own batches.
        decodes: it decodes files on its device, by `read_pictures` and `decode` in the place of `prepare`; known for
            sure once it is loaded.
    """

    fingerprint: str
    batch_size: int = 64
    one_driver: bool = False
    decodes: bool = False

    @property
    def dimensions(self) -> int:
        """Length of a vector; known once loaded."""
        raise NotImplementedError

    def load(self) -> None:
        """Bring the model into memory; done once, before the first `prepare`."""

    def start_thread(self) -> None:
        """Called once on each worker thread."""

    def finish(self) -> None:
        """Called when all is encoded."""

    def checks(self) -> list[Check]:
        """What it found out about its own vectors while it made them."""
        return []

    def prepare(self, item: Any) -> Any:
        """One raw item as the forward pass wants it.

        Raises:
            UnreadableSample: the item cannot be decoded.
        """
        raise NotImplementedError

    def start_reading(self, n: int) -> Any:
        """Workers for `read_pictures` of `n` files, or None; before `load`."""
        raise NotImplementedError

    def read_pictures(self, source: Any, contents: Sequence[Any], workers: Any = None) -> Iterator[Any]:
        """Files read ahead, in their order, as `decode` takes them."""
        raise NotImplementedError

    def decode(self, pictures: Sequence[Any]) -> tuple[Any, list[int], dict[int, Refusal]]:
        """`(batch, rows, refused)`: what `launch` takes, of which of the given pictures, and why not of the others."""
        raise NotImplementedError

    def cut(self, prepared: Any) -> tuple[int, int] | None:
        """How much of a prepared item the model reads, and how much there is, where that is more; else None."""
        return None

    def collate(self, prepared: Sequence[Any]) -> Any:
        """Prepared items as one batch."""
        return np.stack(prepared)

    def launch(self, batch: Any, n: int) -> Collect:
        """Start the forward pass of a batch whose first `n` rows count; the result collects float32 (n, d)."""
        raise NotImplementedError

    def encode(self, items: Sequence[Any]) -> np.ndarray:
        """Vectors of raw items, float32 of shape (n, d), not normalized.

        Raises:
            UnreadableSample: one of the items cannot be decoded, or is refused.
        """
        self.load()
        rows, size = [], self.batch_size  # it may shrink meanwhile
        for start in range(0, len(items), size):
            prepared = [self.prepare(item) for item in items[start : start + size]]
            collect = self.launch(self.collate(prepared), len(prepared))
            for reason, detail in refused_rows(collect).values():
                raise UnreadableSample(reason, detail)
            rows.append(collect())
        return np.concatenate(rows) if rows else np.zeros((0, self.dimensions), dtype=np.float32)


class FittedEmbedder(Embedder):
    """One that learns from the dataset itself; `basis` says from which contents, and where that is kept."""

    def __init__(self, basis: Basis) -> None:
        self.basis = basis
        self.fingerprint = basis.fingerprint

    def fit(self, prepared: list[Any]) -> None:
        """Learn from prepared items of the basis's sample, and store what was learned."""
        raise NotImplementedError
