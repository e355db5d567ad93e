"""What people decided about samples: append-only Parquet beside the snapshots, and what of it stands today.

    HOME/DATASET/decisions/part-SEQUENCE-BATCH-DIGEST.parquet

A decision names the sample, its content and its label at the time, who made it and when. Nothing is ever changed or
removed: to undo is to append an `undo` row that names the batch taken back. Decisions are ordered by a sequence, each
one higher than all that were there, because clocks are set back. What stands is a pure function of the rows, and
stands once, in `decisions.sql`: the latest decision of each aspect of each sample that was not undone. A decision about
a label stands only as long as content and label are what they were; one about a duplicate or a tag as long as the
content is. The dataset that this leaves is `cleaned.sql`.

A part whose bytes do not match the digest in its name is moved aside and reported, never used. Sequences have no gaps,
so a removed part is noticed (unless it was the last), and a snapshot says which decisions it was published without.
"""

import io
import re
import secrets
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import xxhash

from assay.contracts.errors import AssayError
from assay.contracts.metrics import dismissals
from assay.store.decision_parts import CLEANED, STANDING, decisions_folder, is_whole, part_names
from assay.store.files import atomic_file
from assay.store.workspace import Workspace

if TYPE_CHECKING:
    import duckdb

KINDS = (
    "accept_label",  # value: the label that is right
    "reject_label",  # the given label is right after all
    "keep",  # in the cleaned dataset, whatever the duplicates say
    "drop",
    "tag",  # value: the tag
    "untag",
    "undo",  # value: the batch taken back; sample_id is empty
)
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "batch": pl.String,  # decisions made in one go share it
    "sequence": pl.Int64,  # of the batch; 0 in parts that were written before there was one
    "sample_id": pl.String,
    "content_hash": pl.String,
    "label": pl.String,  # as given when the decision was made
    "kind": pl.String,
    "value": pl.String,
    "who": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "snapshot": pl.Int64,  # the one that was looked at
}
NUMBERED = re.compile(r"(?:\.damaged-)?part-(\d{12})-.*\.parquet")
LOST = "-lost.parquet"
NONE_YET = "part-000000000000-none.parquet"


