"""metrics: every score, from one kNN graph, SQL over the tables, and a linear probe. Thresholds and decisions are
applied later, in `judge`, so changing them trains nothing."""

import tempfile
from pathlib import Path

from assay.contracts.metrics import from_outside
from assay.contracts.spec import Spec
from assay.metrics.corpus import read_corpus
from assay.metrics.inputs import Inputs
from assay.metrics.sql import Relation
from assay.store.files import hash_text
from assay.store.predictions import read_predictions
from assay.store.stage import StageWriter, Work, stage, write_rows
from assay.store.tables import Tables
from assay.store.workspace import Workspace

VERSION = 32
WRITES = (
    "measures",
    "label_findings",
    "label_noise",
    "class_flags",
    "class_measures",
    "group_measures",
    "annotators",
    "consensus",
    "proposals",
    "proposal_quality",
    "dataset_measures",
)


def facts_of(spec: Spec) -> tuple[str, ...]:
    """The tables of facts of such data."""
    return spec.data.fact_tables()


def captions_of(spec: Spec) -> tuple[str, ...]:
    """The table of the captions' vectors, where samples have captions."""
    return ("caption_vectors",) if spec.data.face.caption else ()


def _reads(spec: Spec) -> tuple[str, ...]:
    return ("samples", *facts_of(spec), "units", "vectors", "neighbors", "copies", "leaks", *captions_of(spec))


@stage(version=VERSION, reads=_reads, writes=WRITES, hours=6)
def metrics(spec: Spec, workspace: Workspace, tables: Tables) -> Work:
    """samples, facts, units, vectors, neighbors, copies, leaks → measures, label_findings, label_noise,
    class_flags, class_measures, group_measures, annotators, consensus, proposals, proposal_quality, dataset_measures;
    debiased vectors as files in `debiased/` where asked for."""

    brought = read_predictions(workspace) if spec.data.measures else None

    def body(writer: StageWriter) -> None:
        from assay.metrics.measure import measure  # torch: not in a night that measured this already
        from assay.metrics.warm import Memory

        brought_in: dict[str, Relation] = {
            name: parts for name in (*facts_of(spec), *captions_of(spec)) if (parts := tables.parts(name))
        }
        brought_in |= {name: tables.read(name) for name in ("copies", "leaks")}
        workspace.work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=workspace.work, prefix=".metrics-sql-") as spill:
            corpus = read_corpus(tables)
            memory = Memory(workspace.facts / "probe", corpus.embedder)
            inputs = Inputs(spec, corpus, brought_in, Path(spill), brought, memory)
            for name, frame in measure(inputs, workspace.facts / "reference", writer).items():
                write_rows(writer, name, frame)
            memory.forget_others()

    separator, others = spec.source.label_separator, {metric.name: metric.version for metric in from_outside()}
    config = {
        "metrics": spec.part("metrics"),
        **({"label_separator": separator} if separator else {}),
        **({"from_outside": others} if others else {}),
        **({"predictions": hash_text(brought.write_json())} if brought is not None else {}),
    }
    return Work(config, body)
