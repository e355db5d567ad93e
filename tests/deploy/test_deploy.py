"""deploy/: what can be checked of it without a Docker engine."""

import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
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


def pinned(path: Path) -> dict[str, str]:
    """Name → version of a list of requirements; each line of it is `name==version`, with hashes where it is a lock."""
    lines = path.read_text().replace("\\\n", " ").splitlines()
    found = [line.split() for line in lines if line and not line.startswith("#")]
    if path.parent == DEPLOY:
        bare = [
            words[0] for words in found if not all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", w) for w in words[1:])
        ]
        assert bare == [] and all(len(words) > 1 for words in found)
    return {canonical(name): version for name, version in (words[0].split("==") for words in found)}


def canonical(name: str) -> str:
    """A package's name as indexes have it, without extras."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", name)[0]).lower()


def test_every_package_of_the_image_has_its_hashes():
    """What pyproject.toml asks for is there, in the versions that are tested; what builds it too."""
    locked, tested = pinned(DEPLOY / "requirements.txt"), pinned(DEPLOY.parent / "constraints.txt")
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = {canonical(line) for line in [*project["dependencies"], *extras["text"], *extras["s3"]]}
    assert wanted - locked.keys() == set(), "make deploy/requirements.txt again; its first lines say how"
    assert {name: version for name, version in locked.items() if tested.get(name, version) != version} == {}
    builds = pinned(DEPLOY / "build-requirements.txt")
    assert builds.keys() >= {canonical(line) for line in (DEPLOY / "build-requirements.in").read_text().split()}


def test_nothing_is_installed_without_its_hash():
    """But the code of the repository, which builds with what is there already."""
    installs = re.findall(r"pip install (.+?) \\?\n", (DEPLOY / "Dockerfile").read_text())
    assert [("--require-hashes" in line, "--no-deps" in line) for line in installs] == [(True, True)] * 2 + [
        (False, True)
    ]
    assert "--no-build-isolation" in installs[1] and installs[2].endswith("--no-build-isolation --editable .")


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
