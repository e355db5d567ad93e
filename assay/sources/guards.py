"""The night's guards: what stops a run before it publishes nonsense. Each raises `SourceError`."""

from collections import Counter

import polars as pl

from assay.contracts.errors import SourceError, UnreadableSample
from assay.contracts.spec import Spec
from assay.sources.files import Source
from assay.store.snapshots import newest_snapshot
from assay.store.stage import StageOutput, Workspace


def refuse_unready(spec: Spec, source: Source) -> None:
    """The spec's `ready_file` must stand in the data's folder."""
    name = spec.source.ready_file
    if not name:
        return
    try:
        source.stat(name)
    except UnreadableSample as problem:
        raise SourceError(
            f"the source is not ready: {name!r} (source.ready_file) is not in {source.root} ({problem.reason}). "
            "Run again when whatever writes the data has finished"
        ) from None


def refuse_empty(n: int, where: str, wanted: str) -> None:
    """There must be something to look at."""
    if n == 0:
        raise SourceError(f"the source {where} is empty: found no {wanted}. Check source.path and source.exclude")


def refuse_all_rejected(n_samples: int, rejects: pl.DataFrame) -> None:
    """At least one sample must be usable."""
    if n_samples == 0 and rejects.is_empty():
        raise SourceError("the source is empty: no table has a row below its header. Is it the right file, and whole?")
    if n_samples == 0:
        raise SourceError(
            f"all {len(rejects):,} samples of the source were rejected: {_reasons(rejects)}. "
            "Is it the right file, and do source.columns and the modality fit it?"
        )


def refuse_many_rejects(spec: Spec, output: StageOutput) -> None:
    """No more than `max_rejects` of the samples may be unusable."""
    n_samples = _rows(output, "ingested")
    n_rejects = _rows(output, "rejects")
    share = n_rejects / max(n_samples + n_rejects, 1)
    if share > spec.source.max_rejects:
        raise SourceError(
            f"{n_rejects:,} of {n_samples + n_rejects:,} samples ({share:.0%}) were rejected, wanted at most "
            f"{spec.source.max_rejects:.0%} (source.max_rejects): {_reasons(output.read('rejects'))}. "
            "Mend the source, or raise the limit if this is as it should be"
        )


def refuse_shrunk(spec: Spec, workspace: Workspace, output: StageOutput) -> None:
    """No fewer than 1 − `max_shrink` of the newest published snapshot's samples."""
    before = published_samples(workspace)
    now = _rows(output, "ingested")
    least = before * (1.0 - spec.source.max_shrink)
    if now < least:
        raise SourceError(
            f"the source shrank from {before:,} samples in the last snapshot to {now:,}, wanted at least {least:,.0f} "
            "(source.max_shrink). Is part of the data missing? Raise the limit once if this is as it should be"
        )


def published_samples(workspace: Workspace) -> int:
    """Samples in the newest published snapshot; 0 where there is none that says."""
    snapshot = newest_snapshot(workspace)
    return int(snapshot.manifest["tables"].get("samples", {}).get("rows", 0)) if snapshot else 0


def _rows(output: StageOutput, table: str) -> int:
    return output.scan(table).select(pl.len()).collect().item()


def _reasons(rejects: pl.DataFrame) -> str:
    """The commonest reasons with one example each."""
    counts = Counter(rejects["reason"].to_list()).most_common(4)
    shown = []
    for reason, n in counts:
        example = rejects.filter(pl.col("reason") == reason).row(0, named=True)
        shown.append(f"{n:,} {reason} (such as {example['uri'] or example['detail'] or example['sample_id']!r:.120})")
    return "; ".join(shown)
