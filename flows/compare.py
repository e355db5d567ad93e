"""`assay compare` as a Prefect flow: embedders on a sample of the spec's own data, ranked, one recommended.

By hand, without a deployment:

    python flows/compare.py SPEC.toml [HOME] [--models A,B]
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])
    from flows.by_hand import main

    sys.exit(main("compare", sys.argv[1:], lists=["models"]))

from flows.lifeline import end_with_parent

end_with_parent()  # before anything slow

from prefect import flow

from flows.served import check_models, open_served


@flow(name="compare", flow_run_name="compare-{dataset}", log_prints=False, validate_parameters=False)
def compare(spec_path: str, home: str = "assay-home", dataset: str = "", models: list[str] | None = None) -> str:
    """Compare embedders on one dataset. Returns the path of the table that is kept, `HOME/DATASET/compare.json`.

    Args:
        models: as in `assay compare`; none are all that work here without a network. A deployment takes these alone,
            and `spec`, for what the spec asks for.

    Raises:
        SpecError: a spec, home, dataset or model that the deployment does not serve.
        AssayError: what stopped the comparison.
    """
    spec, workspace, path = open_served(spec_path, home, dataset)
    chosen = check_models(models or [], spec)
    from tasks.checks import compare_as_task

    compare_as_task(spec, workspace, path, chosen)
    return str(workspace.root / "compare.json")
