"""Clean: decode or read each content once, measure it, and set aside what cannot be used.

Facts are appended chunk by chunk, so a killed run keeps them; contents that failed are remembered beside them, so an
unchanged night decodes nothing. A file that could not be *read* is tried again every time.
"""

import functools
import io
import itertools
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import polars as pl

from assay.contracts.errors import EngineError, SourceError
from assay.contracts.modality import Facts
from assay.contracts.spec import Spec
from assay.contracts.tables import empty
from assay.engines.job import Job, make_engine, told_of, told_spec, wait_for_facts
from assay.sources.fragments import by_file
from assay.sources.labels import distinct_classes
from assay.sources.left_out import counted_endings
from assay.sources.told import NUMBERS, Told, tell
from assay.store.facts import FactStore
from assay.store.files import hash_text
from assay.store.progress import Progress
from assay.store.stage import StageWriter, Work, stage, write_rows
from assay.store.tables import TableReader, Tables
from assay.store.workspace import Workspace

VERSION = 4
Row = tuple[str, str, str]  # of `failures`


def _writes(spec: Spec) -> tuple[str, ...]:
    return ("samples", "rejects", "dataset_metrics", *spec.data.fact_tables())


def _reads(spec: Spec) -> tuple[str, ...]:
    return ("ingested", "contents", *spec.data.tables)


@stage(version=VERSION, reads=_reads, writes=_writes, hours=12)
def clean(spec: Spec, workspace: Workspace, tables: Tables) -> Work:
    """ingested → samples (what goes on, with group columns), facts, rejects, dataset_metrics.

    Raises:
        SourceError: more than `source.max_rejects` of the samples cannot be used.
    """
    config = {"modality": spec.modality, "max_rejects": spec.source.max_rejects, "method": method(spec)}
    return Work(config, functools.partial(_clean, spec, workspace, tables))


def method(spec: Spec) -> dict[str, Any]:
    """Everything that a fact depends on besides the content: a change of it measures all contents anew."""
    facts, settings = spec.data.facts, spec.part("clean")
    return {
        "version": VERSION,
        **({"of_measure": facts.version} if facts and facts.version else {}),
        "settings": {key: settings[key] for key in facts.settings} if facts else {},
        "libraries": {name: version(name) for name in facts.libraries} if facts else {},
    }


def chunks(content_hashes: Sequence[str], mean: int) -> Iterator[list[str]]:
    """Cut a list into runs of `mean` on average, at places that depend on the contents alone.

    A run that is resumed after a kill then cuts what is left as the undisturbed run would have cut it.
    """
    chunk: list[str] = []
    for content_hash in content_hashes:
        chunk.append(content_hash)
        if zlib.crc32(content_hash.encode()) % mean == 0:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _clean(spec: Spec, workspace: Workspace, tables: Tables, writer: StageWriter) -> None:
    samples = tables.read("ingested").sort("position")
    kind = spec.data.facts
    if kind is None:
        write_rows(writer, "samples", samples)
        write_rows(writer, "rejects", empty("rejects"))
        write_rows(writer, "dataset_metrics", empty("dataset_metrics"))
        return
    if kind.nightly:
        _clean_anew(spec, kind, tables, samples, writer)
        return
    facts, problems = _complete(workspace, spec, kind, tables, samples)
    rejects = _rejects(samples, problems)
    _check_rejects(rejects, len(samples), spec)
    kept = samples.join(problems, on="content_hash", how="anti", maintain_order="left")
    write_rows(writer, "samples", kept)
    write_rows(writer, "rejects", rejects)
    write_rows(writer, "dataset_metrics", _emptied(samples["label"], kept["label"], spec.source.label_separator))
    parts = facts.parts_for(samples["content_hash"])
    for part in parts:
        writer.link(kind.table, part)
    if not parts:
        writer.write(kind.table, empty(kind.table))


def _clean_anew(spec: Spec, kind: Facts, tables: Tables, samples: pl.DataFrame, writer: StageWriter) -> None:
    """Measure all of what depends on all of it. Nothing is refused here, and nothing kept for another night."""
    todo = list(chunks(samples["content_hash"].unique(maintain_order=True).to_list(), kind.chunk))
    progress = Progress("contents measured", sum(map(len, todo)))
    for chunk, (measured, _, _) in zip(todo, kind.measure(spec, tables, samples, todo), strict=True):
        writer.write(kind.table, measured)
        progress.advance(len(chunk))
    write_rows(writer, "samples", samples)
    write_rows(writer, "rejects", empty("rejects"))
    write_rows(writer, "dataset_metrics", empty("dataset_metrics"))


