"""Snapshots in a bucket: whole or not there, distinct, cheap, and what a reader sees is what was published."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from assay.contracts.errors import SnapshotError, StoreError, TakenError
from assay.remote.home import collect_store, fetch, share_decisions, store_of
from assay.remote.objects import Objects
from assay.remote.pull import pull
from assay.store.decisions import append_decisions, read_decisions
from assay.store.snapshots import newest_snapshot, snapshot_numbers
from tests.explorer.visit import client_of
from tests.remote.night import night, no_stages, publishing, seen
from tests.snapshot_builder import publish_toy

ISSUE = [("a", "outlier", 0.9, False)]


class Killed(BaseException):
    """As a kill: nothing catches it."""


def kill_at(monkeypatch, count: int) -> list[str]:
    """Let `count` requests of this process pass, and end it at the next; the keys of those that passed."""
    passed: list[str] = []
    tried = Objects._tried

    def counted(self, key, work):
        if len(passed) >= count:
            raise Killed
        passed.append(key)
        return tried(self, key, work)

    monkeypatch.setattr(Objects, "_tried", counted)
    return passed


def test_one_machine_sees_what_another_published(machine):
    """Tables, report and all, every digest checked."""
    first = night(machine("a"), ["a", "b"])
    second = night(machine("b"), ["a", "b", "c"])
    assert (first.number, second.number, second.manifest["parent"]) == (1, 2, 1)
    assert seen(machine("c")) == {1: ["a", "b"], 2: ["a", "b", "c"]}
    assert seen(machine("a")) == seen(machine("c"))
    there = newest_snapshot(machine("c"))
    assert (there.path / "report.html").read_bytes() == (second.path / "report.html").read_bytes()
    assert (there.path / "manifest.json").read_bytes() == (second.path / "manifest.json").read_bytes()


def test_an_unchanged_night_sends_no_object_and_a_changed_part_one(machine, proxy):
    """Whatever differs every night is in the document."""
    night(machine("a"), ["a", "b"], issues=ISSUE)
    before = proxy.puts()
    night(machine("a"), ["a", "b"], issues=ISSUE)
    night(machine("b"), ["a", "b"], issues=ISSUE)
    assert proxy.puts() == before
    proxy.seen.clear()
    night(machine("b"), ["a", "b"], issues=[("a", "outlier", 0.8, False)])
    assert proxy.puts() == 1
    assert proxy.puts("/snapshots/") == 1


@pytest.mark.slow
def test_a_push_killed_at_any_request_leaves_the_old_or_the_new(machine, proxy, monkeypatch):
    """And the next one goes on: what was sent is not sent again."""
    night(machine("a"), ["a"])
    kills, was_killed, before = 0, True, 1
    while was_killed:
        ids = ["a", f"new{kills}"]
        with monkeypatch.context() as patch:
            passed = kill_at(patch, kills)
            try:
                night(machine("a"), ids)
                was_killed = False
            except Killed:
                kills += 1
        found = seen(machine("reader"))
        published = passed[-1:] == [f"toy/snapshots/v{before + 1:08d}.json"]
        assert list(found.values())[before:] == ([ids] if published else [])
        if not published:  # the next night goes on, and sends what is missing
            sent = len(store_of(machine("a").home).below("toy/objects"))
            proxy.seen.clear()
            assert night(machine("a"), ids).number == before + 1
            there = store_of(machine("a").home).below("toy/objects")
            assert proxy.puts() == len(there) - sent
            assert seen(machine("reader"))[before + 1] == ids
        before += 1
    assert kills > 12


@pytest.mark.slow
def test_four_publishers_at_once_get_distinct_numbers(machine):
    """Each on top of the one before; nobody's night is lost."""
    homes = {name: machine(name) for name in "abcd"}
    assert len({workspace.root for workspace in homes.values()}) == 4

    def publish(name: str):
        return [night(homes[name], [f"{name}{number}"]) for number in range(2)]

    with no_stages(), ThreadPoolExecutor(4) as pool:
        made = [snapshot for snapshots in pool.map(publish, homes) for snapshot in snapshots]
    assert sorted(snapshot.number for snapshot in made) == list(range(1, 9))
    assert all(snapshot.manifest["parent"] == (snapshot.number - 1 or None) for snapshot in made)
    wanted = sorted(f"{name}{number}" for name in "abcd" for number in range(2))
    assert sorted(ids for [ids] in seen(machine("reader")).values()) == wanted


