"""What a deployment serves, and nothing else: the specs, the home and the dataset that a run may name.

Whoever reaches Prefect's API can start a run with parameters of his own. So the flow asks here before it opens a file:
the process that serves says in its own environment what that is, which no request can change. A deployment that was
made otherwise serves what its own parameters say.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.contracts.errors import SpecError

if TYPE_CHECKING:
    from assay.contracts.spec import Spec
    from assay.store.workspace import Workspace

SERVED = "ASSAY_SERVED"


def served(specs: Iterable[Path], home: Path) -> dict[str, str]:
    """The environment of a process that serves these specs, or those in these folders."""
    return {SERVED: json.dumps({"specs": [absolute(spec) for spec in specs], "home": absolute(home)})}


def check_served(spec_path: str, home: str, dataset: str, deployed: dict[str, Any] | None = None) -> str:
    """The spec's path, as it may be opened; refused is what this process, or else the deployment with the parameters
    `deployed`, does not serve.

    Raises:
        SpecError: another spec, home or dataset. No file was looked at.
    """
    given = os.environ.get(SERVED)
    if given is not None:
        allowed = json.loads(given)
        specs, homes = [Path(spec) for spec in allowed["specs"]], allowed["home"]
        path = Path(absolute(spec_path))
        if not any(path == spec or (spec in path.parents and path.suffix == ".toml") for spec in specs):
            raise SpecError(f"{spec_path!r:.200} is not served here; served are {allowed['specs']}")
        if absolute(home) != homes:
            raise SpecError(f"the home {home!r:.200} is not served here; served is {homes}")
    for name, value in {"spec_path": spec_path, "home": home, "dataset": dataset}.items():
        if deployed is not None and deployed.get(name, value) != value:
            raise SpecError(f"{name} = {value!r:.200} is not what this deployment serves, {deployed[name]!r}")
    return absolute(spec_path)


def open_served(spec_path: str, home: str, dataset: str) -> tuple["Spec", "Workspace", Path]:
    """The spec and the workspace that a run names, and the spec's path, once they are known to be served.

    The imports stand here because Prefect's runner, too, loads the flows, when a run has died.

    Raises:
        SpecError: what is not served, or a spec that is wrong.
    """
    path = Path(check_served(spec_path, home, dataset, deployment_parameters()))
    from assay.contracts.spec import load_spec
    from assay.remote.address import local_home
    from assay.store.workspace import Workspace

    spec = load_spec(path)
    check_served(str(path), home, dataset, {"dataset": spec.name} if dataset else None)
    return spec, Workspace(local_home(home).resolve(), spec.name), path


def check_models(models: list[str], spec: "Spec") -> list[str]:
    """The models of a comparison. One that is served names no folder and no address: what works here, and the spec's.

    Raises:
        SpecError: another one.
    """
    from prefect.runtime import deployment

    from assay.embedders.catalog import works_here

    if os.environ.get(SERVED) is not None or deployment.id is not None:
        allowed = [*works_here(spec), "spec"]
        for model in models:
            if model not in allowed:
                raise SpecError(f"the model {model!r:.200} is not served here; served are {allowed}")
    return models


def absolute(path: str | Path) -> str:
    """The path from the root, without `..`; links are not followed."""
    return os.path.abspath(path)


def deployment_parameters() -> dict[str, Any] | None:
    """The parameters of the deployment that the run at hand is of; none outside of one."""
    from prefect import get_client
    from prefect.runtime import deployment

    if deployment.id is None:
        return None
    with get_client(sync_client=True) as client:
        return client.read_deployment(deployment.id).parameters
