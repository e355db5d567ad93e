"""source → ingested, contents, rejects, dataset_metrics

The first stage: what there is tonight. A folder gives one sample a file; a table one a row. Files are listed and
hashed before the stage's key is made, so that the key says what the source holds, wherever it stands; what has not
changed since the last night is not read. What cannot be used goes to `rejects` with its reason; a source that looks
half-written, empty or shrunk stops the night.
"""

import os
from collections.abc import Callable
from typing import Any

import polars as pl

from assay.contracts.errors import SourceError, SpecError
from assay.contracts.modality import require
from assay.contracts.spec import Spec
from assay.contracts.tables import Ingested
from assay.sources.carried import Carried, is_carrier, layout_paths, open_carriers
from assay.sources.files import UNLIMITED, Entry, LocalSource, Source, is_carrier_file, open_source
from assay.sources.guards import (
    refuse_all_rejected,
    refuse_empty,
    refuse_many_rejects,
    refuse_shrunk,
    refuse_unready,
    tell_rejects,
)
from assay.sources.label_text import count_confusable, tidy
from assay.sources.labels import distinct_classes, normalize_column
from assay.sources.layout import Layout, folder_columns, reading_in_words
from assay.sources.left_out import LeftOut, of_kind
from assay.sources.listing import list_files
from assay.sources.own import OwnRows
from assay.sources.roles import Roles
from assay.sources.rows import TableRows
from assay.sources.schema import describe, refuse_lost_columns
from assay.sources.table_files import file_beside, rules_of, table_files, table_folder, whole_files, with_digests
from assay.sources.tables import content_role, file_text, read_rows, uri_listing
from assay.sources.told import SCHEMA, Told, print_notes, tell
from assay.sources.unicode import printable
from assay.store.files import hash_text
from assay.store.stage import StageOutput, StageWriter, Work, stage, write_rows
from assay.store.tables import Tables
from assay.store.workspace import Workspace

VERSION = 4
TABLES = ("ingested", "contents", "rejects", "dataset_metrics")
TEXT_BLOCK = 1000  # files of text in memory at a time


def _writes(spec: Spec) -> tuple[str, ...]:
    return (*TABLES, *spec.data.tables)


@stage(version=VERSION, reads=(), writes=_writes, hours=12)
def ingest(spec: Spec, workspace: Workspace, _: Tables) -> Work:
    """source → ingested, contents (texts and vectors), rejects, dataset_metrics

    Raises:
        SpecError: a package that such data need is not installed.
        SourceError: the source is missing, empty, not ready, half-written, shrunk, has lost the column of its labels,
            splits or ids, or all of it was rejected.
    """
    require(spec.data)
    is_table = spec.source.kind == "table" and not spec.data.tables
    prepare = _table if is_table else _own if spec.data.folder else _folder
    digest, body = prepare(spec, workspace)
    return Work(_config(spec, digest), body, lambda output: _judge(spec, workspace, output))


def _judge(spec: Spec, workspace: Workspace, output: StageOutput) -> None:
    """Tell how the source was read and what is different since the last snapshot. Raises `SourceError`."""
    print_notes(output)
    refuse_many_rejects(spec, output)
    refuse_shrunk(spec, workspace, output)
    for words in tell_rejects(output):
        tell("rejected", words)
    for words in refuse_lost_columns(spec, workspace, output):
        tell("changed", words)


def _config(spec: Spec, digest: str) -> dict[str, Any]:
    """What the output depends on: the rules and the data, not where they are or what stops a night."""
    section = spec.part("source")
    names = ("kind", "layout", "columns", "null_values", "max_file_bytes", "delimiter", "quote", "encoding")
    rules = {name: section[name] for name in names}
    limits = {"max_text_characters": spec.clean.max_text_characters, "vectors": spec.embed.kind == "vectors"}
    sets = {"label_separator": spec.source.label_separator} if spec.source.label_separator else {}
    return {"modality": spec.modality, **rules, **limits, **sets, "source": digest}