@pytest.mark.slow
def test_a_reader_during_pushes_sees_whole_snapshots(machine):
    """Never half of one."""
    publisher, reader, looks = machine("a"), machine("r"), 0
    night(publisher, ["a"])
    with publishing(publisher, 8) as done:
        while not done.is_set():
            found = seen(reader)
            assert list(found) == list(range(1, len(found) + 1))
            assert all(ids[0] == "a" for ids in found.values())
            looks += 1
    assert looks > 1
    assert len(seen(reader)) == 9


@pytest.mark.parametrize("fault", ["500", "lost", "503 SlowDown"])
def test_faults_all_along(machine, proxy, fault):
    """Every third request fails, or its answer is lost: the night is as if none had."""
    asked = []
    proxy.rule = lambda method, path: fault if not asked.append(path) and len(asked) % 3 == 0 else ""
    for number in range(3):
        assert night(machine("a"), ["a", f"b{number}"]).number == number + 1
    assert list(seen(machine("r"))) == [1, 2, 3]


def test_a_read_only_bucket_is_told_before_the_night(machine, proxy, capsys):
    """Nothing runs, nothing is published; readers go on."""
    night(machine("a"), ["a"])
    proxy.rule = lambda method, path: "403 AccessDenied" if method in ("PUT", "DELETE", "POST") else ""
    with pytest.raises(StoreError, match="may not do that"):
        night(machine("b"), ["a", "b"])
    assert seen(machine("b")) == {1: ["a"]}


def test_a_full_store_publishes_nothing(machine, proxy):
    """In the middle of a push, too; and the next night sends the rest."""
    night(machine("a"), ["a"])
    proxy.rule = lambda method, path: "500 QuotaExceeded" if method == "PUT" and "/objects/" in path else ""
    with pytest.raises(StoreError, match="the store is full"):
        night(machine("a"), ["a", "b"])
    assert seen(machine("r")) == {1: ["a"]}
    assert snapshot_numbers(machine("a").snapshots) == [1]
    proxy.rule = lambda method, path: ""
    assert night(machine("a"), ["a", "b"]).number == 2


@pytest.mark.slow
def test_it_gives_up_where_another_is_always_first(machine, proxy):
    """After some tries, with one message."""
    night(machine("a"), ["a"])
    other, ours = machine("b"), machine("a")

    def first(method, path):
        if method == "PUT" and "/snapshots/" in path and "toy" in path and not busy:
            busy.append(path)
            night(other, ["b", str(len(proxy.seen))])
            busy.clear()
        return ""

    busy: list[str] = []
    proxy.rule = first
    with pytest.raises(TakenError, match="10 times another publisher of `toy` was first"):
        night(ours, ["a", "c"])
    assert snapshot_numbers(ours.snapshots)[-1] <= 11


def test_a_cache_that_rotted_is_filled_again(machine):
    """`assay pull` checks every file."""
    night(machine("a"), ["a", "b"])
    workspace = machine("r")
    fetch(workspace)
    part = newest_snapshot(workspace).parts("samples")[0]
    part.write_bytes(b"rot" + part.read_bytes()[3:])
    fetch(workspace, thorough=True)
    assert seen(workspace) == {1: ["a", "b"]}


def test_an_object_that_rotted_is_not_believed(machine, url):
    """Neither is a snapshot of it shown."""
    night(machine("a"), ["a", "b"])
    store = store_of(machine("a").home)
    largest = max(store.below("toy/objects"), key=lambda one: one.size)
    store.put(largest.key, b"x" * largest.size)
    workspace = machine("r")
    with pytest.raises(StoreError, match="is not what was written there"):
        fetch(workspace)
    assert snapshot_numbers(workspace.snapshots) == []


