"""The chunks of an embedder as partitions that any process can do without reading a table: a partition carries what is
known of its contents, the places of files or the cleaned texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from assay.contracts.errors import EngineError, UnreadableSample
from assay.contracts.spec import Spec
from assay.embedders.base import FittedEmbedder
from assay.embedders.basis import fitted_on
from assay.embedders.pipeline import Files, Read, embed_contents
from assay.embedders.registry import Plan, plan_embedder
from assay.engines.job import Job, Local, make_engine, told_of, told_spec, wait_for_facts
from assay.health.embedding import Refusals
from assay.modalities.contents import open_reader
from assay.sources.files import open_source
from assay.store.facts import FactStore
from assay.store.tables import TableReader

Reasons = Mapping[str, Sequence[str]]  # of each refused content: the reason, and in words
Raw = dict[str, Any]  # of each content its cleaned text, or the uris that hold it


@dataclass(frozen=True)
class Todo:
    """What is to be embedded.

    Attributes:
        chunks: content hashes, each chunk a part.
        raw: of all of them.
        here: embeds all chunks in this process.
        is_read: all of it has been read here, to fit the embedder on: there is no point in reading it elsewhere.
    """

    label: str
    chunks: Sequence[Sequence[str]]
    raw: Raw
    here: Callable[[], Reasons]
    is_read: bool = False


def raw_contents(spec: Spec, tables: TableReader, contents: pl.DataFrame) -> Raw:
    """What an embedder reads of `contents`, or where it is; nothing of a content without a cleaned text."""
    kind = spec.data.facts
    if kind and kind.prepared:
        facts = tables.scan(kind.table).select("content_hash", kind.prepared).drop_nulls()
        return dict(facts.join(contents.lazy(), on="content_hash", how="semi").collect().iter_rows())
    samples = tables.scan("samples").select("content_hash", "uri", "position").sort("position")
    wanted = samples.join(contents.lazy(), on="content_hash", how="semi", maintain_order="left")
    return dict(wanted.group_by("content_hash").agg("uri").collect().iter_rows())


def raw_reader(spec: Spec, raw: Mapping[str, Any]) -> Read:
    """From content hash to what an embedder reads: a cleaned text, or the bytes of a file, checked against the hash."""
    if not (spec.data.facts and spec.data.facts.prepared):
        source = open_source(spec)
        return Files(raw, open_reader(spec, source), None if spec.data.reader else source)

    def text(content_hash: str, /) -> str:
        if content_hash not in raw:
            raise UnreadableSample("no_text", "there is no cleaned text of this content")
        return raw[content_hash]

    return text


def embed_on_engine(spec: Spec, plan: Plan, basis: str, store: FactStore, todo: Todo) -> Refusals:
    """Embed on the engine of the spec.

    Args:
        basis: the fingerprint of what a fitted embedder learned, which is stored.

    Raises:
        EngineError: as `Engine.run`, and where workers would make other vectors than this machine.
    """
    sizes = [len(chunk) for chunk in todo.chunks]

    def pack(start: int, stop: int) -> dict[str, Any]:
        chunks = [list(chunk) for chunk in todo.chunks[start:stop]]
        return {
            "chunks": chunks,
            "raw": {name: todo.raw[name] for chunk in chunks for name in chunk if name in todo.raw},
        }

    told = told_of(spec, store.workspace) | {"fingerprint": plan.fingerprint, "basis": basis}
    job = Job(todo.label, sizes, todo.here, f"{__name__}:open_embedding", told, pack, on_gpu=True)
    refusals = Refusals()
    engine = Local() if todo.is_read else make_engine(spec.run)
    for found in engine.run(job):
        refusals.reasons.update({name: (reason, detail) for name, (reason, detail) in found.items()})
    embedded = [name for chunk in todo.chunks for name in chunk if name not in refusals.reasons]
    if engine.elsewhere:
        wait_for_facts(store, pl.Series("content_hash", embedded, dtype=pl.String))
    return refusals


def open_embedding(told: Mapping[str, Any]) -> Callable[[dict[str, Any]], dict[str, list[str]]]:
    """Load the embedder; returns a function that embeds a partition and gives its refusals.

    Raises:
        EngineError: it would make other vectors here.
        EmbedderError: it cannot be had here.
    """
    spec, workspace, _ = told_spec(told)
    learned = fitted_on(workspace, told["basis"]) if told["basis"] else pl.Series([], dtype=pl.String)
    plan = plan_embedder(spec, workspace, learned)
    if plan.fingerprint != told["fingerprint"]:
        raise EngineError(
            f"vectors made here would be {plan.fingerprint}, those of this night are {told['fingerprint']}: another "
            "model, library, device or precision. Set embed.precision, and give all machines the same"
        )
    embedder = plan.build()
    if isinstance(embedder, FittedEmbedder) and not embedder.basis.is_fitted:
        raise EngineError(f"what the embedder learned is not in {embedder.basis.path}; the home must be shared")
    embedder.load()
    store = FactStore(workspace, "vectors", plan.fingerprint)

    def embed(partition: dict[str, Any]) -> dict[str, list[str]]:
        chunks, read = store.unwritten(partition["chunks"]), raw_reader(spec, partition["raw"])
        found = embed_contents(embedder, chunks, read, {}, store, spec.embed.storage, "embedding")
        return {name: list(why) for name, why in found.reasons.items()}

    return embed
