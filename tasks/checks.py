"""The comparison of embedders and the self-test as Prefect tasks: as the stages, each one task."""

from dataclasses import asdict
from pathlib import Path
from typing import cast

from prefect.artifacts import create_table_artifact

from assay.contracts.spec import Spec
from assay.selftest.compare import SIZE, Compared, compare_models, recommendation
from assay.selftest.count import Judged
from assay.selftest.run import run_selftest
from assay.store.workspace import Workspace
from tasks.stages import artifact_key, as_task

COMPARE_HOURS = 6
SELFTEST_HOURS = 6


def _compare(spec: Spec, workspace: Workspace, path: Path, models: list[str]) -> list[Compared]:
    """The spec at `path` is read again there; `spec` names the run."""
    return compare_models(path, models, SIZE, workspace.home)


def _selftest(spec: Spec, workspace: Workspace, path: Path) -> list[Judged]:
    return run_selftest(path, workspace.home)


def compare_as_task(spec: Spec, workspace: Workspace, path: Path, models: list[str]) -> list[Compared]:
    """Compare embedders on the spec at `path`: how the flow does it, as its task."""
    return cast(list[Compared], compare_task(spec, workspace, path, models))


def selftest_as_task(spec: Spec, workspace: Workspace, path: Path) -> list[Judged]:
    """Test every detector on the spec at `path`: how the flow does it, as its task."""
    return cast(list[Judged], selftest_task(spec, workspace, path))


def _compare_artifacts(ranked: list[Compared], dataset: str, seconds: float) -> None:
    """The ranked models as a table in the Prefect UI, the recommendation above it."""
    create_table_artifact(
        [asdict(row) for row in ranked],
        key=artifact_key(dataset, "compare"),
        description=f"{recommendation(ranked)}; in {seconds:.0f} s",
    )


def _selftest_artifacts(found: list[Judged], dataset: str, seconds: float) -> None:
    """What each detector found of what was planted, as a table in the Prefect UI."""
    create_table_artifact(
        [asdict(one) | {"precision": one.precision, "recall": one.recall} for one in found],
        key=artifact_key(dataset, "selftest"),
        description=f"Planted into a copy of {dataset}, and found; in {seconds:.0f} s",
    )


compare_task = as_task("compare", _compare, COMPARE_HOURS, _compare_artifacts)
selftest_task = as_task("selftest", _selftest, SELFTEST_HOURS, _selftest_artifacts)
