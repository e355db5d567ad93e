"""deploy/: what can be checked of it without a Docker engine."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
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


@pytest.fixture
def services() -> dict[str, dict]:
    """The services of the compose file."""
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


def test_compose_has_authentication_on_and_listens_on_this_machine_only(services):
    """Prefect's server has no authentication by default, and takes every origin."""
    server = services["server"]["environment"]
    assert "PREFECT_SERVER_API_AUTH_STRING" in server and server["PREFECT_SERVER_CSRF_PROTECTION_ENABLED"] == "true"
    assert server["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] == "http://127.0.0.1:4200"
    assert "*" not in server["ASSAY_PREFECT_HOSTS"]
    assert services["server"]["entrypoint"][:2] == ["python", "flows/prefect_server.py"]  # with the guard before it
    assert all(port.startswith("127.0.0.1:") for port in services["server"]["ports"])
    assert [name for name, service in services.items() if "ports" in service] == ["server"]


@pytest.mark.parametrize("name", ["postgres", "server", "deploy", "worker"])
def test_every_service_is_closed(services, name):
    """No right of root's, none to be had, a root that is read-only, limits, and a check of its health."""
    service = services[name]
    assert service["cap_drop"] == ["ALL"] and "cap_add" not in service and not service.get("privileged")
    assert service["security_opt"] == ["no-new-privileges:true"] and service["read_only"] is True
    assert service["mem_limit"] and service["pids_limit"] and service["healthcheck"]["test"]
    assert not service["healthcheck"].get("disable")
    assert all(mount.endswith(":ro") for mount in service.get("volumes", []) if mount.startswith((".", "/", "$")))
    assert len(services) == 4


def test_every_image_has_an_exact_version(services):
    """As far as a tag can say it."""
    bases = re.findall(r"^(?:ARG BASE=|FROM )(\S+)", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    images = [base for base in bases if base != "${BASE}"] + [services["postgres"]["image"]]
    assert len(images) == 2 and all(re.fullmatch(r"[a-z]+:\d+\.\d+(\.\d+)?-[a-z-]+", image) for image in images)


def test_no_failure_is_hidden():
    """A step that fails fails; nothing goes on after it."""
    for path in DEPLOY.rglob("*"):
        if path.is_file():
            text = path.read_text()
            assert "|| true" not in text and "|| :" not in text and "change-me" not in text
    command = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["deploy"]
    assert command["entrypoint"] == ["sh", "-ec"]


def test_without_passwords_nothing_starts():
    """Every use of one refuses an empty one, and the example brings none."""
    text = (DEPLOY / "compose.yaml").read_text()
    for name in ("POSTGRES_PASSWORD", "PREFECT_AUTH"):
        assert set(re.findall(rf"\$\{{{name}(..)", text)) == {":?"}
        assert f"\n{name}=\n" in "\n" + (DEPLOY / "env.example").read_text()


def test_a_password_may_hold_any_character(services):
    """Prefect itself puts the parts together; what comes out names the database with that very password."""
    named = {key: value for key, value in services["server"]["environment"].items() if "_DATABASE_" in key}
    password = "p@ss:wo/rd%40 #?$&"
    variables = {key: password if value.startswith("${") else value for key, value in named.items()}
    assert len(variables) == 5 and password in variables.values()
    said = subprocess.run(
        [sys.executable, "-c", "from prefect.settings import get_current_settings as settings\n"
         "from sqlalchemy import make_url\nimport json\n"
         "url = make_url(settings().server.database.connection_url.get_secret_value())\n"
         "print(json.dumps([url.drivername, url.username, url.password, url.host, url.database]))"],
        env=os.environ | variables, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert json.loads(said) == ["postgresql+asyncpg", "prefect", password, "postgres", "prefect"]


def test_the_code_in_the_image_is_not_its_users():
    """It belongs to root; the user owns its home alone."""
    last = (DEPLOY / "Dockerfile").read_text().split("FROM ")[-1]
    assert "--chown" not in last and re.findall(r"chown (?:-R )?\S+ (.+)", last) == ["/srv/assay/home"]
    assert "\nUSER assay\n" in last and "HEALTHCHECK" in last


def test_every_variable_of_compose_is_in_the_example():
    """`cp env.example .env` names all that is asked for."""
    asked = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    lines = (DEPLOY / "env.example").read_text().splitlines()
    assert asked == {line.split("=")[0] for line in lines if not line.startswith("#")}


def test_the_image_copies_every_package():
    """A package that pyproject.toml installs is in the Dockerfile."""
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    for package in ("assay", "data_contracts", "tasks", "flows"):
        assert f"COPY {package} {package}" in dockerfile
