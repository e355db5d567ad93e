"""deploy/: what can be checked of it without a Docker engine."""

import importlib
import re
from pathlib import Path

import yaml

from assay.contracts.spec import load_spec

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_every_deployment_names_its_flow_and_its_parameters():
    """An entrypoint that imports, parameters that the flow has, one schedule."""
    deployments = yaml.safe_load((DEPLOY / "prefect.yaml").read_text())["deployments"]
    assert [d["name"] for d in deployments] == ["nightly", "manual", "compare", "selftest"]
    for deployment in deployments:
        path, function = deployment["entrypoint"].split(":")
        assert (DEPLOY.parent / path).exists()
        flow = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), function)
        assert set(deployment["parameters"]) == set(flow.parameters.properties) - {"models"}
    assert [len(d["schedules"]) for d in deployments] == [1, 0, 0, 0]


def test_the_example_spec_is_valid():
    """The spec that the deployment names loads and has its name."""
    parameters = yaml.safe_load((DEPLOY / "prefect.yaml").read_text())["deployments"][0]["parameters"]
    assert load_spec(DEPLOY / "specs" / Path(parameters["spec_path"]).name).name == parameters["dataset"]


def test_compose_has_authentication_on_and_listens_on_this_machine_only():
    """Prefect's server has no authentication by default."""
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert "PREFECT_SERVER_API_AUTH_STRING" in services["server"]["environment"]
    assert all(port.startswith("127.0.0.1:") for port in services["server"]["ports"])
    assert "ports" not in services["postgres"]


def test_every_variable_of_compose_is_in_the_example():
    """`cp env.example .env` names all that is asked for."""
    asked = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    given = {line.split("=")[0] for line in (DEPLOY / "env.example").read_text().splitlines()}
    assert asked == given


def test_the_image_copies_every_package():
    """A package that pyproject.toml installs is in the Dockerfile."""
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    for package in ("assay", "data_contracts", "tasks", "flows"):
        assert f"COPY {package} {package}" in dockerfile
