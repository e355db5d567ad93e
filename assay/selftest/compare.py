"""`assay compare SPEC --models A,B,…`: embed a sample of the user's own data with each model, and rank them.

A model is written as the kind of an embedder, such as `pca`, `lsa` or `glove`; as KIND=MODEL, such as `word2vec=cbow`,
`timm=local-dir:PATH`; an open_clip name, `local-dir:PATH` or `hf-hub:NAME`, with `@TAG` for the pretrained tag; or
`spec` for what the spec itself asks for. Without any, all are compared that work here without a network. The rank goes
by what such data are for, where that is not telling labels (hit@20 of users and items, how captions fit), else by the
out-of-fold accuracy of a linear probe, then by silhouette; the recommendation is the cheapest of those that are within
one standard error of the best. Everything is made afresh in a temporary home, so that the cost is measured.
"""

import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from assay.contracts.errors import AssayError, SourceError, SpecError
from assay.contracts.modality import Worth
from assay.contracts.plugins import registered
from assay.contracts.spec import Embed, Spec, load_spec
from assay.embedders.catalog import works_here
from assay.embedders.stage import embed, make_embedder
from assay.facts import clean
from assay.metrics import probe
from assay.sources.ingest import ingest
from assay.store.evenly import evenly
from assay.store.files import write_json
from assay.store.stage import StageOutput, StageWriter, run_stage, write_rows
from assay.store.units import to_unit_length
from assay.store.vectors import read_vectors
from assay.store.workspace import Workspace

FOLDS = 5
PENALTIES = (1e-1, 1e-2, 1e-3, 1e-4)
SILHOUETTE_SAMPLE = 2_000
SIZE = 2_000  # samples of the user's that are embedded


@dataclass(frozen=True)
class Compared:
    """One model on the sample. `problem` says why it could not be measured; then the numbers are None."""

    model: str
    probe_accuracy: float | None = None
    probe_error: float | None = None  # standard error of the accuracy
    silhouette: float | None = None
    seconds_per_1000: float | None = None
    dimensions: int | None = None
    parameters: int | None = None
    n: int = 0
    problem: str = ""
    worth_of: str = ""  # what the rank goes by where there is something better than labels, as `hit@20`
    worth: float | None = None
    worth_error: float | None = None

    @property
    def figure(self) -> tuple[float | None, float]:
        """What the rank goes by, and its standard error."""
        if self.worth is not None:
            return self.worth, self.worth_error or 0.0
        return self.probe_accuracy, self.probe_error or 0.0


def compare_models(spec_path: Path, models: list[str], size: int, home: Path) -> list[Compared]:
    """Measure, rank, print and recommend; the table is kept in `HOME/DATASET/compare.json`.

    Raises:
        SpecError: no model was named.
        SourceError: the source cannot be used, or fewer than 10 samples can be.
    """
    spec = load_spec(spec_path)
    models = models or works_here(spec)
    if not models:
        raise SpecError("no models to compare; name them as in --models pca,local-dir:PATH")
    with tempfile.TemporaryDirectory(prefix="assay-compare-") as folder:
        workspace = Workspace(Path(folder), spec.name)
        ingested = ingest(spec, workspace)
        most = sys.maxsize if spec.data.tables else size  # what is embedded as a whole is no sample of itself
        cleaned = sample_stage(workspace, clean(spec, workspace, ingested), spec.data.fact_tables(), most)
        found = [measure_model(spec, model, workspace, ingested, cleaned) for model in dict.fromkeys(models)]
    found = rank(found)
    write_json(home / spec.name / "compare.json", [asdict(row) for row in found])
    print(table_of(found))
    return found


def embed_section(model: str, spec: Spec) -> Embed:
    """The `[embed]` section that a model's name stands for; device, batch size and precision are the spec's."""
    if model == "spec":
        return spec.embed
    common = spec.embed.model_dump(include={"device", "batch_size", "precision", "storage", "seed"})
    kind, _, variant = model.partition("=")
    if kind in registered("assay.embedders") or kind == "auto":
        service = spec.embed.service
        return Embed(kind=kind, model=variant, dimensions=spec.embed.dimensions, service=service, **common)
    name, _, tag = model.partition("@")
    return Embed(kind="open_clip", model=name, pretrained=tag, **common)


