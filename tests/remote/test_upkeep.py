"""gc, verify, push and the commands on a home in a bucket."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import assay
from assay.cli import main
from assay.contracts.errors import StoreError
from assay.remote.home import collect_store, fetch, problems_in_store, store_of
from assay.remote.push import push_home
from assay.store.lock import dataset_lock
from assay.store.snapshots import snapshot_numbers
from assay.store.workspace import Workspace
from benchmarks.hardening.common import write_tiny
from tests.remote.conftest import SECRET
from tests.remote.night import night, publishing, seen
from tests.snapshot_builder import publish_toy


def keys(workspace: Workspace, folder: str) -> set[str]:
    """What the store has."""
    return {one.key for one in store_of(workspace.home).below(f"toy/{folder}")}


def test_gc_removes_what_no_document_names(machine):
    """Old snapshots at once from sight, their files after the grace period; those of others never."""
    workspace = machine("a")
    for number in range(3):
        night(workspace, ["a", f"b{number}"])
    store = store_of(workspace.home)
    store.put("toy/objects/" + "0" * 64, b"orphan")
    before = keys(workspace, "objects")
    assert collect_store(workspace, 1, None, 24.0, dry_run=True) == [f"toy/snapshots/v0000000{n}.json" for n in (1, 2)]
    assert len(keys(workspace, "snapshots")) == 3
    collect_store(workspace, 1, None, 24.0)
    assert keys(workspace, "snapshots") == {"toy/snapshots/v00000003.json"}
    assert keys(workspace, "objects") == before
    assert seen(machine("r")) == {3: ["a", "b2"]}
    gone = collect_store(workspace, 1, None, -1.0)  # an hour later
    assert "toy/objects/" + "0" * 64 in gone
    assert not keys(workspace, "removed")
    assert keys(workspace, "objects") < before
    assert seen(machine("another")) == {3: ["a", "b2"]}
    assert problems_in_store(machine("another"), 3) == []
    assert night(workspace, ["a", "b0"]).number == 4


def test_gc_while_others_read_and_publish(machine):
    """Whoever reads ends well, and what is published is whole."""
    publisher, collector = machine("a"), machine("gc")
    readers = [machine(f"r{number}") for number in range(6)]
    night(publisher, ["a"])
    with publishing(publisher, 5) as done:
        while not done.is_set() and readers:
            with dataset_lock(collector):
                collect_store(collector, 1, None, 0.0)
            assert all(ids[0] == "a" for ids in seen(readers.pop()).values())
    assert seen(machine("last"))[6] == ["a", "b4"]
    assert problems_in_store(machine("last"), 6) == []


def test_verify_names_what_is_wrong_in_the_store(machine):
    """Missing objects, other sizes, other bytes; and push puts back what is missing."""
    workspace = machine("a")
    night(workspace, ["a", "b"])
    assert problems_in_store(workspace, 1) == []
    store = store_of(workspace.home)
    files = sorted(store.below("toy/objects"), key=lambda one: one.size)
    store.put(files[-1].key, b"x" * files[-1].size)
    assert ["is not what was written there" in problem for problem in problems_in_store(workspace, 1)] == [True]
    store.delete([files[-1].key])
    store.put(files[-2].key, b"x")
    found = problems_in_store(workspace, 1)
    assert any("missing in the store" in problem for problem in found)
    assert any("1 bytes in the store" in problem for problem in found)


def test_push_sends_a_home_that_is_a_folder(machine, tmp_path, url):
    """Once; and not over another's."""
    home = Workspace(tmp_path / "home", "toy")
    for ids in (["a"], ["a", "b"]):
        publish_toy(home, ids)
    assert push_home(home, [1, 2], url) == [1, 2]
    assert push_home(home, [1, 2], url) == []
    assert seen(machine("r")) == {1: ["a"], 2: ["a", "b"]}
    store = store_of(machine("r").home)
    largest = max(store.below("toy/objects"), key=lambda one: one.size)
    store.delete([largest.key])
    assert push_home(home, [1, 2], url) == []
    assert problems_in_store(machine("r"), 2) == []
    other = Workspace(tmp_path / "other", "toy")
    publish_toy(other, ["z"])
    with pytest.raises(StoreError, match="has another v00000001"):
        push_home(other, [1], url)
    assert not (home.root / ".remote" / "state").exists()


