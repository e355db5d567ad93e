"""What an operator would want to know of a night, from its snapshot or from what stopped it."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from assay.contracts.gates import says
from assay.contracts.spec import Spec
from assay.store.snapshots import Snapshot


@dataclass(frozen=True)
class News:
    """One night, told.

    Attributes:
        dataset: its name.
        lines: `(event, sentence)`, the gravest first; events as `notify.on` names them.
        snapshot: what was published; None where nothing was.
    """

    dataset: str
    lines: tuple[tuple[str, str], ...]
    snapshot: Snapshot | None = None

    def about(self, events: tuple[str, ...]) -> "News":
        """What of it is about these events."""
        return News(self.dataset, tuple(line for line in self.lines if line[0] in events), self.snapshot)

    @property
    def subject(self) -> str:
        """In a few words."""
        kinds = list(dict.fromkeys(TITLES[event] for event, _ in self.lines))
        return f"assay: {self.dataset}: {', '.join(kinds)}"

    @property
    def text(self) -> str:
        """All of it, to be read by a person."""
        where = (
            [f"snapshot: {self.snapshot.path}", f"report: {self.snapshot.path / 'report.html'}"]
            if self.snapshot
            else []
        )
        return "\n".join([self.subject, *(sentence for _, sentence in self.lines), *where])

    def described(self) -> dict[str, Any]:
        """All of it, as plain JSON values."""
        found = self.snapshot
        return {
            "dataset": self.dataset,
            "events": list(dict.fromkeys(event for event, _ in self.lines)),
            "lines": [sentence for _, sentence in self.lines],
            "text": self.text,
            "snapshot": found.number if found else None,
            "path": str(found.path) if found else None,
            "headline": found.manifest["headline"] if found else {},
            "gates": [gate for gate in found.manifest["gates"] if not gate["ok"]] if found else [],
        }


TRIAL = "trial"
TITLES = {
    "trial": "a trial",
    "failed": "the night failed",
    "gate": "a gate is broken",
    "shrink": "samples are gone",
    "drift": "the vectors have moved",
    "space": "disk space is short",
    "warn": "a gate warns",
    "published": "a snapshot was published",
}


def of_failure(spec: Spec, error: BaseException) -> News:
    """A night that published nothing."""
    said = str(error).strip() or type(error).__name__
    said = said.encode("utf-8", "backslashreplace").decode()  # a file's name need not be Unicode, a message must be
    return News(spec.name, (("failed", f"nothing was published: {said}"),))


def of_snapshot(spec: Spec, snapshot: Snapshot, before: int | None, space: str) -> News:
    """A night that published.

    Args:
        before: samples of the snapshot before; None where there is none.
        space: what there is to say of free space, or nothing.
    """
    lines = [
        ("warn" if gate.get("level") == "warn" else "gate", says(gate))
        for gate in snapshot.manifest["gates"]
        if not gate["ok"]
    ]
    now = int(snapshot.manifest["headline"].get("n_samples", 0))
    if before and now < before * (1.0 - spec.notify.shrink):
        lines.append(("shrink", f"{now:,} samples, {before:,} before"))
    moved = snapshot.scan("embedding_health").filter(~pl.col("ok") & pl.col("check").str.starts_with("drift")).collect()
    lines += [
        ("drift", f"{row['check']} is {row['value']:.3g}, wanted {row['wanted']}: {row['note']}")
        for row in moved.to_dicts()
    ]
    if space:
        lines.append(("space", space))
    lines.append(
        ("published", ", ".join(f"{name} {value:,.0f}" for name, value in snapshot.manifest["headline"].items()))
    )
    order = list(TITLES)
    return News(spec.name, tuple(sorted(lines, key=lambda line: order.index(line[0]))), snapshot)
