"""How the source was read, in words: rows of `dataset_metrics`, lines in the terminal, an entry of the manifest.

A `source_…` row says what was taken for what; a `source_doubt:N` row says where another reading fits as well, and
which key of the spec chooses it.
"""

import sys
from dataclasses import dataclass, field

import polars as pl

from assay.store.stage import StageOutput

NUMBERS = {"metric": pl.String, "value": pl.Float64, "note": pl.String}
DOUBT = "source_doubt:"
SCHEMA = "source_schema"
MOST_DOUBTS = 50
LONGEST = 2000  # characters of one


@dataclass
class Told:
    """What there is to say about one night's source."""

    rows: list[tuple[str, float, str]] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def say(self, name: str, value: float, words: str) -> None:
        """A reading: `value` is a count that goes with it."""
        self.rows.append((f"source_{name}", float(value), words))

    def doubt(self, words: str) -> None:
        """Another reading that fits as well, or something that looks wrong; each is told once."""
        if words not in self.doubts:
            self.doubts.append(words)

    def frame(self) -> pl.DataFrame:
        """As rows of `dataset_metrics`."""
        shown = [
            (f"{DOUBT}{number}", 1.0, words[:LONGEST]) for number, words in enumerate(self.doubts[:MOST_DOUBTS], 1)
        ]
        rows = [
            *self.rows,
            ("n_source_doubts", float(len(self.doubts)), "doubts about how the source was read"),
            *shown,
        ]
        return pl.DataFrame(rows, schema=NUMBERS, orient="row")


def source_notes(numbers: pl.DataFrame) -> dict[str, list[str]]:
    """`reading` and `doubts` out of `dataset_metrics`, in words."""
    found: dict[str, list[str]] = {"reading": [], "doubts": []}
    for metric, note in numbers.select("metric", "note").iter_rows():
        if note and metric.startswith(DOUBT):
            found["doubts"].append(note)
        elif note and metric.startswith("source_") and metric != SCHEMA:
            found["reading"].append(note)
    return found


def print_notes(output: StageOutput) -> None:
    """The reading and the doubts on standard error, also where the night found its work done."""
    notes = source_notes(output.read("dataset_metrics"))
    for sort, lines in (("source", notes["reading"]), ("doubt", notes["doubts"])):
        for line in lines:
            tell(sort, line)


def tell(sort: str, words: str) -> None:
    """One line on standard error."""
    print(f"  {sort}: {words}", file=sys.stderr, flush=True)
