"""source → ingested, contents, rejects, dataset_metrics

The first stage: what there is tonight. A folder gives one sample a file; a table one a row. Files are listed and
hashed before the stage's key is made, so that the key says what the source holds, wherever it stands; what has not
changed since the last night is not read. What cannot be used goes to `rejects` with its reason; a source that looks
half-written, empty or shrunk stops the night.
"""

import os
from collections.abc import Callable

import polars as pl

from assay.contracts.errors import SourceError, SpecError
from assay.contracts.spec import Spec
from assay.contracts.tables import Ingested
from assay.sources.columns import printable
from assay.sources.files import LocalSource, Source, open_source
from assay.sources.folder import folder_samples
from assay.sources.guards import refuse_all_rejected, refuse_empty, refuse_many_rejects, refuse_shrunk, refuse_unready
from assay.sources.label_text import count_confusable
from assay.sources.labels import distinct_classes, normalize_column
from assay.sources.listing import list_files
from assay.sources.table_files import file_beside, table_files, table_folder, with_digests
from assay.sources.tables import content_role, file_text, read_rows, uri_listing
from assay.store.stage import StageOutput, StageWriter, Workspace, hash_text, run_stage, write_rows
from tasks.stages import stage_task

VERSION = 2
TABLES = ("ingested", "contents", "rejects", "dataset_metrics")
TEXT_BLOCK = 1000  # files of text in memory at a time


@stage_task(timeout_hours=12)
def ingest(spec: Spec, workspace: Workspace) -> StageOutput:
    """source → ingested, contents (texts and vectors), rejects, dataset_metrics

    Raises:
        SourceError: the source is missing, empty, not ready, half-written, shrunk, or all of it was rejected.
    """
    prepare = _folder if spec.source.kind == "folder" else _table
    digest, body = prepare(spec, workspace)
    output = run_stage(
        workspace, "ingest", version=VERSION, tables=TABLES, config=_config(spec, digest), inputs=(), body=body
    )
    refuse_many_rejects(spec, output)
    refuse_shrunk(spec, workspace, output)
    return output


def _config(spec: Spec, digest: str) -> dict:
    """What the output depends on: the rules and the data, not where they are or what stops a night."""
    section = spec.part("source")
    rules = {name: section[name] for name in ("kind", "layout", "columns", "null_values", "max_file_bytes")}
    limits = {"max_text_characters": spec.clean.max_text_characters, "vectors": spec.embed.kind == "vectors"}
    sets = {"label_separator": spec.source.label_separator} if spec.source.label_separator else {}
    return {"modality": spec.modality, **rules, **limits, **sets, "source": digest}


def _folder(spec: Spec, workspace: Workspace) -> tuple[str, Callable[[StageWriter], None]]:
    """Digest of a folder's listing, and the body that writes its samples."""
    if spec.modality == "vectors":
        raise SpecError('modality = "vectors" comes from a table; give source.kind = "table" with a vector column')
    source = open_source(spec)
    if isinstance(source, LocalSource) and not os.path.isdir(source.root):
        raise SourceError(
            f"there is no folder at {source.root}; check source.path (relative to the spec's own file), "
            "or is a disk not mounted?"
        )
    refuse_unready(spec, source)
    entries = [entry for entry in source.scan() if entry.uri != spec.source.ready_file]
    refuse_empty(len(entries), source.root, "files")
    listing = list_files(workspace, source, entries, "reading files")

    def body(writer: StageWriter) -> None:
        refused = listing.filter(pl.col("reason").is_not_null()).with_columns(sample_id="uri")
        rejects = refused.select("uri", "sample_id", "reason", "detail").to_dicts()
        samples = folder_samples(listing, spec.source.layout)
        if spec.modality == "text":
            samples = _write_texts(spec, writer, source, samples, rejects)
        label, changed = normalize_column(samples["label"])
        split, _ = normalize_column(samples["split"])
        _write(spec, writer, samples.with_columns(label, split), rejects, changed, set())

    return _listing_digest(listing), body


def _table(spec: Spec, workspace: Workspace) -> tuple[str, Callable[[StageWriter], None]]:
    """Digest of the tables and of the files that they name, and the body that writes their rows."""
    refuse_unready(spec, table_folder(spec))
    files = with_digests(workspace, table_files(spec))
    content = content_role(spec, workspace, files)
    listing = uri_listing(spec, workspace, files) if content == "uri" else None
    beside = file_beside(spec, files)
    hashed = [*files, *with_digests(workspace, [beside])] if beside else files
    described = [(file.name, file.split, file.content_hash) for file in hashed]
    digest = hash_text(repr(described) + (_listing_digest(listing) if listing is not None else ""))

    def body(writer: StageWriter) -> None:
        rows = read_rows(spec, writer, files, content, listing)
        samples, rejects = rows.finish()
        _write(spec, writer, samples, rejects, rows.labels_normalized, rows.skipped_columns, rows.labels_as_lists)

    return digest, body


def _write_texts(
    spec: Spec, writer: StageWriter, source: Source, samples: pl.DataFrame, rejects: list[dict]
) -> pl.DataFrame:
    """Write the text behind each file to `contents`; the samples that have one. The others join `rejects`."""
    seen: set[str] = set()
    bad: set[str] = set()
    for start in range(0, len(samples), TEXT_BLOCK):
        texts: dict[str, str] = {}
        for uri, content_hash in samples.slice(start, TEXT_BLOCK).select("uri", "content_hash").iter_rows():
            if content_hash in seen:
                continue
            text, reason, detail = file_text(source, uri, spec.clean.max_text_characters)
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
    rejects: list[dict],
    changed: int,
    skipped: set[str],
    n_lists: int = 0,
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
    refuse_all_rejected(len(samples), frame)
    write_rows(writer, "ingested", samples)
    write_rows(writer, "rejects", frame)
    numbers = _numbers(spec, samples, len(frame), changed, skipped)
    if n_lists:
        note = "labels that are lists, each taken for one class; source.label_separator makes sets of classes of them"
        more = pl.DataFrame([("labels_as_lists", float(n_lists), note)], numbers.schema, orient="row")
        numbers = numbers.vstack(more)
    writer.write("dataset_metrics", numbers)


def _keep_contract(samples: pl.DataFrame) -> tuple[pl.DataFrame, list[dict]]:
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
        "labels_normalized": (changed, "labels changed by Unicode NFC or stripping"),
        "labels_confusable": (count_confusable(labels), "pairs of labels that differ only in case or Unicode form"),
        "n_columns_skipped": (len(skipped), printable(", ".join(sorted(skipped))) or None),
    }
    rows = [(name, float(value), note) for name, (value, note) in numbers.items()]
    return pl.DataFrame(rows, schema={"metric": pl.String, "value": pl.Float64, "note": pl.String}, orient="row")


def _listing_digest(listing: pl.DataFrame) -> str:
    """Digest of what the files hold, whenever they were written and wherever they stand."""
    columns = listing.select("uri", "size_bytes", "content_hash", "reason")
    return hash_text("\n".join(map(repr, columns.iter_rows())))
