"""A run can name only what its process, or its deployment, serves."""

from pathlib import Path

import pytest

from assay.contracts.errors import SpecError
from flows.served import check_served, served

DEPLOYED = {"spec_path": "/srv/pets.toml", "home": "/srv/home", "dataset": "pets"}


@pytest.fixture(params=["files", "folders"])
def serving(request, monkeypatch):
    """A process that serves one spec, or all in one folder."""
    specs = [Path("/srv/specs/pets.toml") if request.param == "files" else Path("/srv/specs")]
    for name, value in served(specs, Path("/srv/home")).items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("path", ["/srv/specs/pets.toml", "/srv/specs/./pets.toml", "/srv/specs/x/../pets.toml"])
def test_what_is_served_passes(serving, path):
    """And comes back as it may be opened, without the ways round that the file system would follow."""
    assert check_served(path, "/srv/home", "pets") == "/srv/specs/pets.toml"


@pytest.mark.parametrize(
    ("path", "home"),
    [
        ("/home/eve/evil.toml", "/srv/home"),
        ("/srv/specs/../evil.toml", "/srv/home"),
        ("/srv/specs/pets.toml/../../evil.toml", "/srv/home"),
        ("/srv/specs-of-eve/pets.toml", "/srv/home"),
        ("/srv/specs/key.pem", "/srv/home"),
        ("pets.toml", "/srv/home"),
        ("", "/srv/home"),
        ("/srv/specs/pets.toml", "/home/eve"),
        ("/srv/specs/pets.toml", "/srv/home/../other"),
        ("/srv/specs/pets.toml", ""),
    ],
)
def test_what_is_not_served_is_refused(serving, path, home):
    """Another spec, another home, a file that is none; nothing was opened."""
    with pytest.raises(SpecError, match="is not served here"):
        check_served(path, home, "pets")


@pytest.mark.parametrize(
    ("name", "value"), [("spec_path", "/home/eve/evil.toml"), ("home", "/tmp"), ("dataset", "cars")]
)
def test_a_deployment_serves_its_own_parameters(monkeypatch, name, value):
    """Where no process of ours says what it serves: on another's worker."""
    monkeypatch.delenv("ASSAY_SERVED", raising=False)
    check_served(**DEPLOYED, deployed=DEPLOYED)
    with pytest.raises(SpecError, match=f"{name} = .* is not what this deployment serves"):
        check_served(**DEPLOYED | {name: value}, deployed=DEPLOYED)


def test_without_a_deployment_everything_is_served(monkeypatch):
    """A flow that its owner starts by hand."""
    monkeypatch.delenv("ASSAY_SERVED", raising=False)
    assert check_served("/home/me/pets.toml", "home", "") == "/home/me/pets.toml"
