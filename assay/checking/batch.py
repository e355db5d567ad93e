"""The batch, read, cleaned and embedded by a night's own stages, in a place of its own.

Nothing of the dataset is written to: what its nights have learned (fitted embedders, references) is copied there.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from assay.contracts.errors import SnapshotError, SpecError
from assay.contracts.spec import Spec
from assay.contracts.tables import CONTRACTS
from assay.embedders.registry import embedder_kind
from assay.embedders.stage import embed, embed_as, plan_for
from assay.facts import clean
from assay.sources.brought import as_frame
from assay.sources.ingest import ingest
from assay.store.digests import problem_of
from assay.store.snapshots import Snapshot
from assay.store.stage import Stage, StageOutput, Work
from assay.store.tables import Tables
from assay.store.units import embedder_of
from assay.store.workspace import Workspace

LEARNED = ("embedders", "reference")  # folders of `facts`
NEEDED = ("samples", "units", "vectors", "neighbors")  # tables of the snapshot, beside its facts


@dataclass(frozen=True)
class Batch:
    """A batch that went through the first stages.

    Attributes:
        spec: the dataset's, with the batch for a source.
        ingested, cleaned, embedded: what the stages wrote.
        embedder: the fingerprint of the snapshot's vectors, and now of the batch's.
    """

    spec: Spec
    ingested: StageOutput
    cleaned: StageOutput
    embedded: StageOutput
    embedder: str

    @property
    def stages(self) -> tuple[StageOutput, ...]:
        """All of them, in order."""
        return self.ingested, self.cleaned, self.embedded


@contextlib.contextmanager
def workplace(workspace: Workspace) -> Iterator[Workspace]:
    """A folder to work in, with what the dataset's nights have learned; gone afterwards. It lies beside the snapshots,
    so that their files can be linked, or where temporary files do, if nothing can be written there."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=".check-", dir=workspace.root))
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="assay-check-"))
    try:
        place = Workspace(folder, workspace.dataset)
        for name in LEARNED:
            if (workspace.facts / name).is_dir():
                shutil.copytree(workspace.facts / name, place.facts / name, ignore=shutil.ignore_patterns(".*"))
        yield place
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def refuse_unfit(spec: Spec, snapshot: Snapshot) -> None:
    """Say why a batch cannot be held against this snapshot, if so.

    Raises:
        SpecError: the spec is of another kind of data, or its samples are what they are only together.
        SnapshotError: another version of assay wrote its tables, or one of them is damaged.
    """
    published = snapshot.manifest["config"]["modality"]
    if published != spec.modality:
        raise SpecError(f"{snapshot.name} of `{spec.name}` is of modality {published!r}, the spec of {spec.modality!r}")
    if spec.data.tables:
        raise SpecError(
            f"a batch of {spec.data.face.plural} means nothing by itself, since each depends on all the others. Put "
            "it into a copy of the dataset, and run a night on that under another name"
        )
    for table in (*NEEDED, *spec.data.fact_tables()):
        entry = snapshot.manifest["tables"].get(table, {"contract": None, "files": []})
        if entry["contract"] != CONTRACTS[table].VERSION:
            raise SnapshotError(
                f"`{table}` of {snapshot.path} is of version {entry['contract']}, this assay reads "
                f"{CONTRACTS[table].VERSION}; run a night first"
            )
        for file in entry["files"]:
            if problem := problem_of(snapshot.path / file["path"], file):
                raise SnapshotError(f"{snapshot.path / file['path']}: {problem}; `assay verify --repair` may mend it")


def batch_spec(spec: Spec, batch: Any, place: Workspace) -> Spec:
    """The dataset's spec with the batch for a source: a path, or a frame, which is written to `place`."""
    frame = as_frame(batch)
    if frame is not None:
        path = place.root / "brought" / "samples.parquet"
        path.parent.mkdir(parents=True)
        frame.write_parquet(path)
    elif not isinstance(batch, str | os.PathLike):
        raise SpecError(f"a batch is a path or a frame (Polars, pandas, Arrow); found {type(batch).__name__}")
    else:
        path = Path(os.path.expanduser(batch)).absolute()
        if not path.exists():
            raise SpecError(f"there is no batch at {path}; name a {spec.source.kind} with new samples")
    root = spec.source.root and str((spec.base / spec.source.root).absolute())
    source = spec.source.model_copy(
        update={"path": str(path), "files": {}, "root": root, "ready_file": "", "max_rejects": 1.0}
    )
    if frame is not None:
        source = source.model_copy(update={"kind": "table"})
    return spec.model_copy(update={"source": source})


def read_batch(spec: Spec, snapshot: Snapshot, place: Workspace) -> Batch:
    """Read, clean and embed a batch, by the embedder that made the snapshot's vectors.

    Args:
        spec: of `batch_spec`.

    Raises:
        SpecError: the spec's embedder is not the one of the snapshot.
        SourceError: the batch as a whole cannot be used.
    """
    ingested = ingest(spec, place)
    cleaned = clean(spec, place, ingested)
    fingerprint = embedder_of(snapshot)

    def as_before(spec: Spec, place: Workspace, tables: Tables) -> Work:
        given = dimensions_of(snapshot) if embedder_kind(spec) == "vectors" else None
        hashes = snapshot.read("samples", ["content_hash"])["content_hash"]
        plan = plan_for(spec, place, given, hashes, tables)
        if plan.fingerprint != fingerprint:
            raise SpecError(
                f"the vectors of {snapshot.name} were made by another embedder than the spec and this machine give "
                f"({plan.kind}; a model, its files, its device and precision all count): run a night with it first"
            )
        return embed_as(plan, given, spec, place, tables)

    stage = Stage(embed.name, embed.version, embed.reads, embed.writes, embed.hours, as_before)
    return Batch(spec, ingested, cleaned, stage(spec, place, ingested, cleaned), fingerprint)


def dimensions_of(snapshot: Snapshot) -> int:
    """Numbers in each vector of a snapshot; 0 where it has none."""
    sizes = [pq.read_schema(part).field("vector").type.list_size for part in snapshot.parts("vectors")]
    return int(sizes[0]) if sizes else 0
