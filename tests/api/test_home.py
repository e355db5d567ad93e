"""One home, however it is named: on the command line, in Python, in the environment."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import assay
from assay.api import home_of
from assay.cli import main
from assay.contracts.errors import SpecError
from assay.store.workspace import Workspace
from tests.snapshot_builder import publish_toy


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    """A user's home, and another folder that we are in."""
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "me"


def test_a_tilde_is_the_users_home_for_all(elsewhere, monkeypatch):
    """No shell spells it out in `--home=~/data`, nor in the variable of a service; no folder is called so."""
    publish_toy(Workspace(elsewhere / "data", "toy"), ["a"])
    assert assay.open("toy", home="~/data").path == elsewhere / "data" / "toy" / "snapshots" / "v00000001"
    for how in (["--home=~/data"], []):
        monkeypatch.setenv("ASSAY_HOME", "~/data")
        found = CliRunner().invoke(main, ["report", "toy", *how])
        assert found.stdout.strip() == str(elsewhere / "data" / "toy" / "snapshots" / "v00000001" / "report.html")
    assert home_of(None) == elsewhere / "data" and list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("home, said", [
    ("~nobody-of-this-name/x", "no such user is known here"), ("ftp://example.com/x", "ftp:// was given"),
])  # fmt: skip
def test_a_home_that_is_none_is_refused_by_all(elsewhere, home, said):
    """In one message, and status 2."""
    with pytest.raises(SpecError, match=said):
        home_of(home)
    found = CliRunner().invoke(main, ["datasets", "--home", home])
    assert found.exit_code == 2 and said in found.stderr and list(Path.cwd().iterdir()) == []
