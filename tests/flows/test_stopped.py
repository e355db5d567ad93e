"""A whole command, stopped in the middle of a write or out of disk: one message, nothing half-done, and it goes on."""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.store.snapshots import list_snapshots, verify
from assay.store.workspace import Workspace
from tests.corpus import write_digits
from tests.nightly import DIGITS_SPEC, run_nightly

ROOT = Path(__file__).parents[2]

HELD = """
import sys
import assay.store.files

begin, *arguments = sys.argv[1:]
sync_tree = assay.store.files.sync_tree

def held(root):
    "Everything is written and nothing is moved: say so, and go on when told to."
    if root.name.startswith(begin):
        print("held", flush=True)
        MOMENT
    sync_tree(root)

assay.store.files.sync_tree = held  # before anybody else imports it
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


@pytest.mark.parametrize(("name", "begin"), [("SIGINT", ".clean-"), ("SIGTERM", ".aside-")])
def test_a_stopped_run_says_so_and_leaves_nothing_half_done(spec, name, begin):
    """Ctrl-C in the middle of a stage, SIGTERM in the middle of publishing: status 130."""
    before, number = n_snapshots(spec), getattr(signal, name)
    if begin == ".clean-":
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


START = """
import sys, time
from assay.__main__ import main

class Slow:
    "The import of the stages: says that it has begun, and takes its time, in Python or in C."
    def find_spec(self, name, path=None, target=None):
        if name == "assay.night":
            print("importing", flush=True)
            MOMENT

sys.meta_path.insert(0, Slow())
main()
"""
SWALLOWS = """
            while True:
                try:
                    time.sleep(60)
                except KeyboardInterrupt:
                    pass
"""
COMPUTES = "import ctypes; ctypes.CDLL(None).sleep(60)"  # without the interpreter's lock, as numerical libraries do


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", [SWALLOWS, COMPUTES], ids=["swallows", "computes"])
def test_a_command_that_is_stopped_while_it_starts_says_so_within_two_seconds(spec, moment, number):
    """Whatever an import does with an exception, or does not come back to raise it: one line, status 130."""
    command = [sys.executable, "-c", START.replace("MOMENT", moment), "run", str(spec)]
    process = subprocess.Popen(
        [*command, "--home", str(spec.parent / "home")],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "importing\n"
        process.send_signal(number)
        started = time.monotonic()
        _, stderr = process.communicate(timeout=60)
        assert time.monotonic() - started < 2.5
        assert (process.returncode, stderr) == (130, "assay: stopped; finished work is kept, run again to go on\n")
    finally:
        process.kill()


@pytest.mark.parametrize("seconds", [0.15, 0.3, 0.6, 1.2])
def test_sigterm_at_any_moment_of_the_start_is_one_line(spec, seconds):
    """Before Python runs any code of ours there is no line, as for any program; then there is one, no traceback."""
    command = [sys.executable, "-m", "assay", "run", str(spec), "--home", str(spec.parent / "other")]
    process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(seconds)
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGTERM)
    if process.returncode == 130:
        assert_one_message(stderr, "stopped; finished work is kept, run again to go on")
    else:
        assert stderr == ""


def test_a_home_that_cannot_be_written_is_one_line(spec, monkeypatch, capsys):
    """A read-only file system is no kind of `PermissionError`."""
    import assay.store.lock as lock
    from assay.cli import main

    def refuse(path, *_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr(lock.Path, "mkdir", refuse)
    monkeypatch.setattr(sys, "argv", ["assay", "run", str(spec), "--home", "/read-only"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    assert capsys.readouterr().err == (
        "assay: /read-only/digits: Read-only file system; name another place, or change it\n"
    )
