"""`assay selftest` as a Prefect flow: defects planted into a copy of the spec's own data, and what is found.

By hand, without a deployment:

    python flows/selftest.py SPEC.toml [HOME]
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])
    from flows.by_hand import main

    sys.exit(main("selftest", sys.argv[1:]))

from flows.lifeline import end_with_parent

end_with_parent()  # before anything slow

from prefect import flow

from flows.served import open_served


@flow(name="selftest", flow_run_name="selftest-{dataset}", log_prints=False, validate_parameters=False)
def selftest(spec_path: str, home: str = "assay-home", dataset: str = "") -> str:
    """Test every detector on one dataset. Returns the folder of the tables that are kept, `HOME/DATASET/selftest`.

    Raises:
        SpecError: a spec, home or dataset that the deployment does not serve; or there is nothing to plant.
        AssayError: what stopped the test.
    """
    spec, workspace, path = open_served(spec_path, home, dataset)
    from tasks.checks import selftest_as_task

    selftest_as_task(spec, workspace, path)
    return str(workspace.root / "selftest")
