"""What people decided about samples: append-only Parquet beside the snapshots, and what of it stands today.

    HOME/DATASET/decisions/part-*.parquet

A decision names the sample, its content and its label at the time, who made it and when. Nothing is ever changed or
removed: to undo is to append an `undo` row that names the batch taken back. What stands is a pure function of the
rows: the latest decision of each aspect of each sample that was not undone. A decision about a label stands only as
long as content and label are what they were; one about a duplicate or a tag as long as the content is.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from assay.contracts.errors import AssayError
from assay.store.files import atomic_file, hash_text
from assay.store.workspace import Workspace

KINDS = {  # kind: aspect; the latest decision of an aspect wins
    "accept_label": "label",  # value: the label that is right
    "reject_label": "label",  # the given label is right after all
    "keep": "member",  # of the cleaned dataset, whatever the duplicates say
    "drop": "member",
    "tag": "tag",  # value: the tag
    "untag": "tag",
    "undo": "undo",  # value: the batch taken back; sample_id is empty
}
SCHEMA = {
    "batch": pl.String,  # decisions made in one go share it
    "sample_id": pl.String,
    "content_hash": pl.String,
    "label": pl.String,  # as given when the decision was made
    "kind": pl.String,
    "value": pl.String,
    "who": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "snapshot": pl.Int64,  # the one that was looked at
}


def decisions_folder(workspace: Workspace) -> Path:
    """Where the parts are."""
    return workspace.root / "decisions"


def read_decisions(workspace: Workspace) -> pl.DataFrame:
    """Every decision ever made, oldest first; a part that cannot be read is named on standard error and skipped."""
    frames = [pl.DataFrame(schema=SCHEMA)]
    for part in sorted(decisions_folder(workspace).glob("part-*.parquet")):
        try:
            frames.append(pl.read_parquet(part).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items()))
        except (OSError, pl.exceptions.PolarsError) as error:
            print(f"decisions: {part} cannot be read and is skipped: {error}", file=sys.stderr)
    return pl.concat(frames).sort("at", maintain_order=True)


def append_decisions(
    workspace: Workspace,
    samples: pl.DataFrame,
    kind: str,
    values: str | list | None,
    who: str,
    snapshot: int,
) -> str:
    """Write one batch: `kind` for each row of `samples` (`sample_id`, `content_hash`, `label`). Returns its name.

    Raises:
        AssayError: no such kind, or no samples to decide about.
    """
    if kind not in KINDS:
        raise AssayError(f"no decision of kind {kind!r}; there are {sorted(KINDS)}")
    if samples.is_empty():
        raise AssayError("no samples were given to decide about; select some first")
    at = datetime.now(UTC)
    batch = f"{at:%Y%m%dT%H%M%S%f}-{hash_text(kind + who + str(samples['sample_id'][0]))[:8]}"
    column = pl.Series(values, dtype=pl.String) if isinstance(values, list) else pl.lit(values, dtype=pl.String)
    rows = samples.select("sample_id", "content_hash", "label").with_columns(
        batch=pl.lit(batch),
        kind=pl.lit(kind),
        value=column,
        who=pl.lit(who),
        at=pl.lit(at).dt.cast_time_unit("us"),
        snapshot=pl.lit(snapshot),
    )
    rows = rows.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())
    with atomic_file(decisions_folder(workspace) / f"part-{batch}.parquet") as aside:
        rows.write_parquet(aside)
    return batch


def undo_batch(workspace: Workspace, batch: str, who: str, snapshot: int) -> str:
    """Take a whole batch back. Returns the name of the batch that does it."""
    nobody = pl.DataFrame(
        {"sample_id": [""], "content_hash": [""], "label": [None]}, schema_overrides={"label": pl.String}
    )
    return append_decisions(workspace, nobody, "undo", batch, who, snapshot)


def effective_decisions(decisions: pl.DataFrame, samples: pl.DataFrame | None = None) -> pl.DataFrame:
    """Rows of `decisions` (`SCHEMA`) that stand: not undone, the latest of their aspect; no `undo`, no `untag`.

    Pure. With `samples` (`sample_id`, `content_hash`, `label` of the data as it is now) also: the content is the same,
    and for decisions about a label the label is too. One row per sample and aspect, and per sample and tag; sorted.
    """
    undone = decisions.filter(pl.col("kind") == "undo")["value"]
    standing = decisions.filter((pl.col("kind") != "undo") & ~pl.col("batch").is_in(undone.implode()))
    standing = standing.with_columns(
        aspect=pl.col("kind").replace_strict(KINDS, default="", return_dtype=pl.String),
        tag=pl.when(pl.col("kind").is_in(["tag", "untag"])).then("value").otherwise(pl.lit("")),
    )
    latest = (
        standing.with_row_index("order")
        .sort("at", "order")
        .unique(["sample_id", "aspect", "tag"], keep="last", maintain_order=True)
        .filter((pl.col("kind") != "untag") & (pl.col("aspect") != ""))
    )
    if samples is not None:
        now = samples.select("sample_id", pl.col("content_hash").alias("hash_now"), pl.col("label").alias("label_now"))
        same_label = (pl.col("aspect") != "label") | pl.col("label").eq_missing(pl.col("label_now"))
        latest = latest.join(now, on="sample_id", how="inner").filter(
            (pl.col("content_hash") == pl.col("hash_now")) & same_label
        )
    return latest.select(list(SCHEMA)).sort("sample_id", "kind", "value")


DISMISSES = {  # kind: the metrics whose suspicion it takes back
    "reject_label": ("label_issue", "label_conflict", "off_class", "wrong_class", "missing_class"),
    "keep": ("duplicate",),
}


def dismissed_suspicions(decisions: pl.DataFrame, samples: pl.DataFrame) -> pl.DataFrame:
    """Columns `sample_id`, `metric`, sorted: suspicions that somebody looked at and took back. Their scores stay; they
    are no issues any more, until the content or the label changes."""
    standing = effective_decisions(decisions, samples).select("sample_id", "kind")
    metrics = pl.DataFrame(
        [(kind, metric) for kind, names in DISMISSES.items() for metric in names],
        schema={"kind": pl.String, "metric": pl.String},
        orient="row",
    )
    return standing.join(metrics, on="kind").select("sample_id", "metric").unique().sort("sample_id", "metric")
