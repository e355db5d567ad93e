"""What the reader of a special kind of folder gives to ingest: rows, and the content behind each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import polars as pl

from assay.sources.batches import Batch
from assay.sources.rows import Resolve
from assay.sources.told import Told


@dataclass(frozen=True)
class OwnRows:
    """Samples that are no files of their own.

    Attributes:
        digest: of all that the rows depend on; known before they are read.
        name: what the rows are called in messages.
        batches: their columns `uri`, `label`, `split` and further ones; rows are numbered through.
        resolve: content hash and size of each uri.
        told: what there is to say once they are read.
        tables: `(samples)` → further tables by name, once the rows are read; each at least once.
    """

    digest: str
    name: str
    batches: Callable[[], Iterator[Batch]]
    resolve: Resolve
    told: Told = field(default_factory=Told)
    tables: Callable[[pl.DataFrame], Iterator[tuple[str, pl.DataFrame]]] = lambda samples: iter(())
