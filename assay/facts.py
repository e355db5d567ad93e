"""Clean: decode or read each content once, measure it, and set aside what cannot be used.

Facts are appended chunk by chunk, so a killed run keeps them; contents that failed are remembered beside them, so an
unchanged night decodes nothing. A file that could not be *read* is tried again every time.
"""

import functools
import itertools
import zlib
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version

import polars as pl

from assay.contracts.errors import SourceError
from assay.contracts.spec import Spec
from assay.contracts.tables import empty
from assay.sources.files import open_source
from assay.store.facts import FactStore
from assay.store.files import hash_text
from assay.store.progress import Progress
from assay.store.stage import StageWriter, Work, stage, write_rows
from assay.store.tables import Tables
from assay.store.workspace import Workspace

VERSION = 3
FACTS = {"image": "image_facts", "text": "text_facts"}  # modalities that are measured; the others pass through
LIBRARIES = {
    "image": ("pillow", "simplejpeg", "numpy", "xxhash"),
    "text": ("ftfy", "py3langid", "rensa", "regex", "pyspellchecker", "stopwordsiso"),
}
CHUNK = {"image": 512, "text": 4096}  # contents, on average

Measured = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]  # facts, lasting failures, contents not read this time


def _writes(spec: Spec) -> tuple[str, ...]:
    return ("samples", "rejects", *([FACTS[spec.modality]] if spec.modality in FACTS else []))


@stage(version=VERSION, reads=("ingested", "contents"), writes=_writes, hours=12)
def clean(spec: Spec, workspace: Workspace, tables: Tables) -> Work:
    """ingested → samples (what goes on, with group columns), image_facts or text_facts, rejects.

    Raises:
        SourceError: more than `source.max_rejects` of the samples cannot be used.
    """
    config = {"modality": spec.modality, "max_rejects": spec.source.max_rejects, "method": method(spec)}
    return Work(config, functools.partial(_clean, spec, workspace, tables))


def method(spec: Spec) -> dict:
    """Everything that a fact depends on besides the content: a change of it measures all contents anew."""
    keys = {"image": ("max_pixels", "thumbnail_pixels"), "text": ("text_steps", "max_text_characters", "language")}
    settings = spec.part("clean")
    return {
        "version": VERSION,
        "settings": {key: settings[key] for key in keys.get(spec.modality, ())},
        "libraries": {name: version(name) for name in LIBRARIES.get(spec.modality, ())},
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
    if spec.modality not in FACTS:
        write_rows(writer, "samples", samples)
        write_rows(writer, "rejects", empty("rejects"))
        return
    table = FACTS[spec.modality]
    measure = _measure_images if spec.modality == "image" else _measure_texts
    facts, problems = _complete(workspace, spec, samples, functools.partial(measure, spec, tables, samples))
    rejects = _rejects(samples, problems)
    _check_rejects(rejects, len(samples), spec)
    write_rows(writer, "samples", samples.join(problems, on="content_hash", how="anti", maintain_order="left"))
    write_rows(writer, "rejects", rejects)
    parts = facts.parts_for(samples["content_hash"])
    for part in parts:
        writer.link(table, part)
    if not parts:
        writer.write(table, empty(table))


def _complete(
    workspace: Workspace, spec: Spec, samples: pl.DataFrame, measure: Callable[[list[list[str]]], Iterator[Measured]]
) -> tuple[FactStore, pl.DataFrame]:
    """Measure what has no fact yet. Returns the facts, and the contents that cannot be used (`failures`)."""
    fingerprint = hash_text(repr(sorted(method(spec).items())))[:16]
    facts = FactStore(workspace, FACTS[spec.modality], fingerprint)
    failures = FactStore(workspace, "failures", fingerprint)
    missing = failures.missing(facts.missing(samples["content_hash"]))
    progress = Progress("contents measured", len(missing))
    problems = []
    todo = list(chunks(missing.to_list(), CHUNK[spec.modality]))
    for chunk, (measured, failed, unread) in zip(todo, measure(todo), strict=True):
        facts.append(measured)
        failures.append(failed)
        problems.append(unread)
        progress.advance(len(chunk))
    lasting = [pl.read_parquet(part) for part in failures.parts_for(samples["content_hash"])]
    return facts, pl.concat([empty("failures"), *lasting, *problems]).unique("content_hash", maintain_order=True)


def _measure_images(spec: Spec, _: Tables, samples: pl.DataFrame, todo: list[list[str]]) -> Iterator[Measured]:
    """Facts of each chunk of images, read from the first of their places that still holds them."""
    from assay.modalities.image.cleaning import image_facts

    wanted = pl.Series(list(itertools.chain(*todo)), dtype=pl.String)
    here = samples.lazy().filter(pl.col("content_hash").is_in(wanted.implode())).group_by("content_hash").agg("uri")
    places = dict(here.collect().iter_rows())
    contents = [[(content_hash, places[content_hash]) for content_hash in chunk] for chunk in todo]
    limits = {"max_pixels": spec.clean.max_pixels, "thumbnail_pixels": spec.clean.thumbnail_pixels}
    return image_facts(open_source(spec), contents, **limits)


def _measure_texts(spec: Spec, tables: Tables, _: pl.DataFrame, todo: list[list[str]]) -> Iterator[Measured]:
    """Facts of each chunk of texts, which ingest has kept in `contents`."""
    from assay.modalities.text.facts import text_facts

    for chunk in todo:
        order = pl.DataFrame({"content_hash": chunk})
        here = tables.scan("contents").select("content_hash", "text").filter(pl.col("content_hash").is_in(chunk))
        texts = order.join(here.collect(), on="content_hash", how="left", maintain_order="left")
        measured, failed = text_facts(
            texts,
            steps=spec.clean.text_steps,
            language=spec.clean.language,
            max_characters=spec.clean.max_text_characters,
        )
        yield measured, failed, empty("failures")


def _rejects(samples: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """A row of `rejects` for every sample whose content cannot be used, in sample order."""
    hit = samples.join(problems, on="content_hash", how="inner", maintain_order="left")
    return hit.select("uri", "sample_id", pl.lit("clean").alias("stage"), "reason", "detail")


def _check_rejects(rejects: pl.DataFrame, n: int, spec: Spec) -> None:
    """Refuse a night where most of the data is unreadable: that is a broken source, not a quality issue."""
    if len(rejects) <= spec.source.max_rejects * n:
        return
    reasons = rejects.group_by("reason").len().sort("len", "reason", descending=[True, False])
    said = ", ".join(f"{reason} ({count:,})" for reason, count in reasons.head(5).iter_rows())
    example = rejects.row(0, named=True)
    raise SourceError(
        f"{len(rejects):,} of {n:,} samples cannot be used: {said}; source.max_rejects allows "
        f"{spec.source.max_rejects:.0%}. For example {example['uri'] or example['sample_id']}: {example['detail']}. "
        "Check that the source is complete, or raise source.max_rejects"
    )
