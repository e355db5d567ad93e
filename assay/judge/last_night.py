"""Last night's verdicts, as far as they can be compared with tonight's: same embedder, settings and release."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from assay.contracts.metrics import leeways
from assay.contracts.operations import Run
from assay.contracts.plugins import installed
from assay.contracts.spec import Spec
from assay.metrics.sql import Relation, select
from assay.store.snapshots import Snapshot, last_night
from assay.store.tables import TableReader
from assay.store.units import embedder_of
from assay.store.workspace import Workspace

SQL = Path(__file__).with_name("last_verdicts.sql")
DECIDED_BY_THEMSELVES = ("label_issue", "wrong_class", "missing_class", "outlier")  # these have a leeway of their own
NONE = {"sample_id": pl.String, "metric": pl.String, "was_issue": pl.Boolean}


@dataclass(frozen=True)
class LastVerdicts:
    """The verdicts of the last snapshot that still count.

    Attributes:
        snapshot: None where there is none, or where other vectors, settings or another release made its verdicts.
        metrics: those whose verdicts count; one whose threshold has changed is not among them.
        decided: sample_id of every sample that anybody ever decided about.
    """

    snapshot: Snapshot | None
    metrics: list[str]
    decided: pl.DataFrame

    def identity(self) -> list[str]:
        """The part of the stage's key that stands for these verdicts."""
        if self.snapshot is None:
            return []
        tables = self.snapshot.manifest["tables"]
        digests = [tables[name]["digest"] for name in ("samples", "scores")]
        return [*digests, *self.metrics, *self.decided["sample_id"].to_list()]

    def read(self, samples: pl.DataFrame, spill: Path, run: Run | None = None) -> pl.DataFrame:
        """Columns sample_id, metric, was_issue, of tonight's `samples` (sample_id, content_hash, label)."""
        if self.snapshot is None:
            return pl.DataFrame(schema=NONE)
        relations: dict[str, Relation] = {
            "samples": samples,
            "old_samples": self.snapshot.parts("samples"),
            "old_scores": self.snapshot.parts("scores"),
            "steady": pl.DataFrame({"metric": self.metrics}, schema={"metric": pl.String}),
            "decided": self.decided,
        }
        return select(SQL, relations, spill, run)


def last_verdicts(spec: Spec, workspace: Workspace, tables: TableReader, decisions: pl.DataFrame) -> LastVerdicts:
    """The verdicts of the last snapshot that count tonight. `decisions`: every decision ever made."""
    decided = decisions.select("sample_id").unique().sort("sample_id")
    snapshot = last_night(workspace)
    if snapshot is None or not judged_alike(spec, snapshot, tables):
        return LastVerdicts(None, [], decided)
    now, then = spec.thresholds.model_dump(), snapshot.manifest["config"]["thresholds"]
    steady = {*DECIDED_BY_THEMSELVES, *leeways()}
    return LastVerdicts(snapshot, sorted(name for name in steady if now.get(name) == then.get(name)), decided)


def judged_alike(spec: Spec, snapshot: Snapshot, tables: TableReader) -> bool:
    """Whether the snapshot's verdicts can be compared with tonight's: nothing that goes into them has changed."""
    then, now = snapshot.manifest["config"], spec.model_dump(mode="json")
    return (
        all(snapshot.parts(name) for name in ("samples", "scores"))
        and then["metrics"] == now["metrics"]
        and then["source"]["label_separator"] == now["source"]["label_separator"]
        and snapshot.manifest["software"]["assay"] == installed("assay")
        and embedder_of(snapshot) == embedder_of(tables)
    )