def sample_stage(workspace: Workspace, cleaned: StageOutput, facts: tuple[str, ...], size: int) -> StageOutput:
    """The clean stage's output cut to a stratified sample; its facts are linked."""
    samples = cleaned.read("samples")
    if len(samples) < 10:
        raise SourceError(f"{len(samples)} samples can be read; a comparison needs at least 10, and preferably 2,000")
    chosen = samples[stratified(samples["label"], size)]

    def body(writer: StageWriter) -> None:
        write_rows(writer, "samples", chosen)
        for table in facts:
            for part in cleaned.parts(table):
                writer.link(table, part)

    tables = ("samples", *facts)
    config = {"size": size}
    return run_stage(workspace, "sample", version=1, tables=tables, config=config, inputs=[cleaned], body=body)


def stratified(labels: pl.Series, size: int, seed: int = 0) -> np.ndarray:
    """Row numbers, ascending, of at most `size` rows, every label in its proportion; the same for the same seed."""
    n = len(labels)
    if n <= size:
        return np.arange(n)
    codes = labels.fill_null("").cast(pl.Enum(labels.fill_null("").unique().sort())).to_physical().to_numpy()
    shuffled = np.random.default_rng(seed).permutation(n)
    order = shuffled[np.argsort(codes[shuffled], kind="stable")]
    return np.sort(order[np.linspace(0, n - 1, size).round().astype(np.int64)])


def measure_model(
    spec: Spec, model: str, workspace: Workspace, ingested: StageOutput, cleaned: StageOutput
) -> Compared:
    """One model's row. A model that cannot be had is a row that says why, not the end of the comparison."""
    try:
        variant = spec.model_copy(update={"embed": embed_section(model, spec)})
        started = time.monotonic()
        embedded = embed(variant, workspace, ingested, cleaned)
        seconds = time.monotonic() - started
        samples = cleaned.read("samples").sort("position")
        vectors, has_vector = read_vectors(embedded, samples["content_hash"])
        parameters = parameters_of(variant, workspace, samples["content_hash"])
    except AssayError as error:
        return Compared(model, problem=str(error))
    except ValueError as error:
        return Compared(model, problem=f"not an embedder that assay knows ({error})")
    serves = spec.data.worth
    worth = (serves(samples, vectors, has_vector, embedded) if serves else None) or Worth("", None, None)
    vectors = to_unit_length(np.ascontiguousarray(vectors[has_vector]))
    labels = samples["label"].filter(pl.Series(has_vector, dtype=pl.Boolean))
    accuracy, deviation = probe_accuracy(vectors, labels)
    return Compared(
        model, accuracy, deviation, silhouette(vectors, labels), 1000.0 * seconds / max(1, len(samples)),
        vectors.shape[1], parameters, len(vectors), worth_of=worth.name, worth=worth.value, worth_error=worth.error,
    )  # fmt: skip


def probe_accuracy(vectors: np.ndarray, labels: pl.Series) -> tuple[float | None, float | None]:
    """Out-of-fold accuracy of the linear probe on the labelled rows, and its standard error; None below two classes."""
    codes, rows = coded(labels)
    n_classes = int(codes.max(initial=-1)) + 1
    if n_classes < 2 or len(rows) < 2 * FOLDS:
        return None, None
    problem = probe.Problem(
        features=probe.principal_axes(vectors[rows]),
        row=np.arange(len(rows)),
        label=codes,
        share=np.ones(len(rows)),
        fold=probe.stratified_folds(codes, FOLDS, 0),
        n_classes=n_classes,
        n_folds=FOLDS,
    )
    logits = probe.out_of_fold(problem, probe.choose_penalty(problem, PENALTIES))
    accuracy = float((logits.argmax(axis=1) == codes).mean())
    return accuracy, float(np.sqrt(accuracy * (1.0 - accuracy) / len(rows)))


