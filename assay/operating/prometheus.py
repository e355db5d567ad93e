"""The state of a home's datasets in Prometheus' text format, for node_exporter's textfile collector or any scraper.

Every number is a gauge with the label `dataset`. Where nothing was published yet, there is what is known of nights.
"""

from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from assay.operating.nights import free_bytes, last_nights, needed
from assay.publishing.gates import night_of
from assay.store.files import atomic_file
from assay.store.snapshots import Snapshot, newest_snapshot, snapshot_numbers
from assay.store.workspace import Workspace

FILE = "metrics.prom"  # below HOME/DATASET, written after each night


class Gauges:
    """Gauges by name, each made when it is first set."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._made: dict[str, Gauge] = {}

    def set(self, name: str, words: str, value: float | None, **labels: str) -> None:
        """One number; None is left out."""
        if value is None:
            return
        if name not in self._made:
            self._made[name] = Gauge(f"assay_{name}", words, list(labels), registry=self.registry)
        self._made[name].labels(**labels).set(value)

    def text(self) -> bytes:
        """All of them, as Prometheus reads it."""
        return generate_latest(self.registry)


def datasets_of(home: Path) -> list[Workspace]:
    """The datasets of a home that have a snapshot or a night on record, by name."""
    there = {path.parent.name for pattern in ("*/snapshots", "*/nights.json") for path in home.glob(pattern)}
    return [Workspace(home, name) for name in sorted(there)]


def metrics_text(workspaces: Iterable[Workspace]) -> bytes:
    """The numbers of some datasets."""
    gauges = Gauges()
    for workspace in workspaces:
        _of_nights(gauges, workspace)
        if newest := newest_snapshot(workspace):
            _of_snapshot(gauges, workspace, newest)
    return gauges.text()


def write_metrics(workspace: Workspace) -> None:
    """`HOME/DATASET/metrics.prom` anew."""
    with atomic_file(workspace.root / FILE) as aside:
        aside.write_bytes(metrics_text([workspace]))


def _of_nights(gauges: Gauges, workspace: Workspace) -> None:
    """When nights ended and how, and the room that they have."""
    name, nights = workspace.dataset, last_nights(workspace)
    if nights:
        last = nights[-1]
        published = [night.at for night in nights if night.snapshot is not None]
        gauges.set(
            "night_success", "Whether the last night published a snapshot.", last.snapshot is not None, dataset=name
        )
        gauges.set("night_end_timestamp_seconds", "When the last night ended.", last.at, dataset=name)
        gauges.set("night_duration_seconds", "How long the last night took.", last.seconds, dataset=name)
        gauges.set(
            "night_last_success_timestamp_seconds", "When a night last published, of those on record.",
            published[-1] if published else None, dataset=name,
        )  # fmt: skip
        gauges.set(
            "night_written_bytes", "The most that one of the last nights wrote.", needed(workspace), dataset=name
        )
    gauges.set("disk_free_bytes", "What the home's disk has left.", free_bytes(workspace), dataset=name)
    gauges.set("snapshots", "Snapshots that are there.", len(snapshot_numbers(workspace.snapshots)), dataset=name)


def _of_snapshot(gauges: Gauges, workspace: Workspace, snapshot: Snapshot) -> None:
    """The newest snapshot's numbers: samples, rejects, issues by metric, gates, and each row of `dataset_metrics`."""
    from assay.store.garbage import made_at

    name = workspace.dataset
    gauges.set("snapshot_number", "Of the newest snapshot.", snapshot.number, dataset=name)
    gauges.set(
        "snapshot_timestamp_seconds", "When the newest snapshot was published.", made_at(snapshot).timestamp(),
        dataset=name,
    )  # fmt: skip
    counts = snapshot.scan("scores").filter("is_issue").group_by("metric").len().sort("metric").collect()
    for metric, n in counts.iter_rows():
        gauges.set("issues", "Samples that are an issue, by metric.", n, dataset=name, metric=metric)
    for gate in snapshot.manifest["gates"]:
        level = gate.get("level", "fail")
        gauges.set("gate_ok", "Whether a gate holds.", gate["ok"], dataset=name, gate=gate["metric"], level=level)
    for metric, value in sorted(night_of(snapshot).numbers.items()):
        if not metric.startswith("source_"):  # counts that go with words
            gauges.set("metric", "Headline numbers and rows of dataset_metrics.", value, dataset=name, metric=metric)
