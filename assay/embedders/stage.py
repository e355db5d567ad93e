"""Content → vectors: one unit-length vector per content, kept as a fact under the embedder's fingerprint."""

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeGuard, cast

import polars as pl

from assay.contracts.errors import SourceError
from assay.contracts.spec import Spec
from assay.contracts.tables import empty
from assay.embedders.base import Check, Embedder, FittedEmbedder
from assay.embedders.basis import fingerprint_of
from assay.embedders.captions import has_captions, plan_captions, write_captions
from assay.embedders.elsewhere import Reasons, Todo, embed_on_engine, raw_contents, raw_reader
from assay.embedders.fitted import has_words, in_characters
from assay.embedders.given import given_dimensions, given_norms, store_given
from assay.embedders.pipeline import (
    checked_vectors,
    cut_store,
    embed_contents,
    forget_plan,
    own_checks,
    plan_chunks,
    prepare_all,
)
from assay.embedders.registry import Placed, Plan, embedder_kind, make_embedder, plan_embedder, tables_planner
from assay.health.embedding import Refusals, cut_row, health_rows, statistics
from assay.sources.fragments import by_file
from assay.store.facts import FactStore
from assay.store.stage import StageWriter, Work, stage, write_rows
from assay.store.tables import TableReader, Tables
from assay.store.vectors import vectors_frame
from assay.store.workspace import Workspace

if TYPE_CHECKING:
    from assay.embedders.words import WordMeans

__all__ = ["embed", "make_embedder"]

VERSION = 3
ROWS = 16_384  # vectors in one part, of an embedder that makes all at once
TABLES = ("vectors", "rejects", "embedding_health")


def _reads(spec: Spec) -> tuple[str, ...]:
    facts = spec.data.facts
    further = spec.data.tables
    return ("samples", "contents", "rejects", *([facts.table] if facts and facts.prepared else []), *further)


def _writes(spec: Spec) -> tuple[str, ...]:
    words, captions = has_words(spec.embed.kind), has_captions(spec)
    return (*TABLES, *(["words"] if words else []), *(["caption_vectors"] if captions else []))


@stage(version=VERSION, reads=_reads, writes=_writes, hours=24)
def embed(spec: Spec, workspace: Workspace, tables: Tables) -> Work:
    """samples, contents, facts → vectors, rejects, embedding_health; and words, of an embedder that has some; and
    caption_vectors, of samples that have captions.

    Only contents without a vector of this embedder are read. Stops with `EmbedderError` where the embedder cannot be
    had; never takes another one.
    """
    given = given_dimensions(tables) if embedder_kind(spec) == "vectors" else None
    contents = _samples_and_contents(tables)[1]["content_hash"]
    return embed_as(plan_for(spec, workspace, given, contents, tables), given, spec, workspace, tables)


def embed_as(plan: Plan, given: int | None, spec: Spec, workspace: Workspace, tables: Tables) -> Work:
    """The work of `embed` by an embedder that was chosen before.

    Args:
        given: numbers in each vector, where the user brings them.
    """
    samples, contents = _samples_and_contents(tables)
    store = FactStore(workspace, "vectors", plan.fingerprint)
    captions = plan_captions(spec, workspace)

    def body(writer: StageWriter) -> None:
        checks = list(plan.checks)
        if plan.place is not None:
            refusals, more = _place(plan.place, store, contents["content_hash"], spec.embed.storage)
            checks += more
        elif given is None:
            refusals = _embed(spec, plan, store, tables, contents)
        else:
            missing = store.missing(contents["content_hash"])
            refusals = store_given(tables, missing, store, given, spec.embed.storage, f"vectors of {spec.name}")
        parts = store.parts_for(contents["content_hash"])
        for part in parts:
            writer.link("vectors", part)
        write_rows(writer, "rejects", _rejects(samples, refusals))
        if has_words(plan.kind):
            write_rows(writer, "words", _words(plan, len(contents)))
        if has_captions(spec):
            write_captions(spec, workspace, tables, captions, writer)
        norms, at_ingest = (None, None) if given is None else (given_norms(tables, given), _refused(tables))
        stats = statistics(parts, contents["content_hash"])
        checks += own_checks(store)
        rows = health_rows(stats, len(contents) - plan.without, refusals, plan.basis_overlap, norms, at_ingest)
        if checks:
            rows.extend(pl.DataFrame(checks, schema=rows.schema, orient="row"))
        if spec.data.content == "text":
            rows.extend(
                cut_row(_cut(store, contents), len(contents), "characters" if in_characters(plan.kind) else "tokens")
            )
        write_rows(writer, "embedding_health", rows)
        plan.done()

    config = {"fingerprint": plan.fingerprint, "basis_overlap": plan.basis_overlap}
    further = {"checks": plan.checks} if plan.checks else {}
    return Work(config | further | ({"captions": captions.fingerprint} if captions else {}), body)


