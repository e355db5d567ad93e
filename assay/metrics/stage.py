"""metrics: every score, from one kNN graph, SQL over the tables, and a linear probe."""

from assay.contracts.spec import Spec
from assay.metrics.measure import TABLES, facts_of, measure
from assay.store.decisions import dismissed_suspicions, read_decisions
from assay.store.files import hash_text
from assay.store.stage import Work, stage
from assay.store.tables import Tables
from assay.store.workspace import Workspace

VERSION = 10


def _reads(spec: Spec) -> tuple[str, ...]:
    return ("samples", *facts_of(spec), "units", "vectors", "neighbors", "duplicates", "leaks")


@stage(version=VERSION, reads=_reads, writes=TABLES, hours=6)
def metrics(spec: Spec, workspace: Workspace, tables: Tables) -> Work:
    """samples, facts, units, vectors, neighbors, duplicates, leaks → scores, label_issues, label_noise, classes,
    groups, group_issues, annotators, consensus, proposals, proposal_quality, dataset_metrics; debiased vectors as files
    in `debiased/` where asked for.

    A suspicion that somebody took back in the explorer is no issue, until the content or the label changes.
    """
    separator = spec.source.label_separator
    now = tables.read("samples", ["sample_id", "content_hash", "label"])
    dismissed = dismissed_suspicions(read_decisions(workspace), now)
    config = {
        "metrics": spec.part("metrics"),
        "thresholds": spec.part("thresholds"),
        "dismissed": hash_text(dismissed.write_json()),
        **({"label_separator": separator} if separator else {}),
    }
    return Work(config, lambda writer: measure(spec, workspace, writer, dismissed, tables))
