"""The command line: quick to start, one message for a mistake, results on standard output."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

import polars as pl
import pytest
from click.testing import CliRunner

from assay.cli import main
from assay.store.workspace import Workspace
from tests.snapshot_builder import publish_toy

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A home with two snapshots of `toy`."""
    home = tmp_path_factory.mktemp("home")
    publish_toy(Workspace(home, "toy"), ["a"], [("a", "dark", 0.9, True)])
    publish_toy(Workspace(home, "toy"), ["a", "=1+1"], [("a", "dark", 0.2, False)])
    return home


def assay(home: Path, *arguments: str):
    """A command in this process; the settings it makes for Prefect do not outlive it."""
    with mock.patch.dict(os.environ):
        return CliRunner().invoke(main, [*arguments, "--home", str(home)])


def test_help_and_query_import_nothing_slow():
    """Start-up is felt at every call: the command line itself loads none of the heavy packages."""
    code = (
        "import sys, assay.cli, assay.store.snapshots\n"
        "slow = {'torch', 'prefect', 'polars', 'pyarrow', 'numpy', 'duckdb', 'starlette'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


OF_A_NIGHT = {"torch", "umap", "numba", "prefect", "sqlalchemy", "sklearn", "scipy"}


def loaded(lines) -> set[str]:
    """The packages whose modules `-X importtime` tells of; it names those, too, that could not be imported."""
    names = [line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")]
    return {name.partition(".")[0] for name in names if "." in name}


def test_a_query_loads_nothing_of_a_night(home):
    """DuckDB answers it."""
    command = [sys.executable, "-X", "importtime", "-m", "assay", "query", "toy", "select 1", "--home", str(home)]
    packages = loaded(subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines())
    assert "duckdb" in packages and not packages & (OF_A_NIGHT | {"polars", "pyarrow", "numpy"})


def test_the_explorer_loads_nothing_of_a_night(home):
    """Until it gives its link; dataframely alone would take SQLAlchemy along."""
    command = [sys.executable, "-X", "importtime", "-m", "assay", "explore", "toy", "--no-browser", "--home", str(home)]
    lines = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        for line in server.stderr:
            lines.append(line)
            if "http://" in line:
                server.terminate()
    assert "http://" in "".join(lines)
    assert "polars" in loaded(lines) and not loaded(lines) & OF_A_NIGHT


def test_a_night_loads_torch_when_it_needs_it():
    """The list of stages loads none: an unchanged night trains nothing and fits nothing."""
    heavy = "{'torch', 'umap', 'numba', 'prefect', 'sqlalchemy', 'sklearn'}"
    code = f"import sys, assay.night\nassert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_command_is_in_the_readme_and_has_help():
    """A command that nobody can find is not there."""
    text = README.read_text()
    for name, command in main.commands.items():
        assert f"assay {name}" in text, name
        assert command.help, name


def test_every_option_that_the_readme_names_is_there():
    """Its list of commands is true, option by option."""
    lines = re.findall(r"^assay (\w+) (.*)$", README.read_text(), re.M)
    named = [(name, option) for name, rest in lines for option in re.findall(r"--[\w-]+", rest)]
    assert len(named) >= 10
    for name, option in named:
        assert option in {spelling for parameter in main.commands[name].params for spelling in parameter.opts}, option


def test_snapshots_are_listed_with_their_numbers(home):
    """One line a version."""
    lines = assay(home, "snapshots", "toy").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["v00000001", "v00000002"]
    assert "n_samples=2" in lines[1]


@pytest.mark.parametrize("output", ["csv", "json", "parquet", "table"])
def test_a_query_answers_in_every_format(home, output):
    """The same rows, whatever they are written as."""
    sql = "select sample_id from samples order by position"
    result = assay(home, "query", "toy", sql, "--format", output)
    assert result.exit_code == 0
    if output == "csv":
        assert result.stdout == 'sample_id,assay_escaped\na,\n\'=1+1,"[""sample_id""]"\n'
    elif output == "json":
        assert [json.loads(line)["sample_id"] for line in result.stdout.splitlines()] == ["a", "=1+1"]
    elif output == "parquet":
        assert pl.read_parquet(io.BytesIO(result.stdout_bytes))["sample_id"].to_list() == ["a", "=1+1"]
    else:
        assert "=1+1" in result.stdout


def test_a_query_can_ask_an_older_snapshot(home):
    """--snapshot N."""
    result = assay(home, "query", "toy", "select count(*) as n from samples", "--snapshot", "1", "--format", "csv")
    assert result.stdout == "n\n1\n"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["query", "toy", "select * from nothing"], 2, "the query failed"),
        (["query", "tyo", "select 1"], 1, "there are datasets ['toy']"),
        (["query", "../toy", "select 1"], 2, "is not a dataset's name"),
        (["run", "none.toml"], 2, "no spec file"),
        (["diff", "toy", "1"], 2, "compares two versions"),
        (["verify", "toy", "--snapshot", "9"], 1, "there are [1, 2]"),
        (["gc", "toy", "--keep", "0"], 2, "0 is not in the range"),
    ],
)
def test_a_mistake_is_one_message_and_a_status(home, arguments, status, message):
    """No traceback; the status says whose fault it is."""
    result = assay(home, *arguments)
    assert result.exit_code == status
    assert message in result.stderr and "Traceback" not in result.output