def _folder(spec: Spec, workspace: Workspace) -> tuple[str, Callable[[StageWriter], None]]:
    """Digest of a folder's listing, and the body that writes its samples."""
    if spec.data.content == "vector":
        raise SpecError(
            f'modality = "{spec.data.name}" comes from a table; give source.kind = "table" with a vector column'
        )
    source = open_source(spec)
    alone = os.path.basename(spec.source.path) if is_carrier_file(spec) else ""
    if isinstance(source, LocalSource) and not os.path.isdir(source.root):
        raise SourceError(
            f"there is no folder at {source.root}; check source.path (relative to the spec's own file), "
            "or is a disk not mounted?"
        )
    refuse_unready(spec, source)
    left = LeftOut()
    if alone:
        found = [source.stat_file(alone, UNLIMITED)]
    else:
        found = [entry for entry in source.scan(left) if entry.uri != spec.source.ready_file]
    entries, carried = _with_members(spec, source, found, left)
    refuse_empty(len(entries), source.root, spec.data.face.plural, left)
    listing = list_files(workspace, source, entries, "reading files", spec.source.reread_days)

    def body(writer: StageWriter) -> None:
        refused = listing.filter(pl.col("reason").is_not_null()).with_columns(sample_id="uri")
        rejects = refused.select("uri", "sample_id", "reason", "detail").to_dicts()
        columns, layout = folder_columns(layout_paths(listing["uri"]), spec.source.layout)
        if carried.labels:
            own = pl.Series([carried.labels.get(uri) for uri in listing["uri"]], dtype=pl.String)
            columns = columns.with_columns(label=pl.coalesce(own, pl.col("label")))
        samples = _of_files(listing.hstack(columns))
        if spec.data.content == "text":
            samples = _write_texts(spec, writer, source, samples, rejects)
        label, changed = normalize_column(samples["label"])
        split, _ = normalize_column(samples["split"])
        samples = samples.with_columns(label, split)
        told = _tell_folder(samples, layout, left)
        told.rows += carried.notes()
        _write(spec, writer, samples, rejects, changed, set(), told=told)

    described = left.described() + (repr(sorted(carried.labels.items())) if carried.labels else "")
    return hash_text(_listing_digest(listing) + described), body


def _with_members(spec: Spec, source: Source, found: list[Entry], left: LeftOut) -> tuple[list[Entry], Carried]:
    """The samples of a folder. Archives and datasets in it are opened where no sample stands beside them, or the spec
    says so; members of another kind of file are left out as files are."""
    carriers = [entry for entry in found if is_carrier(entry.uri, with_rows=spec.data.content == "file")]
    names = {entry.uri for entry in carriers}
    beside = [entry for entry in found if entry.uri not in names]
    plain = of_kind(beside, spec.data.other_endings, source.patterns, LeftOut())
    wanted = spec.source.archives
    if not carriers or wanted == "leave" or (wanted == "auto" and plain):
        return of_kind(found, spec.data.other_endings, source.patterns, left), Carried()
    carried = open_carriers(source, carriers)
    samples = of_kind([*beside, *carried.entries], spec.data.other_endings, source.patterns, left)
    return [*samples, *carried.problems], carried


def _of_files(listing: pl.DataFrame) -> pl.DataFrame:
    """Rows of a listing that hold content as samples; the position counts every file."""
    numbered = listing.with_columns(position=pl.int_range(pl.len(), dtype=pl.Int64), sample_id="uri")
    names = ("sample_id", "position", "uri", "content_hash", "label", "split", "size_bytes")
    further = ["category"] if "category" in listing.columns else []
    return numbered.filter(pl.col("content_hash").is_not_null()).select(*names, *further)


def _tell_folder(samples: pl.DataFrame, layout: Layout, left: LeftOut) -> Told:
    """How the folders were read, what was left out, and which classes are empty."""
    told = Told()
    told.say("layout", len(samples), reading_in_words(layout, samples))
    told.rows += left.notes()
    for words in (*layout.doubts, *left.doubts()):
        told.doubt(words)
    full = set(samples["label"].drop_nulls().to_list())
    named = [layout.read(tuple(folder.split("/")))["class"] for folder in left.empty]
    empty = sorted(set(tidy(name for name in named if name)) - full)
    if empty:
        told.say("empty_classes", len(empty), f"classes without a sample: {', '.join(empty)}")
    roles = {"label": "folder", "split": "folder"}
    told.rows.append((SCHEMA, float(len(samples.columns)), describe(samples, roles, layout.name)))
    return told


