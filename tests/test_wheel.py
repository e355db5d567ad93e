"""The wheel: one name in site-packages, and a command that no folder of the user's gets in the way of."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPEC = 'name = "t"\nmodality = "text"\n[source]\nkind = "table"\npath = "t.csv"\n[project]\nmethods = ["pca"]\n'
HOSTILE = "raise SystemExit('a folder of the user was taken for ours')\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True)
    return next(folder.glob("assay-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The wheel unpacked, as pip does, into a folder of its own."""
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def test_it_puts_one_name_into_site_packages(wheel):
    """`assay`, and what pip notes about it."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"assay"}
    for needed in ("py.typed", "explorer/static/app.js", "report/report.html", "_rim/flows/quality_snapshot.py",
                   "_rim/tasks/stages.py", "_rim/data_contracts/spec.schema.json"):  # fmt: skip
        assert f"assay/{needed}" in names


def test_a_night_in_a_folder_of_the_same_names(installed, tmp_path):
    """The command runs from the wheel where `flows/`, `tasks/`, `explorer/` and `assay/` are the user's own."""
    for name in ("flows", "tasks", "explorer", "assay", "data_contracts"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(HOSTILE)
    rows = "".join(f"the {'bill' if i % 2 else 'rain'} of day {i},{'pay' if i % 2 else 'weather'}\n" for i in range(40))
    (tmp_path / "t.csv").write_text("text,label\n" + rows)
    (tmp_path / "t.toml").write_text(SPEC)
    script = tmp_path / "bin" / "assay"  # as pip writes it: its own folder is first on the path, not the working one
    script.parent.mkdir()
    script.write_text("from assay.cli import command_line\ncommand_line()\n")
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    for words in (["run", "t.toml"], ["query", "t", "select count(*) as n from samples", "--format", "csv"]):
        done = subprocess.run(
            [sys.executable, str(script), *words], cwd=tmp_path, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["n", "40"]


def test_the_rim_is_carried(installed, tmp_path):
    """Prefect's process begins its path inside the wheel, with the user's folders not on it."""
    code = (
        "from assay.rim import rim, rim_environment\nimport subprocess, sys\n"
        "print(rim())\n"
        "show = 'import flows.quality_snapshot as q, tasks.stages as t; print(q.__file__); print(t.__file__)'\n"
        "print(subprocess.run([sys.executable, '-c', show], env=rim_environment(), capture_output=True, text=True))"
    )
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "__init__.py").write_text(HOSTILE)
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    command = [sys.executable, "-P", "-c", code]
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[0] == str(installed / "assay" / "_rim")
    assert said.count(str(installed / "assay" / "_rim")) == 3, said