def _samples_and_contents(tables: TableReader) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The samples by position, and the first one of each content, those of one file together."""
    samples = tables.read("samples", ["sample_id", "position", "uri", "content_hash"]).sort("position")
    return samples, by_file(samples.unique("content_hash", keep="first", maintain_order=True))


def _place(
    place: Callable[[pl.Series], Placed], store: FactStore, contents: pl.Series, storage: str
) -> tuple[Refusals, tuple[Check, ...]]:
    """Store the vectors of what has none yet, as rows of length 1."""
    refusals, placed = Refusals(), place(store.missing(contents))
    unit, problems = checked_vectors(placed.vectors)
    names = placed.content_hashes.to_list()
    refusals.reasons |= {names[row]: reason for row, reason in problems.items()}
    good = [row for row in range(len(names)) if row not in problems]
    for start in range(0, len(good), ROWS):
        rows = good[start : start + ROWS]
        store.append(vectors_frame([names[row] for row in rows], store.fingerprint, unit[rows].astype(storage)))
    return refusals, placed.checks


def _words(plan: Plan, n_contents: int) -> pl.DataFrame:
    """The words that the embedder learned; none where there was nothing to learn from."""
    return cast("WordMeans", plan.build()).words().frame() if n_contents else empty("words")


def _cut(store: FactStore, contents: pl.DataFrame) -> pl.DataFrame:
    """The rows of `cut_contents` of tonight's contents."""
    cut = cut_store(store)
    parts = [pl.read_parquet(part) for part in cut.parts_for(contents["content_hash"])]
    return pl.concat([empty("cut_contents"), *parts]).join(contents, on="content_hash", how="semi")


def _refused(tables: TableReader) -> dict[str, int]:
    """How many rows were refused before, by reason."""
    return dict(tables.read("rejects").group_by("reason").len().iter_rows())


def plan_for(
    spec: Spec, workspace: Workspace, given: int | None, content_hashes: pl.Series, tables: TableReader
) -> Plan:
    """The embedder to be built; for vectors of the user's own (`given` numbers each) only a fingerprint. One that sees
    the dataset as a whole plans from its tables."""
    if spec.data.tables and given is None:
        return tables_planner(spec)(spec, workspace, content_hashes, tables)
    if given is None:
        return plan_embedder(spec, workspace, content_hashes)
    fingerprint = fingerprint_of(kind="vectors", dimensions=given, storage=spec.embed.storage)
    return Plan("vectors", fingerprint, build=Embedder)


def _embed(spec: Spec, plan: Plan, store: FactStore, tables: TableReader, contents: pl.DataFrame) -> Refusals:
    """Embed what is missing; nothing is loaded where nothing is."""
    chunks = plan_chunks(store, contents["content_hash"])
    if not chunks:
        forget_plan(store)
        return Refusals()
    embedder = plan.build()
    if not _must_fit(embedder):
        contents = contents.filter(pl.col("content_hash").is_in(list(itertools.chain(*chunks))))
    raw = raw_contents(spec, tables, contents)
    read = raw_reader(spec, raw)
    ready = _fit(embedder, read, spec, contents)
    label = f"embedding {spec.name}"

    def here() -> Reasons:
        return embed_contents(embedder, chunks, read, ready, store, spec.embed.storage, label).reasons

    is_read = all(name in ready for name in itertools.chain(*chunks))
    basis = embedder.basis.fingerprint if isinstance(embedder, FittedEmbedder) else ""
    refusals = embed_on_engine(spec, plan, basis, store, Todo(label, chunks, raw, here, is_read))
    forget_plan(store)
    return refusals


def _must_fit(embedder: Embedder) -> TypeGuard[FittedEmbedder]:
    return isinstance(embedder, FittedEmbedder) and not embedder.basis.is_fitted


def _fit(embedder: Embedder, read: Callable[..., Any], spec: Spec, contents: pl.DataFrame) -> dict[str, Any]:
    """Fit on the basis's sample where that is still to be done, read in the order of `contents`; what was prepared for
    it need not be read again."""
    if not _must_fit(embedder):
        return {}
    chosen = embedder.basis.sample()
    in_order = contents.filter(contents["content_hash"].is_in(chosen.implode()))["content_hash"].to_list()
    ready = prepare_all(embedder, in_order, read, f"reading {spec.name} to fit on")
    if not ready:
        raise SourceError("none of the contents can be read any more; check the source, and run again")
    embedder.fit([ready[name] for name in chosen if name in ready])
    return ready


def _rejects(samples: pl.DataFrame, refusals: Refusals) -> pl.DataFrame:
    """A row for every sample of a content that has no vector."""
    rows = [(name, reason, detail) for name, (reason, detail) in refusals.reasons.items()]
    schema = dict.fromkeys(("content_hash", "reason", "detail"), pl.String)
    refused = pl.DataFrame(rows, schema=schema, orient="row")
    if refused.is_empty():
        return empty("rejects")
    return samples.join(refused, on="content_hash", how="inner", maintain_order="left").select(
        "uri", "sample_id", pl.lit("embed").alias("stage"), "reason", "detail"
    )