def _table(spec: Spec, workspace: Workspace) -> tuple[str, Callable[[StageWriter], None]]:
    """Digest of the tables and of the files that they name, and the body that writes their rows."""
    refuse_unready(spec, table_folder(spec))
    days = spec.source.reread_days
    there = with_digests(workspace, table_files(spec), days)
    files, damaged = whole_files(workspace, there, rules_of(spec))
    content = content_role(spec, workspace, files)
    listing = uri_listing(spec, workspace, files) if content == "uri" else None
    beside = file_beside(spec, files)
    hashed = [*there, *with_digests(workspace, [beside], days)] if beside else there
    described = [(file.name, file.split, file.content_hash) for file in hashed]
    digest = hash_text(repr(described) + (_listing_digest(listing) if listing is not None else ""))

    def body(writer: StageWriter) -> None:
        rows = read_rows(spec, writer, files, content, listing)
        samples, rejects = rows.finish()
        told = rows.told
        if damaged:
            names = ", ".join(reject["uri"] for reject in damaged)
            told.doubt(f"{len(damaged)} of {len(there)} tables are damaged and left out: {names}")
        told.rows.append((SCHEMA, float(len(rows.seen_columns)), describe(samples, rows.used_roles)))
        skipped = rows.skipped_columns
        _write(spec, writer, samples, [*damaged, *rejects], rows.labels_normalized, skipped, rows.labels_as_lists, told)

    return digest, body


def _own(spec: Spec, workspace: Workspace) -> tuple[str, Callable[[StageWriter], None]]:
    """Digest of a folder that is read in a way of its own, and the body that writes its rows."""
    source = open_source(spec)
    if isinstance(source, LocalSource) and not os.path.isdir(source.root):
        raise SourceError(f"there is no folder at {source.root}; check source.path (relative to the spec's own file)")
    reads = spec.data.folder
    assert reads is not None
    found: OwnRows = reads(spec, workspace)

    def body(writer: StageWriter) -> None:
        limit, separator = spec.clean.max_text_characters, spec.source.label_separator
        rows = TableRows(writer, Roles("uri", {}, with_vector=False), limit, found.resolve, separator)
        for batch in found.batches():
            rows.take(batch, found.name, None, 0)
        samples, rejects = rows.finish()
        for name, frame in found.tables(samples):  # before what is told, as reading them has more to tell
            write_rows(writer, name, frame)
        told = rows.told
        told.rows = [*found.told.rows, *told.rows]
        for words in found.told.doubts:
            told.doubt(words)
        told.rows.append((SCHEMA, float(len(rows.seen_columns)), describe(samples, rows.used_roles)))
        skipped = rows.skipped_columns
        _write(spec, writer, samples, rejects, rows.labels_normalized, skipped, rows.labels_as_lists, told)

    return found.digest, body


def _write_texts(
    spec: Spec, writer: StageWriter, source: Source, samples: pl.DataFrame, rejects: list[dict[str, Any]]
) -> pl.DataFrame:
    """Write the text behind each file to `contents`; the samples that have one. The others join `rejects`."""
    seen: set[str] = set()
    bad: set[str] = set()
    for start in range(0, len(samples), TEXT_BLOCK):
        texts: dict[str, str | None] = {}
        for uri, content_hash in samples.slice(start, TEXT_BLOCK).select("uri", "content_hash").iter_rows():
            if content_hash in seen:
                continue
            text, reason, detail = file_text(source, uri, spec.clean.max_text_characters, spec.source.encoding)
            if reason:
                bad.add(uri)
                rejects.append({"uri": uri, "sample_id": uri, "reason": reason, "detail": detail})
                continue
            seen.add(content_hash)
            texts[content_hash] = text
        frame = pl.DataFrame({"content_hash": list(texts), "text": list(texts.values())})
        if len(frame):
            writer.write("contents", frame.with_columns(vector=pl.lit(None, dtype=pl.List(pl.Float32))))
    return samples.filter(~pl.col("uri").is_in(list(bad)))