def test_a_home_that_cannot_be_is_one_message(tmp_path):
    """A home below a file; no traceback."""
    (tmp_path / "file").touch()
    spec = tmp_path / "spec.toml"
    spec.write_text('name = "x"\nmodality = "text"\n[source]\nkind = "table"\npath = "x.csv"\n')
    result = assay(tmp_path / "file" / "home", "run", str(spec))
    assert result.exit_code == 1 and "Not a directory" in result.stderr and "Traceback" not in result.output


def test_diff_prints_what_changed(home):
    """The newest two by default."""
    assert assay(home, "diff", "toy").stdout.splitlines() == [
        "sample_id\tchange\tmetric\twas_id\twas_label",
        "=1+1\tadded\t-\t\t",
        "a\tresolved\tdark\t\t",
    ]


def test_a_query_is_locked_unless_it_is_told_otherwise(home, tmp_path):
    """Other files and other statements need a word more."""
    own = tmp_path / "own.csv"
    own.write_text("a\n1\n")
    for sql in (f"select * from read_csv('{own}')", f"copy (select 1 as b) to '{tmp_path}/out.csv'"):
        refused = assay(home, "query", "toy", sql)
        assert refused.exit_code == 2 and "--unlocked" in refused.stderr
        assert assay(home, "query", "toy", sql, "--unlocked").exit_code == 0
    assert assay(home, "query", "toy", f"select * from read_csv('{own}')", "--allow", str(own)).exit_code == 0
    assert (tmp_path / "out.csv").read_text() == "b\n1\n"


def test_a_csv_runs_nothing_in_a_spreadsheet(home):
    """A cell that is a formula is escaped, and said to be; names that begin with a sign are left as they are."""
    sql = "select * from (values ('=1+1'), ('-1'), ('@home'), ('=cmd|x')) as t(cell)"
    rows = pl.read_csv(io.StringIO(assay(home, "query", "toy", sql, "--format", "csv").stdout), infer_schema=False)
    assert rows["cell"].to_list() == ["'=1+1", "-1", "@home", "'=cmd|x"]
    assert rows["assay_escaped"].is_not_null().to_list() == [True, False, False, True]


def test_verify_looks_at_the_catalog(home, tmp_path):
    """A byte of it that rots is found, and what to do is said."""
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    catalog = copy / "toy" / "catalog.duckdb"
    stat = catalog.stat()
    catalog.write_bytes(bytes(stat.st_size))
    os.utime(catalog, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    found = assay(copy, "verify", "toy")
    assert found.exit_code == 1 and "catalog.duckdb" in found.stdout and "remove" in found.stderr
    catalog.unlink()
    assert assay(copy, "verify", "toy").exit_code == 0


def test_verify_says_whole(home):
    """And exits 0."""
    result = assay(home, "verify", "toy")
    assert result.exit_code == 0 and result.stdout.endswith(": whole\n")


def test_report_prints_a_path_that_is_there(home):
    """The path can be given to a browser."""
    assert Path(assay(home, "report", "toy").stdout.strip()).is_file()


def test_gc_names_what_would_go(home):
    """--dry-run removes nothing."""
    result = assay(home, "gc", "toy", "--keep", "1", "--dry-run")
    assert result.stdout.splitlines()[0].endswith("v00000001")
    assert (home / "toy" / "snapshots" / "v00000001").is_dir()


def test_home_comes_from_the_environment(home):
    """ASSAY_HOME, as --home."""
    environment = os.environ | {"ASSAY_HOME": str(home)}
    command = [sys.executable, "-m", "assay.cli", "snapshots", "toy"]
    assert subprocess.run(command, env=environment, capture_output=True, check=True).stdout.count(b"\n") == 2