def run(*arguments: str) -> str:
    """A command of this process, which must end well; what it printed."""
    done = CliRunner().invoke(main, list(arguments))
    assert done.exit_code == 0, done.output
    return done.output


def test_the_commands_and_a_fresh_machine(url, proxy, tmp_path, monkeypatch):
    """A real night; an unchanged one elsewhere computes and sends nothing; and nobody finds a credential."""
    write_tiny(tmp_path / "data")
    spec, home = str(tmp_path / "data" / "spec.toml"), ["--home", url]
    command = [sys.executable, "-m", "assay", "run", spec, *home]
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    made = {path.name for path in Path(first.stdout.strip()).parents[1].glob("work/*")}
    before = proxy.puts()
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "elsewhere"))
    second = subprocess.run(command, capture_output=True, text=True, check=True)
    folder = Path(second.stdout.strip()).parents[1]
    assert folder.is_relative_to(tmp_path / "elsewhere")
    new = {path.name for path in folder.glob("work/*")} - made
    assert {name.split("-")[0] for name in new} <= {"drift", "judge"}  # which look at the night before
    assert proxy.puts() - before <= 2
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path / "third"))
    assert "60" in run("query", "tiny", "select count(*) from samples", "--format", "csv", *home)
    assert run("snapshots", "tiny", *home).count("v0000000") == 2
    assert "tiny" in run("datasets", *home)
    assert "whole" in run("verify", "tiny", *home)
    assert run("report", "tiny", *home).strip().endswith("v00000002/report.html")
    assert any((Path(line) / "catalog.duckdb").is_file() for line in run("pull", "tiny", *home).splitlines())
    run("diff", "tiny", *home)
    assert assay.open("tiny", home=url).number == 2
    assert assay.datasets(home=url)["samples"].to_list() == [60]
    run("gc", "tiny", "--keep", "1", *home)
    assert assay.open("tiny", home=url).number == 2
    assert snapshot_numbers(Path(run("report", "tiny", *home).strip()).parents[1]) == [2]
    said = (first.stdout + first.stderr + second.stdout + second.stderr).encode()
    texts = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    bucket = store_of(Path(run("report", "tiny", *home).strip()).parents[3])
    texts += [said, *(bucket.get(one.key) for one in bucket.below("tiny"))]
    assert not any(secret.encode() in text for text in texts for secret in (SECRET, "AKIATESTTESTTEST"))


@pytest.mark.parametrize(
    "command", [["query", "toy", "select 1"], ["snapshots", "toy"], ["datasets"], ["verify", "toy"]]
)
def test_a_missing_bucket_and_dataset_are_told(proxy, url, command):
    """One line, status not 0, and no folder that looks like a home."""
    done = CliRunner().invoke(main, [*command, "--home", "s3://no-such-bucket/x"])
    assert done.exit_code == 1
    assert done.output.count("\n") == 1
    assert "there is no bucket 'no-such-bucket'" in done.output
    if command[-1] != "datasets":
        done = CliRunner().invoke(main, [*command, "--home", url])
        assert done.exit_code == 1
        assert f"no snapshot of `toy` in {url}" in done.output


def test_a_night_on_a_missing_bucket_computes_nothing(proxy, tmp_path):
    """It is told at once."""
    write_tiny(tmp_path)
    done = CliRunner().invoke(main, ["run", str(tmp_path / "spec.toml"), "--home", "s3://no-such-bucket/x"])
    assert done.exit_code == 1
    assert "there is no bucket" in done.output
    assert "ingest" not in done.output
    fetch(Workspace(tmp_path, "tiny"))  # a folder is no home on S3: nothing is asked


def test_a_deployment_may_serve_a_home_in_a_bucket(url, tmp_path, monkeypatch):
    """Its night runs in the cache of that home, as every command's does."""
    from assay.remote.address import local_home
    from flows.served import SERVED, open_served, served

    write_tiny(tmp_path)
    monkeypatch.setenv(SERVED, served([tmp_path / "spec.toml"], url)[SERVED])
    _, workspace, _ = open_served(str(tmp_path / "spec.toml"), url, "tiny")
    assert workspace.home == local_home(url).resolve()
