"""A whole command, stopped in the middle of a write or out of disk: one message, nothing half-done, and it goes on."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.contracts.errors import AssayError
from assay.store.snapshots import list_snapshots, verify
from assay.store.workspace import Workspace
from flows import prefect_server
from tests.corpus import write_digits
from tests.nightly import DIGITS_SPEC, run_nightly

ROOT = Path(__file__).parents[2]

HELD = """
import sys
import assay.store.stage

begin, *arguments = sys.argv[1:]
sync_tree = assay.store.stage.sync_tree

def held(root):
    "Everything is written and nothing is moved: say so, and go on when told to."
    if root.name.startswith(begin):
        print("held", flush=True)
        MOMENT
    sync_tree(root)

assay.store.stage.sync_tree = held
from assay.cli import main
main(arguments)
"""
FOR_EVER = "__import__('threading').Event().wait()"
UNTIL_TOLD = "sys.stdin.readline()"


@pytest.fixture(scope="module")
def spec(tmp_path_factory) -> Path:
    """A spec over a few digits; `home` beside it is this module's."""
    folder = tmp_path_factory.mktemp("stopped")
    write_digits(folder / "digits", seed=1, n=60)
    (folder / "digits.toml").write_text(DIGITS_SPEC)
    return folder / "digits.toml"


@contextlib.contextmanager
def held_run(spec: Path, begin: str, moment: str, **environment: str) -> Iterator[subprocess.Popen]:
    """`assay run` in a session of its own, at the `moment` when a folder `begin…` is written and not yet moved."""
    code = HELD.replace("MOMENT", moment)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    process = subprocess.Popen(
        [sys.executable, "-c", code, begin, "run", str(spec), "--home", str(spec.parent / "home")],
        cwd=ROOT, env=clean | {"HOME": str(spec.parent)} | environment, start_new_session=True, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        said = process.stdout.readline().strip()
        assert said == "held", process.communicate()[1]
        yield process
    finally:
        process.kill()
        process.communicate()


def assert_one_message(stderr: str, message: str) -> None:
    """The last line is the message; the others are progress."""
    *progress, last = stderr.splitlines()
    assert last.startswith("assay: ") and message in last
    assert not [line for line in progress if line.startswith("assay: ") or "Traceback" in line or "Error" in line]


def assert_goes_on(spec: Path, before: int) -> None:
    """There are the snapshots that were there `before`, all whole, nothing half-done; and the next run publishes."""
    workspace = Workspace(spec.parent / "home", "digits")
    assert len(list_snapshots(workspace)) == before
    parts = [*workspace.work.iterdir(), *(workspace.snapshots.iterdir() if before else ())]
    assert [part.name for part in parts if part.name.startswith(".")] == []
    run_nightly(spec, workspace.home)
    assert [verify(snapshot) for snapshot in list_snapshots(workspace)] == [[]] * (before + 1)


def n_snapshots(spec: Path) -> int:
    """How many are published."""
    return len(list_snapshots(Workspace(spec.parent / "home", "digits")))


@pytest.mark.parametrize(("name", "begin"), [("SIGINT", ".embed-"), ("SIGTERM", ".aside-")])
def test_a_stopped_run_says_so_and_leaves_nothing_half_done(spec, name, begin):
    """Ctrl-C in the middle of a stage, SIGTERM in the middle of publishing: status 130."""
    before, number = n_snapshots(spec), getattr(signal, name)
    if begin == ".embed-":
        shutil.rmtree(spec.parent / "home/digits/work", ignore_errors=True)
    with held_run(spec, begin, FOR_EVER) as process:
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.send_signal(number)
        _, stderr = process.communicate(timeout=120)
        assert process.returncode == 130, stderr
        assert_one_message(stderr, "stopped; finished work is kept, run again to go on")
    assert_goes_on(spec, before)


@pytest.fixture(scope="module")
def full_disk(tmp_path_factory) -> Path:
    """A library to preload: writes find the disk full from a certain moment on, in every process."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("a full disk is played by a small C library under Linux, and there is no compiler `cc`")
    library = tmp_path_factory.mktemp("full") / "full_disk.so"
    command = [compiler, "-shared", "-fPIC", "-o", str(library), str(ROOT / "tests/full_disk.c"), "-ldl"]
    subprocess.run(command, check=True)
    return library


def test_a_disk_that_fills_up_in_the_middle_of_a_run_is_one_message(spec, full_disk, tmp_path):
    """For every process of the command, whoever writes; once there is room the next run publishes."""
    before, flag, home = n_snapshots(spec), tmp_path / "full", spec.parent / "home"
    shutil.rmtree(home / "digits/work", ignore_errors=True)
    variables = {"LD_PRELOAD": str(full_disk), "FULL_WHEN": str(flag), "FULL_BELOW": str(home.resolve())}
    with held_run(spec, ".embed-", UNTIL_TOLD, **variables) as process:
        flag.touch()
        _, stderr = process.communicate("\n", timeout=120)
        assert process.returncode == 1, stderr
        assert_one_message(stderr, f"the disk under {home} is full; nothing half-written was published")
    assert_goes_on(spec, before)


def test_a_server_without_room_for_its_database_is_a_full_disk(tmp_path, monkeypatch):
    """A disk that is full from the start is named, and not the server that could not start on it."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    server = prefect_server.Starting("http://127.0.0.1:9/api", ended, tmp_path)
    with pytest.raises(AssayError, match="did not start"):
        server.wait()
    monkeypatch.setattr(prefect_server.tempfile, "TemporaryFile", lambda **_: open("/dev/full", "wb"))
    with pytest.raises(AssayError, match="is full"):
        server.wait()
