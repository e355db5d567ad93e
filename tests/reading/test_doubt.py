"""How many labels may be wrong beyond those that are flagged."""

import polars as pl
import pytest

from assay.reading.doubt import untold
from assay.reading.overview import worth_doing


class Made:
    """Tables of 1,000 labels, some of them flagged, the interval's upper end given."""

    def __init__(self, flagged: int, high: float | None) -> None:
        told = [("n_labeled", 1000.0), ("estimated_noise_rate_high", high)]
        self.tables = {
            "label_issues": pl.DataFrame({"label": ["a"] * 1000, "is_issue": [i < flagged for i in range(1000)]}),
            "dataset_metrics": pl.DataFrame(told, schema={"metric": pl.String, "value": pl.Float64}, orient="row"),
            "classes": pl.DataFrame(schema={"label": pl.String, "noise": pl.Float64}),
            "annotators": pl.DataFrame(schema={"annotator": pl.String, "error_rate": pl.Float64}),
        }

    def scan(self, table: str) -> pl.LazyFrame:
        return self.tables[table].lazy()


@pytest.mark.parametrize("flagged, high, more", [
    (0, 0.09, 90), (30, 0.09, 60), (50, 0.09, None), (0, 0.009, None), (0, None, None),
])  # fmt: skip
def test_what_the_vectors_cannot_tell_is_counted(flagged, high, more):
    """As many as the upper end allows beside the flagged; nothing where that is few, or no more than are flagged."""
    found = untold(Made(flagged, high))
    assert (found and found["n"]) == more
    things = worth_doing(Made(flagged, high), [], [], 0)
    assert [thing["n"] for thing in things] == ([more] if more else [])
    assert all(thing["go"]["sort"] == "label_issues.score" for thing in things)