class DecisionLog:
    """The decisions of a dataset, read part by part: a part never changes, so each is read once."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._parts: dict[str, pl.DataFrame] = {}
        self._lock = threading.Lock()

    def read(self) -> pl.DataFrame:
        """As `read_decisions`, up to date."""
        frames = [pl.DataFrame(schema=SCHEMA)]
        with self._lock:
            for name in part_names(self._workspace):
                if name not in self._parts:
                    part = decisions_folder(self._workspace) / name
                    if not is_whole(part):
                        continue
                    try:
                        self._parts[name] = _read_part(part)
                    except (OSError, pl.exceptions.PolarsError) as error:
                        print(f"decisions: {part} cannot be read and is skipped: {error}", file=sys.stderr)
                        continue
                frames.append(self._parts[name])
        return pl.concat(frames).sort("sequence", "at", "batch", maintain_order=True)


def read_decisions(workspace: Workspace) -> pl.DataFrame:
    """Every decision ever made (`SCHEMA`), oldest first; a part that cannot be read is named on standard error and
    skipped."""
    return DecisionLog(workspace).read()


def lost_decisions(workspace: Workspace) -> dict[int, str]:
    """Sequences of the batches that were made and cannot be read, and why; without those known to be lost
    (`mark_lost`)."""
    names = part_names(workspace)
    good = [name for name in names if is_whole(decisions_folder(workspace) / name)]
    there = {int(found[1]) for name in good if (found := NUMBERED.fullmatch(name))}
    marked = {int(found[1]) for name in names if name.endswith(LOST) and (found := NUMBERED.fullmatch(name))}
    lost = dict.fromkeys(set(range(1, max(there, default=0))) - there, "its file was removed")
    for path in sorted(decisions_folder(workspace).glob(".damaged-part-*.parquet")):
        if found := NUMBERED.fullmatch(path.name):
            lost[int(found[1])] = f"its file was damaged; what is left of it is in {path}"
    return {number: why for number, why in sorted(lost.items()) if number not in marked}


def mark_lost(workspace: Workspace, sequence: int) -> None:
    """Record that a batch is lost for good: a part without rows takes its place."""
    with atomic_file(decisions_folder(workspace) / f"part-{sequence:012d}{LOST}") as aside:
        pl.DataFrame(schema=SCHEMA).write_parquet(aside)


def _read_part(part: Path) -> pl.DataFrame:
    frame = pl.read_parquet(part)
    if "sequence" not in frame.columns:
        frame = frame.with_columns(sequence=pl.lit(0))
    return frame.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def append_decisions(
    workspace: Workspace,
    samples: pl.DataFrame,
    kind: str,
    values: str | list[Any] | None,
    who: str,
    snapshot: int,
) -> str:
    """Write one batch: `kind` for each row of `samples` (`sample_id`, `content_hash`, `label`). Returns its name.

    Raises:
        AssayError: no such kind, no samples to decide about, or nobody who decides.
    """
    if kind not in KINDS:
        raise AssayError(f"no decision of kind {kind!r}; there are {sorted(KINDS)}")
    if samples.is_empty():
        raise AssayError("no samples were given to decide about; select some first")
    if not who.strip():
        raise AssayError("a decision without a name; say who makes it")
    at = datetime.now(UTC)
    batch = f"{at:%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"
    sequence = next_sequence(workspace)
    column = pl.Series(values, dtype=pl.String) if isinstance(values, list) else pl.lit(values, dtype=pl.String)
    rows = samples.select("sample_id", "content_hash", "label").with_columns(
        batch=pl.lit(batch),
        sequence=pl.lit(sequence),
        kind=pl.lit(kind),
        value=column,
        who=pl.lit(who),
        at=pl.lit(at).dt.cast_time_unit("us"),
        snapshot=pl.lit(snapshot),
    )
    rows = rows.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())
    buffer = io.BytesIO()
    rows.write_parquet(buffer)
    name = f"part-{sequence:012d}-{batch}-{xxhash.xxh3_128_hexdigest(buffer.getbuffer())}.parquet"
    with atomic_file(decisions_folder(workspace) / name) as aside:
        aside.write_bytes(buffer.getbuffer())
    return batch


def next_sequence(workspace: Workspace) -> int:
    """One more than the highest of all parts, damaged ones included. Two people who decide at the very same time may
    get the same number; their times then order the decisions."""
    damaged = [path.name for path in decisions_folder(workspace).glob(".damaged-part-*")]
    names = [*part_names(workspace), *damaged]
    return max((int(found[1]) for name in names if (found := NUMBERED.fullmatch(name))), default=0) + 1


def write_first_part(workspace: Workspace) -> None:
    """A part without rows, for views over a folder that must not be empty. Does nothing where there is one."""
    if NONE_YET not in part_names(workspace):
        with atomic_file(decisions_folder(workspace) / NONE_YET) as aside:
            pl.DataFrame(schema=SCHEMA).write_parquet(aside)


def undo_batch(workspace: Workspace, batch: str, who: str, snapshot: int) -> str:
    """Undo a whole batch. Returns the name of the batch that does it."""
    nobody = pl.DataFrame(
        {"sample_id": [""], "content_hash": [""], "label": [None]}, schema_overrides={"label": pl.String}
    )
    return append_decisions(workspace, nobody, "undo", batch, who, snapshot)


def effective_decisions(decisions: pl.DataFrame, samples: pl.DataFrame | None = None) -> pl.DataFrame:
    """Rows of `decisions` (`SCHEMA`) that stand for `samples` (`sample_id`, `content_hash`, `label` of the data as it
    is now; by default as it was when each was made), by `decisions.sql`. One row for each sample and aspect, and each
    sample and tag; sorted."""
    described = ["sample_id", "content_hash", "label"]
    if samples is None:
        touched = decisions.select(described).unique()
    else:
        touched = samples.select(described).filter(pl.col("sample_id").is_in(decisions["sample_id"].unique().implode()))
    if touched.is_empty():
        return decisions.clear().select(list(SCHEMA))
    with _connected(decisions.with_row_index("row"), touched) as connection:
        rows = connection.sql(STANDING.read_text(encoding="utf-8")).pl()["row"]
    return decisions[rows.unique(maintain_order=True)].select(list(SCHEMA))


def cleaned_samples(samples: pl.DataFrame, duplicates: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """`sample_id` and `label` of the samples worth training on, in order of position, by `cleaned.sql`.

    Args:
        samples: `sample_id`, `position`, `label`.
        duplicates: `sample_id`, `keep`.
        decisions: those that stand.
    """
    import duckdb

    with duckdb.connect() as connection:
        for name, frame in (("samples", samples), ("duplicates", duplicates), ("decisions", decisions)):
            connection.register(name, frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
        found = connection.sql(CLEANED.read_text(encoding="utf-8")).select("sample_id", "label")
        return found.pl().select(pl.all().cast(pl.String))


def _connected(decisions: pl.DataFrame, samples: pl.DataFrame) -> "duckdb.DuckDBPyConnection":
    """A DuckDB in memory with `history.decisions` and `samples`."""
    import duckdb

    connection = duckdb.connect()
    connection.register("made", decisions.to_arrow(compat_level=pl.CompatLevel.oldest()))
    connection.execute("create schema history; create view history.decisions as select * from made")
    connection.register("samples", samples.to_arrow(compat_level=pl.CompatLevel.oldest()))
    return connection


def dismissed_suspicions(decisions: pl.DataFrame, samples: pl.DataFrame) -> pl.DataFrame:
    """Columns `sample_id`, `metric`, sorted: suspicions that somebody dismissed. They keep their scores, but are no
    issues until the content or the label changes."""
    standing = effective_decisions(decisions, samples).select("sample_id", "kind")
    metrics = pl.DataFrame(
        [(kind, metric) for kind, names in dismissals().items() for metric in names],
        schema={"kind": pl.String, "metric": pl.String},
        orient="row",
    )
    return standing.join(metrics, on="kind").select("sample_id", "metric").unique().sort("sample_id", "metric")


def kept_by_decision(decisions: pl.DataFrame, samples: pl.DataFrame) -> list[str]:
    """Ids, sorted, of the samples that somebody decided to keep although they are duplicates."""
    standing = effective_decisions(decisions, samples)
    return standing.filter(pl.col("kind") == "keep")["sample_id"].sort().to_list()
