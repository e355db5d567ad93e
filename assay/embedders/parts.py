"""Samples that are embedded by their parts, as a video is by its frames: any embedder of images, and the mean of its
vectors, each of length 1."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assay.contracts.spec import Spec
from assay.embedders.base import Collect, Embedder, FittedEmbedder
from assay.embedders.basis import fingerprint_of
from assay.embedders.registry import Plan
from assay.embedders.windows import mean_of_windows

Parts = Callable[[bytes], list[bytes]]


@dataclass(frozen=True)
class PartBatch:
    """What the inner embedder gets for some samples, and how many parts each has."""

    inner: Any
    counts: list[int]


class MeanOfParts(Embedder):
    """The mean over a sample's parts of what another embedder makes of each."""

    def __init__(self, inner: Embedder, parts: Parts, most: int, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        self._inner, self._parts, self._most = inner, parts, most
        self.one_driver = inner.one_driver
        self.batch_size = max(1, inner.batch_size // most)

    @property
    def dimensions(self) -> int:
        """Numbers of a vector."""
        return self._inner.dimensions

    def load(self) -> None:
        """Bring the model into memory. Raises `EmbedderError` as it does."""
        self._inner.load()
        self.batch_size = max(1, self._inner.batch_size // self._most)

    def start_thread(self) -> None:
        """Called once on each worker thread."""
        self._inner.start_thread()

    def finish(self) -> None:
        """Called when all is encoded."""
        self._inner.finish()

    def prepare(self, item: bytes) -> list[Any]:
        """The parts of a sample, each prepared. Raises `UnreadableSample` where it cannot be decoded."""
        return [self._inner.prepare(part) for part in self._parts(item)]

    def collate(self, prepared: Sequence[list[Any]]) -> PartBatch:
        """All parts of all samples, one after another."""
        flat = [part for parts in prepared for part in parts]
        return PartBatch(self._inner.collate(flat), [len(parts) for parts in prepared])

    def launch(self, batch: PartBatch, n: int) -> Collect:
        """Vectors of the first `n` samples."""
        counts = batch.counts[:n]
        collect = self._inner.launch(batch.inner, sum(counts))
        return lambda: mean_of_windows(collect(), counts)


class FittedMeanOfParts(MeanOfParts, FittedEmbedder):
    """The same of an embedder that learns from the parts of all samples."""

    def __init__(self, inner: FittedEmbedder, parts: Parts, most: int, fingerprint: str) -> None:
        super().__init__(inner, parts, most, fingerprint)
        self.basis = inner.basis
        self._fitted = inner

    def fit(self, prepared: list[list[Any]]) -> None:
        """Learn from the parts of the basis's sample."""
        self._fitted.fit([part for parts in prepared for part in parts])


def of_parts(plan: Plan, parts: Parts, spec: Spec) -> Plan:
    """A plan for samples in parts from one for a part."""
    fingerprint = fingerprint_of(inner=plan.fingerprint, frames=spec.embed.frames, parts=1)

    def build() -> Embedder:
        inner = plan.build()
        if isinstance(inner, FittedEmbedder):
            return FittedMeanOfParts(inner, parts, spec.embed.frames, fingerprint)
        return MeanOfParts(inner, parts, spec.embed.frames, fingerprint)

    return replace(plan, fingerprint=fingerprint, build=build)