def _complete(
    workspace: Workspace, spec: Spec, kind: Facts, tables: Tables, samples: pl.DataFrame
) -> tuple[FactStore, pl.DataFrame]:
    """Measure what has no fact yet. Returns the facts, and the contents that cannot be used (`failures`)."""
    facts, failures = _stores(workspace, spec, kind)
    missing = failures.missing(facts.missing(by_file(samples)["content_hash"]))
    todo, label = list(chunks(missing.to_list(), kind.chunk)), "contents measured"

    def here() -> list[Row]:
        progress = Progress(label, len(missing))
        return _measure(spec, kind, tables, samples, todo, (facts, failures), progress.advance)

    told = told_of(spec, workspace, tables.outputs) | {"reads": list(_reads(spec)), "method": method(spec)}
    pack = _packer(samples, todo)
    engine, unread = make_engine(spec.run), list[Row]()
    for rows in engine.run(Job(label, [len(chunk) for chunk in todo], here, f"{__name__}:open_cleaning", told, pack)):
        unread.extend((name, reason, detail) for name, reason, detail in rows)
    lasting = [pl.read_parquet(part) for part in failures.parts_for(samples["content_hash"])]
    problems = [empty("failures"), *lasting, pl.DataFrame(unread, schema=empty("failures").schema, orient="row")]
    found = pl.concat(problems).unique("content_hash", maintain_order=True)
    if engine.elsewhere:
        wait_for_facts(facts, missing.filter(~missing.is_in(found["content_hash"].implode())))
    return facts, found


def _stores(workspace: Workspace, spec: Spec, kind: Facts) -> tuple[FactStore, FactStore]:
    """Where facts are, and what cannot be measured."""
    fingerprint = hash_text(repr(sorted(method(spec).items())))[:16]
    return FactStore(workspace, kind.table, fingerprint), FactStore(workspace, "failures", fingerprint)


def _measure(
    spec: Spec,
    kind: Facts,
    tables: TableReader,
    samples: pl.DataFrame,
    todo: list[list[str]],
    stores: tuple[FactStore, FactStore],
    advance: Callable[[int], None] = lambda count: None,
) -> list[Row]:
    """Measure chunks into the stores. Returns what could not be read this time, as rows of `failures`."""
    unread = list[Row]()
    for chunk, (*lasting, passing) in zip(todo, kind.measure(spec, tables, samples, todo), strict=True):
        for store, found in zip(stores, lasting, strict=True):
            store.append(found)
        unread.extend(passing.iter_rows())
        advance(len(chunk))
    return unread


def _packer(samples: pl.DataFrame, todo: list[list[str]]) -> Callable[[int, int], dict[str, Any]]:
    """What a partition of some chunks carries: their contents, and the rows of the samples that hold these."""

    def pack(start: int, stop: int) -> dict[str, Any]:
        here = pl.DataFrame({"content_hash": list(itertools.chain(*todo[start:stop]))})
        buffer = io.BytesIO()
        samples.join(here, on="content_hash", how="semi", maintain_order="left").write_ipc(buffer)
        return {"chunks": todo[start:stop], "samples": buffer.getvalue()}

    return pack


def open_cleaning(told: Mapping[str, Any]) -> Callable[[dict[str, Any]], list[list[str]]]:
    """A function that measures a partition into the facts, and gives what could not be read this time.

    Raises:
        EngineError: this machine has other libraries than the one that asks, or does not see the home.
    """
    spec, workspace, outputs = told_spec(told)
    kind = spec.data.facts
    if kind is None or told["method"] != method(spec):
        raise EngineError(
            f"facts here would be made by {method(spec)}, not {told['method']}; give all machines the same"
        )
    tables, stores = Tables("clean", told["reads"], outputs), _stores(workspace, spec, kind)

    def clean_partition(partition: dict[str, Any]) -> list[list[str]]:
        todo = [list(chunk) for chunk in stores[0].unwritten(partition["chunks"])]
        samples = pl.read_ipc(io.BytesIO(partition["samples"]))
        return [list(row) for row in _measure(spec, kind, tables, samples, todo, stores)]

    return clean_partition


def _rejects(samples: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """A row of `rejects` for every sample whose content cannot be used, in sample order."""
    hit = samples.join(problems, on="content_hash", how="inner", maintain_order="left")
    return hit.select("uri", "sample_id", pl.lit("clean").alias("stage"), "reason", "detail")


def _emptied(before: pl.Series, after: pl.Series, separator: str) -> pl.DataFrame:
    """A row of `dataset_metrics` where classes have lost all of their samples here; none where none has."""
    told = Told()
    gone = sorted(set(distinct_classes(before, separator)) - set(distinct_classes(after, separator)))
    if gone:
        told.say("classes_emptied", len(gone), f"classes of which no sample can be used: {', '.join(gone)}")
        tell("source", told.rows[0][2])
    return pl.DataFrame(told.rows, schema=NUMBERS, orient="row")


def _check_rejects(rejects: pl.DataFrame, n: int, spec: Spec) -> None:
    """Refuse a night where most of the data is unreadable: that is a broken source, not a quality issue."""
    if len(rejects) <= spec.source.max_rejects * n:
        return
    reasons = rejects.group_by("reason").len().sort("len", "reason", descending=[True, False])
    said = ", ".join(f"{reason} ({count:,})" for reason, count in reasons.head(5).iter_rows())
    example = rejects.row(0, named=True)
    uris = rejects["uri"].drop_nulls().to_list()
    endings = f" Their files: {counted_endings(uris)}; list what is not a sample in source.exclude." if uris else ""
    raise SourceError(
        f"{len(rejects):,} of {n:,} samples cannot be used: {said}; source.max_rejects allows "
        f"{spec.source.max_rejects:.0%}. For example {example['uri'] or example['sample_id']}: {example['detail']}. "
        f"Check that the source is complete, or raise source.max_rejects.{endings}"
    )
