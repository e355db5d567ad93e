"""metrics: every score, from one kNN graph, SQL over the tables, and a linear probe."""

from assay.contracts.spec import Spec
from assay.metrics.measure import TABLES, measure
from assay.store.decisions import dismissed_suspicions, read_decisions
from assay.store.stage import StageOutput, Workspace, hash_text, run_stage
from tasks.stages import stage_task

VERSION = 10


@stage_task(timeout_hours=6)
def metrics(
    spec: Spec,
    workspace: Workspace,
    cleaned: StageOutput,
    collapsed: StageOutput,
    embedded: StageOutput,
    indexed: StageOutput,
    duplicates: StageOutput,
) -> StageOutput:
    """samples, facts, units, vectors, neighbors, duplicates, leaks → scores, label_issues, label_noise, classes,
    groups, group_issues, annotators, consensus, proposals, proposal_quality, dataset_metrics; debiased vectors as files
    in `debiased/` where asked for.

    A suspicion that somebody took back in the explorer is no issue, until the content or the label changes.
    """
    separator = spec.source.label_separator
    now = cleaned.read("samples", ["sample_id", "content_hash", "label"])
    dismissed = dismissed_suspicions(read_decisions(workspace), now)
    return run_stage(
        workspace,
        "metrics",
        version=VERSION,
        tables=TABLES,
        config={
            "metrics": spec.part("metrics"),
            "thresholds": spec.part("thresholds"),
            "dismissed": hash_text(dismissed.write_json()),
            **({"label_separator": separator} if separator else {}),
        },
        inputs=(cleaned, collapsed, embedded, indexed, duplicates),
        body=lambda writer: measure(
            spec, workspace, writer, dismissed, cleaned, collapsed, embedded, indexed, duplicates
        ),
    )
