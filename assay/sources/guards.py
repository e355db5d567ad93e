"""The night's guards: what stops a run before it publishes nonsense. Each raises `SourceError`."""

from collections import Counter
from collections.abc import Sequence

import polars as pl

from assay.contracts.errors import SourceError, UnreadableSample
from assay.contracts.spec import Spec
from assay.sources.files import Source
from assay.sources.left_out import LeftOut
from assay.sources.told import source_notes
from assay.store.snapshots import last_night
from assay.store.stage import StageOutput
from assay.store.workspace import Workspace

MENDED_BY = {  # reason → what mends it
    "outside_root": "source.follow_symlinks = true reads where links lead to; paths are relative to source.root",
    "not_a_file": "source.exclude leaves out what is not a file",
    "wrong_number_of_fields": "source.delimiter and source.quote say how cells are parted",
    "open_quote": 'source.quote = "" takes quotation marks for characters',
    "invalid_unicode": "source.encoding names an encoding other than UTF-8",
    "bad_path": "rename what is not UTF-8, or name it in source.exclude",
    "too_large": "source.max_file_bytes and clean.max_text_characters are the limits",
    "missing_uri": "source.columns = { uri = … } names another column",
    "missing_text": "source.columns = { text = … } names another column",
    "missing_vector": "source.columns = { vector = … } names another column",
    "not_numeric": "source.columns = { vector = … } names another column, or a pattern such as f*",
    "compressed_archive": "unpack it, or make it a plain tar or .tar.gz",
    "cut_off": "write the archive again",
    "not_found": "source.root is what a table's uri is relative to",
}


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


def refuse_empty(n: int, where: str, kind: str, left: LeftOut) -> None:
    """There must be something to look at."""
    if n:
        return
    other = [words for _, _, words in left.notes()]
    if left.by_pattern:
        other.append(f"{left.by_pattern:,} files and folders that source.include or source.exclude leave out")
    found = f"found {'; '.join(other)}" if other else "found no files"
    raise SourceError(
        f"the source {where} is empty: {found}. Wanted {kind}. "
        "Check source.path, source.include and source.exclude, and the modality"
    )


def refuse_all_rejected(n_samples: int, rejects: pl.DataFrame, doubts: Sequence[str]) -> None:
    """At least one sample must be usable."""
    if n_samples == 0 and rejects.is_empty():
        raise SourceError("the source is empty: no table has a row below its header. Is it the right file, and whole?")
    if n_samples == 0:
        raise SourceError(
            f"all {len(rejects):,} samples of the source were rejected: {_reasons(rejects)}. "
            f"{_mend(rejects, doubts)}Is it the right file, and do source.columns and the modality fit it?"
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
            f"{_mend(output.read('rejects'), source_notes(output.read('dataset_metrics'))['doubts'])}"
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
    snapshot = last_night(workspace)
    return int(snapshot.manifest["tables"].get("samples", {}).get("rows", 0)) if snapshot else 0


def tell_rejects(output: StageOutput) -> list[str]:
    """What was rejected, with its reasons, an example each and what mends it; nothing where nothing was."""
    rejects = output.read("rejects")
    if rejects.is_empty():
        return []
    n = len(rejects) + _rows(output, "ingested")
    return [f"{len(rejects):,} of {n:,} samples were rejected: {_reasons(rejects)}. {_mend(rejects, ())}".strip()]


def _mend(rejects: pl.DataFrame, doubts: Sequence[str]) -> str:
    """The keys of the spec that mend the commonest reasons, and what was doubtful in the reading."""
    reasons = [reason for reason, _ in Counter(rejects["reason"].to_list()).most_common(4)]
    keys = [MENDED_BY[reason] for reason in reasons if reason in MENDED_BY]
    said = [*dict.fromkeys(keys), *doubts[:3]]
    return f"What mends it: {'; '.join(said)}. " if said else ""


def _rows(output: StageOutput, table: str) -> int:
    return output.scan(table).select(pl.len()).collect().item()


def _reasons(rejects: pl.DataFrame) -> str:
    """The commonest reasons with one example each."""
    counts = Counter(rejects["reason"].to_list()).most_common(4)
    shown = []
    for reason, n in counts:
        example = rejects.filter(pl.col("reason") == reason).row(0, named=True)
        named = example["uri"] or example["detail"] or example["sample_id"]
        why = f": {example['detail']}" if len(rejects) == 1 and example["uri"] and example["detail"] else ""
        shown.append(f"{n:,} {reason} (such as {named!r:.120}{why:.400})")
    return "; ".join(shown)