def _write(
    spec: Spec,
    writer: StageWriter,
    samples: pl.DataFrame,
    rejects: list[dict[str, Any]],
    changed: int,
    skipped: set[str],
    n_lists: int = 0,
    told: Told | None = None,
) -> None:
    """Samples that keep the contract, the rest as rejects with the rule they broke, and the numbers."""
    names = list(Ingested.columns())
    samples = samples.with_columns(modality=pl.lit(spec.modality))
    samples = samples.select(*names, *(name for name in samples.columns if name not in names))
    samples, broken = _keep_contract(samples)
    frame = pl.DataFrame(
        rejects + broken, schema={name: pl.String for name in ("uri", "sample_id", "reason", "detail")}
    )
    frame = frame.with_columns(stage=pl.lit("ingest"))
    told = told or Told()
    refuse_all_rejected(len(samples), frame, told.doubts)
    write_rows(writer, "ingested", samples)
    write_rows(writer, "rejects", frame)
    numbers = _numbers(spec, samples, len(frame), changed, skipped)
    if n_lists:
        note = "labels that are lists, each taken for one class; source.label_separator makes sets of classes of them"
        more = pl.DataFrame([("labels_as_lists", float(n_lists), note)], numbers.schema, orient="row")
        numbers = numbers.vstack(more)
    writer.write("dataset_metrics", numbers.vstack(told.frame()))


def _keep_contract(samples: pl.DataFrame) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """Rows that keep the contract of `ingested`, and a reject for each that does not, the rule as its reason."""
    names = list(Ingested.columns())
    good, failure = Ingested.filter(samples.select(names), cast=True)
    if not len(failure):
        return samples, []
    details = failure.details()
    rules = [name for name in details.columns if name not in names]
    broken = []
    for row in details.iter_rows(named=True):
        rule = next((name for name in rules if row[name] == "invalid"), "contract")
        broken.append(
            {
                "uri": row["uri"],
                "sample_id": row["sample_id"],
                "reason": rule.replace("|", "_"),
                "detail": f"row {row['position']} breaks the rule {rule} of the table `ingested`",
            }
        )
    return samples.filter(pl.col("position").is_in(good["position"].implode())), broken


def _numbers(spec: Spec, samples: pl.DataFrame, n_rejects: int, changed: int, skipped: set[str]) -> pl.DataFrame:
    labels = distinct_classes(samples["label"], spec.source.label_separator)
    numbers = {
        "n_ingested": (len(samples), None),
        "n_rejected_ingest": (n_rejects, None),
        "n_contents_ingested": (samples["content_hash"].n_unique(), None),
        "bytes_total": (samples["size_bytes"].sum(), None),
        "n_labels": (len(labels), None),
        "n_unlabelled": (samples["label"].null_count(), None),
        "n_splits": (samples["split"].drop_nulls().n_unique(), None),
        "labels_normalized": (
            changed,
            "labels changed by Unicode NFC or stripping, or spelled as one: 1.0 as 1, True as true",
        ),
        "labels_confusable": (count_confusable(labels), "pairs of labels that differ only in case or Unicode form"),
        "n_columns_skipped": (len(skipped), printable(", ".join(sorted(skipped))) or None),
    }
    rows = [(name, float(value), note) for name, (value, note) in numbers.items()]
    return pl.DataFrame(rows, schema={"metric": pl.String, "value": pl.Float64, "note": pl.String}, orient="row")


def _listing_digest(listing: pl.DataFrame) -> str:
    """Digest of what the files hold, whenever they were written and wherever they stand."""
    columns = listing.select("uri", "size_bytes", "content_hash", "reason")
    return hash_text("\n".join(map(repr, columns.iter_rows())))
