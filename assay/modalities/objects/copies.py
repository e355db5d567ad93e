"""What tells copies of boxes: the crops of two pictures, compared as pictures are. Boxes of one picture that overlap
are no copies of each other; `same_box` and `other_class` speak of those."""

from collections.abc import Callable

import numpy as np
import polars as pl

from assay.contracts.spec import Spec
from assay.modalities.image.pictures import Pictures
from assay.store.tables import TableReader, Tables
from assay.store.workspace import Workspace

Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Crops(Pictures):
    """Confirms pairs of boxes in different pictures."""

    facts = "object_facts"

    def __init__(self, spec: Spec, samples: pl.DataFrame, tables: Tables, workspace: Workspace) -> None:
        super().__init__(spec, samples, tables, workspace)
        self._picture = picture_codes(samples, tables)

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(m,) float64 in [0, 1]: the correlation of detail of pairs that are copies, 0 for others."""
        return apart(super().similarity, self._picture)(left, right)


def apart(measure: Measure, picture: np.ndarray) -> Measure:
    """The measure of pairs whose pictures have different codes, 0 for the others."""

    def between(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        found = np.zeros(len(left), dtype=np.float64)
        two = picture[left] != picture[right]
        found[two] = measure(left[two], right[two])
        return found

    return between


def picture_codes(samples: pl.DataFrame, tables: TableReader) -> np.ndarray:
    """(n,) int64: boxes of one picture, by what it holds, have one code."""
    facts = tables.scan("object_facts").select("content_hash", "image_hash").unique("content_hash")
    rows = samples.lazy().select("content_hash").join(facts, on="content_hash", how="left", maintain_order="left")
    found = rows.collect()["image_hash"]
    return found.rank("dense").cast(pl.Int64).fill_null(-1).to_numpy()
