"""`assay demo`: an example with planted defects through the whole pipeline, and what it found of them."""

import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from assay.contracts.modality import find_modality
from assay.night import run_spec
from assay.selftest.count import Judged, by_kind, judge, summarize
from assay.selftest.example import write_example
from assay.store.snapshots import Snapshot

QUERIES = (
    "select sample_id, label, suggested_label, round(score, 2) as score from label_issues "
    "where is_issue order by score desc limit 10",
    "select sample_id, split, other_id, other_split, tier from leaks order by similarity desc limit 10",
    "select metric, count(*) as n from scores where is_issue group by metric order by n desc",
)


def run_demo(home: Path, night: Callable[[Path, Path], Snapshot] = run_spec, modality: str = "image") -> Snapshot:
    """Write an example below `home`, publish a snapshot, print what was found of what was planted.

    Args:
        night: `(spec path, home) -> Snapshot`, what runs the night.

    Raises:
        SpecError: there is no example of such data.
    """
    started = time.monotonic()
    data = find_modality(modality)
    spec, truth = write_example(data, home / "demo-data" / modality)
    snapshot = night(spec, home)
    judgements = judge(data, snapshot, truth.rename({"uri": "sample_id"}))
    found = [summarize(detector, rows, draws=0) for detector, rows in judgements.items()]
    print(found_table(found, by_kind(judgements)))
    print(next_steps(snapshot, home))
    print(f"assay demo took {time.monotonic() - started:.0f} s", file=sys.stderr)
    return snapshot


def found_table(found: list[Judged], kinds: pl.DataFrame) -> str:
    """Planted, found, missed and wrongly flagged: a line per detector, and per kind where it looks for several."""
    lines = [f"{'':22}{'planted':>9}{'found':>8}{'missed':>8}{'wrong':>8}{'precision':>11}{'recall':>8}"]
    for one in found:
        numbers = f"{one.planted:>9}{one.found:>8}{one.planted - one.found:>8}{one.wrong:>8}"
        lines.append(f"{one.detector:22}{numbers}{_share(one.precision):>11}{_share(one.recall):>8}")
        parts = kinds.filter(pl.col("detector") == one.detector)
        for kind, n, hits in parts.select("kind", "planted", "found").iter_rows() if len(parts) > 1 else ():
            lines.append(f"  {kind.replace('_', ' '):20}{n:>9}{hits:>8}{n - hits:>8}{'':19}{_share(hits / n):>8}")
    return "\n".join(["", *lines, ""])


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def next_steps(snapshot: Snapshot, home: Path) -> str:
    """Where the results are, and what to type next."""
    option = "" if home == Path("assay-home").resolve() else f" --home {shlex.quote(str(home))}"
    name = snapshot.manifest["dataset"]
    queries = "\n".join(f'  assay query {name}{option} "{query}"' for query in QUERIES)
    return (
        f"snapshot  {snapshot.path}\nreport    {snapshot.path / 'report.html'}\n\n"
        f"Look at it:\n  assay explore {name}{option}\n\nAsk it:\n{queries}"
    )