def silhouette(vectors: np.ndarray, labels: pl.Series) -> float | None:
    """Mean silhouette of the classes by cosine distance, −1 to 1; None where it is not defined."""
    from sklearn.metrics import silhouette_score

    codes, rows = coded(labels)
    even = evenly(len(rows), SILHOUETTE_SAMPLE)  # files stand by class
    rows, codes = rows[even], codes[even]
    if not 2 <= len(np.unique(codes)) < len(rows):
        return None
    return float(silhouette_score(vectors[rows], codes, metric="cosine"))


def coded(labels: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """`(codes, rows)` of the labelled rows; codes count the labels in sorted order."""
    rows = np.flatnonzero(labels.is_not_null().to_numpy())
    _names, codes = np.unique(labels.drop_nulls().to_numpy().astype(str), return_inverse=True)
    return codes.astype(np.int64), rows


def parameters_of(spec: Spec, workspace: Workspace, content_hashes: pl.Series) -> int | None:
    """Number of weights of the model; None where it is no torch model."""
    import torch

    if spec.embed.kind == "vectors" or spec.data.content == "vector" or spec.data.tables:
        return None
    embedder = make_embedder(spec, workspace, content_hashes)
    embedder.load()
    modules = [part for part in vars(embedder).values() if isinstance(part, torch.nn.Module)]
    return sum(weight.numel() for part in modules for weight in part.parameters()) or None


def rank(found: list[Compared]) -> list[Compared]:
    """Best figure first, then silhouette, then the cheaper; what could not be measured last."""
    low = -2.0

    def order(row: Compared) -> tuple[bool, float, float, float, str]:
        figure = low if row.figure[0] is None else row.figure[0]
        separable = low if row.silhouette is None else row.silhouette
        return bool(row.problem), -figure, -separable, row.seconds_per_1000 or 0.0, row.model

    return sorted(found, key=order)


def recommend(ranked: list[Compared]) -> Compared | None:
    """The cheapest model whose figure is within one standard error of the best; None where none was measured."""
    measured = [row for row in ranked if not row.problem]
    best, error = measured[0].figure if measured else (None, 0.0)
    if best is None:
        return None
    good = [row for row in measured if row.figure[0] is not None and row.figure[0] >= best - error]
    return min(good, key=lambda row: (row.seconds_per_1000, row.model))


def table_of(ranked: list[Compared]) -> str:
    """The comparison as text, the recommendation last."""
    serves = [name for name in {row.worth_of for row in ranked} if name]
    head = ("model", *serves, "probe accuracy", "silhouette", "s per 1,000", "dimensions", "parameters")
    rows = [head] + [
        (
            row.model,
            *(_with_error(row.worth, row.worth_error) for _ in serves),
            _with_error(row.probe_accuracy, row.probe_error),
            "–" if row.silhouette is None else f"{row.silhouette:.3f}",
            f"{row.seconds_per_1000:.1f}",
            str(row.dimensions),
            "–" if row.parameters is None else f"{row.parameters:,}",
        )
        for row in ranked
        if not row.problem
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"{row.model}: {row.problem}" for row in ranked if row.problem]
    return "\n".join([*lines, recommendation(ranked)])


def _with_error(value: float | None, error: float | None) -> str:
    return "–" if value is None else f"{value:.3f} ± {error or 0.0:.3f}"


def recommendation(ranked: list[Compared]) -> str:
    """Which model is recommended, and why; or why none is."""
    chosen = recommend(ranked)
    if chosen is None:
        measured = any(not row.problem for row in ranked)
        why = "it takes labels of at least two classes to compare by" if measured else "no model could be measured"
        return f"no recommendation: {why}"
    reason = "the best" if chosen is ranked[0] else f"within a standard error of {ranked[0].model}, at less cost"
    return f"recommended: {chosen.model} ({reason}, on {chosen.n:,} samples)"
