"""Labels that are sets of classes, as codes: which classes each text of the column stands for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from assay.metrics.corpus import Coding
from assay.sources.label_text import classes_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class Sets:
    """The classes, sorted, and which of them each text of a `Coding` of labels stands for: (texts, classes), 0 or 1."""

    separator: str
    names: list[str]
    carried: "csr_array"


def read_sets(labels: Coding, separator: str) -> Sets:
    """The sets behind the texts of a coding."""
    from scipy.sparse import csr_array  # not in a night without sets of labels

    members = [classes_of(text, separator) for text in labels.names]
    names = sorted({name for classes in members for name in classes})
    place = {name: code for code, name in enumerate(names)}
    rows = np.repeat(np.arange(len(members)), [len(classes) for classes in members])
    columns = np.array([place[name] for classes in members for name in classes], dtype=np.int64)
    return Sets(separator, names, csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(members), len(names))))


def carriers(samples: pl.DataFrame, labels: Coding, sets: Sets) -> pl.DataFrame:
    """Columns sample_id, label, split: a row for each class that a sample carries."""
    entries = sets.carried.tocoo()
    names = pl.Series(sets.names, dtype=pl.String)
    classes = pl.DataFrame({"text": entries.row.astype(np.int32), "label": names.gather(entries.col)})
    rows = samples.select("sample_id", "split").with_columns(text=pl.Series(labels.codes))
    return rows.join(classes, on="text", maintain_order="left").select("sample_id", "label", "split")