def test_a_document_that_leads_elsewhere_is_refused(machine, capsys):
    """A path outside the home is never written to."""
    from dataclasses import replace

    from assay.remote.documents import Files, read_document

    night(machine("a"), ["a"])
    store = store_of(machine("a").home)
    document = read_document(store.get("toy/snapshots/v00000001.json"), "")
    for path in ("../../evil", "/tmp/evil", "x/../../evil"):
        evil = replace(document, snapshot=Files(document.snapshot.objects, {**document.snapshot.texts, path: b"evil"}))
        store.put("toy/snapshots/v00000001.json", evil.as_bytes())
        assert pull(store, machine("r")) == []
        assert "it names" in capsys.readouterr().err
        assert newest_snapshot(machine("r")) is None
        assert not any(path.is_file() for path in machine("r").snapshots.rglob("*"))
    with pytest.raises(SnapshotError, match="no file of a snapshot"):
        read_document(replace(document, state=Files([], {"snapshots/x": b""})).as_bytes(), "it")


def test_a_damaged_document_costs_its_snapshot_and_no_more(machine, capsys):
    """It is told; nights go on, under the next number; gc, which cannot know what it needs, removes nothing."""
    night(machine("a"), ["a"])
    night(machine("a"), ["a", "b"])
    store = store_of(machine("a").home)
    store.put("toy/snapshots/v00000002.json", b"{}")
    assert night(machine("b"), ["a", "c"]).number == 3
    assert "v00000002.json is no document of a snapshot" in capsys.readouterr().err
    fetch(machine("r"))
    assert newest_snapshot(machine("r")).number == 3
    with pytest.raises(SnapshotError, match="is no document"):
        collect_store(machine("r"), 1, None, 0.0)
    assert len(store.below("toy/snapshots")) == 3


def test_a_damaged_copy_of_a_document_is_fetched_again(machine, capsys):
    """What the cache has lost, the store has: the next night goes on from it."""
    night(machine("a"), ["a"])
    fetch(machine("a"))
    copy = next((machine("a").root / ".remote").glob("v*.json"))
    whole = copy.read_bytes()
    copy.write_bytes(whole[:-20])
    assert night(machine("a"), ["a", "b"]).number == 2
    assert "it is fetched again" in capsys.readouterr().err
    fetch(machine("a"))
    assert copy.read_bytes() == whole


def test_decisions_travel_both_ways(machine, capsys):
    """Each machine has all of them; those made while the store was away are sent later."""
    night(machine("a"), ["a", "b"])
    one, two = machine("a"), machine("b")
    fetch(two)
    samples = newest_snapshot(one).read("samples")
    append_decisions(one, samples.head(1), "drop", None, "ann", 1)
    share_decisions(one)
    append_decisions(two, samples.tail(1), "keep", None, "bob", 1)
    share_decisions(two)
    share_decisions(one)
    assert sorted(read_decisions(one)["who"]) == sorted(read_decisions(two)["who"]) == ["ann", "bob"]
    assert capsys.readouterr().err.count("not yet sent") == 0


def test_what_is_decided_in_the_explorer_is_sent(machine):
    """As it is decided, and taken back."""
    night(machine("a"), ["a", "b"])
    client = client_of(machine("a"))
    decided = client.post("/api/1/decide", json={"kind": "drop", "ids": ["a"]}).json()
    fetch(machine("r"))
    assert read_decisions(machine("r"))["kind"].to_list() == ["drop"]
    assert client.post("/api/1/undo", json={"batch": decided["batch"]}).status_code == 200
    fetch(machine("r"))
    assert read_decisions(machine("r"))["kind"].to_list() == ["drop", "undo"]


def test_a_decision_is_kept_where_the_store_is_away(machine, proxy, capsys):
    """The explorer goes on; the next time makes up for it."""
    night(machine("a"), ["a", "b"])
    workspace = machine("a")
    append_decisions(workspace, newest_snapshot(workspace).read("samples").head(1), "drop", None, "ann", 1)
    proxy.rule = lambda method, path: "503"
    share_decisions(workspace)
    assert "not yet sent" in capsys.readouterr().err
    proxy.rule = lambda method, path: ""
    night(workspace, ["a", "b"])
    fetch(machine("r"))
    assert read_decisions(machine("r"))["who"].to_list() == ["ann"]


def test_a_home_that_is_a_folder_asks_nobody(tmp_path, proxy):
    """No request, no client."""
    from assay.store.workspace import Workspace

    publish_toy(Workspace(tmp_path / "home", "toy"), ["a"])
    fetch(Workspace(tmp_path / "home", "toy"))
    share_decisions(Workspace(tmp_path / "home", "toy"))
    assert proxy.seen == []
