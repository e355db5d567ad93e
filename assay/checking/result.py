"""What a check found, held against limits, in words and as files."""

import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from assay.checking.tables import FINDINGS
from assay.contracts.errors import SpecError
from assay.reading.report import printable
from assay.store.files import atomic_file

FORMS = ("parquet", "json")
SHOWN = 3  # examples of each kind of finding
DRIFT = "drift_domain_auc"
LIMITED = (*FINDINGS, "label_conflicts", "drift")
WORDS = {
    "duplicates": "copies of samples that are there",
    "leaks": "copies across splits",
    "label_issues": "labels that the snapshot contradicts",
    "unknown_classes": "classes that the snapshot has not",
    "outliers": "unlike everything in the snapshot",
    "issues": "issues of single contents",
    "rejects": "cannot be used",
    "label_conflicts": "copies with another label",
    "drift": "how well a classifier tells the batch from the snapshot; 0.5: not at all",
}


@dataclass(frozen=True)
class Limit:
    """At most `value` of a kind of finding: so many, or, as a `share`, so many of each sample of the batch."""

    name: str
    value: float
    share: bool = False

    def __str__(self) -> str:
        return f"{self.value * 100:g}%" if self.share else f"{self.value:g}"


def limit(name: str, text: str | float) -> Limit:
    """The limit that `NAME=TEXT` asks for: a number, or a percentage such as `2%`.

    Raises:
        SpecError: there is no such finding, or it is no number from 0 on.
    """
    if name not in LIMITED:
        nearest = difflib.get_close_matches(name, LIMITED, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(LIMITED)}"
        raise SpecError(f"a batch has no findings named {name!r}; {hint}")
    share = isinstance(text, str) and text.strip().endswith("%")
    try:
        value = float(str(text).strip().removesuffix("%")) / (100 if share else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf") or (share and name == "drift"):
        raise SpecError(f"the limit {name}={text} is not a number; use such as {name}=0 or label_issues=2%")
    return Limit(name, value, share)


@dataclass(frozen=True)
class Check:
    """A batch beside a snapshot.

    Attributes:
        dataset, snapshot: what it was held against.
        n: samples of the batch, those that cannot be used included.
        tables: by name, a frame a kind of finding; `samples`, with what was found of each; `drift`.
        notes: what could not be looked for, and why; how splits were taken.
        broken: the limits that do not hold, as `(limit, what was found)`.
    """

    dataset: str
    snapshot: int
    n: int
    tables: Mapping[str, pl.DataFrame]
    notes: tuple[str, ...] = ()
    broken: tuple[tuple[Limit, float], ...] = field(default=())

    @property
    def counts(self) -> dict[str, float | None]:
        """How many findings there are of each kind, and how far the batch has drifted (None: not known)."""
        found: dict[str, float | None] = {name: len(self.tables[name]) for name in FINDINGS}
        moved = dict(self.tables["drift"].select("metric", "value").iter_rows())
        conflicts = int(self.tables["duplicates"]["conflict"].sum())
        return {**found, "label_conflicts": conflicts, "drift": moved.get(DRIFT)}

    @property
    def passed(self) -> bool:
        """Whether every limit holds."""
        return not self.broken

    def table(self, name: str) -> pl.DataFrame:
        """A table by its name. Raises `SpecError` where there is none; the message has what there is."""
        if name not in self.tables:
            raise SpecError(f"a check has no table {name!r}; there are {', '.join(self.tables)}")
        return self.tables[name]

    def described(self) -> dict[str, Any]:
        """All but the tables, as plain JSON values."""
        broken = [{"name": limit.name, "limit": str(limit), "value": value} for limit, value in self.broken]
        return {
            "dataset": self.dataset,
            "snapshot": self.snapshot,
            "samples": self.n,
            "counts": self.counts,
            "passed": self.passed,
            "broken": broken,
            "notes": list(self.notes),
        }

    def write(self, folder: str | Path, form: str = "parquet") -> Path:
        """Each table as a file of `folder`, Parquet or (`json`) a JSON array, and `check.json`, written last."""
        if form not in FORMS:
            raise SpecError(f"a check is written as {' or '.join(FORMS)}; got {form!r}")
        folder = Path(os.path.expanduser(folder))
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in self.tables.items():
            with atomic_file(folder / f"{name}.{form}") as aside:
                if form == "parquet":
                    frame.write_parquet(aside)
                else:
                    frame.write_json(aside)
        with atomic_file(folder / "check.json") as aside:
            aside.write_text(json.dumps(self.described(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return folder

    def words(self) -> str:
        """A summary to read, with some examples of each kind of finding."""
        lines = [f"{self.n:,} samples beside {self.dataset} v{self.snapshot:08d}", ""]
        limits = {limit.name: limit for limit, _ in self.broken}
        for name, count in self.counts.items():
            said = "?" if count is None else f"{count:.3f}" if name == "drift" else f"{count:,.0f}"
            over = f"  over the limit of {limits[name]}" if name in limits else ""
            lines.append(f"{said:>8}  {name.replace('_', ' '):<16} {WORDS[name]}{over}")
            lines += [f"{'':>10}{example}" for example in self._examples(name)]
        lines += ["", *(f"note: {note}" for note in self.notes)]
        return "\n".join(lines).rstrip()

    def _examples(self, name: str) -> list[str]:
        """Some rows of a table, a line each."""
        if name not in FINDINGS:
            return []
        rows = self.tables[name].head(SHOWN).to_dicts()
        return [
            " · ".join(_cell(key, value) for key, value in row.items() if value is not None and value is not False)
            for row in rows
        ]


def held_against(check: Check, limits: list[Limit]) -> Check:
    """The check with the limits that do not hold. What is not known breaks none."""
    broken = []
    for one in limits:
        count = check.counts[one.name]
        if count is not None and count > one.value * (max(check.n, 1) if one.share else 1):
            broken.append((one, count))
    return Check(check.dataset, check.snapshot, check.n, check.tables, check.notes, tuple(broken))


def _cell(key: str, value: Any) -> str:
    if value is True:
        return key.replace("_", " ")
    if isinstance(value, float):
        value = f"{value:.3g}"
    text = printable(value, 60)
    return text if key == "sample_id" else f"{key.replace('_', ' ')} {text}"
