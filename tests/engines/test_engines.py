"""Engines without a cluster: what a partition holds, what is refused, what crosses to another machine."""

import importlib.util
import json
from types import SimpleNamespace

import polars as pl
import pytest

from assay.contracts.errors import EngineError, SpecError
from assay.contracts.operations import Run
from assay.contracts.spec import make_spec
from assay.embedders.elsewhere import open_embedding
from assay.engines import job as jobs
from assay.engines import on_worker
from assay.engines.job import Job, Local, check_engine, told_of, told_spec, wait_for_facts
from assay.engines.pace import Pace
from assay.night import run_night
from assay.store import executor, machine
from assay.store.facts import FactStore
from assay.store.workspace import Workspace

VALUES = {"name": "a", "modality": "image", "source": {"kind": "folder", "path": "x"}}


def test_the_local_engine_does_all_here():
    """One partition, in this process; nothing is packed."""
    job = Job("x", [2, 3], lambda: 7, "no.such:thing", {}, lambda start, stop: 1 / 0)
    assert list(Local().run(job)) == [7]


def test_a_partition_takes_a_minute():
    """Single chunks until one is done, then as many as take a minute, and a fair share of what is left at the end."""
    pace = Pace([100] * 50)
    assert [pace.next(2), pace.next(2)] == [(0, 1, 100), (1, 2, 100)]
    pace.took(100, 6.0)
    assert pace.next(2) == (2, 12, 1000)
    pace.took(1100, 66.0)
    sizes = []
    while pace.left:
        sizes.append(pace.next(2)[2])
    assert sum(sizes) == 3800 and sizes[:2] == [1000, 1000] and sizes[-1] < 1000
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(("contents", "wanted"), [(1, [100] * 5), (250, [300, 200]), (10_000, [500])])
def test_the_spec_may_say_how_many_contents_a_partition_has(contents, wanted):
    """In whole chunks, whatever they take."""
    pace, sizes = Pace([100] * 5, contents), []
    while pace.left:
        sizes.append(pace.next(3)[2])
        pace.took(100, 0.001)
    assert sizes == wanted


def opened(told):
    """A job that counts how often it is opened."""
    told["opened"].append(1)
    return lambda partition: partition * 2


def test_a_process_opens_a_job_once_and_keeps_to_its_cores():
    """The embedder is loaded once; another job takes its place."""
    asked = {"key": "1", "opener": f"{__name__}:opened", "told": {"opened": []}, "cores": 1}
    try:
        found = [on_worker.do(on_worker.versions(), asked, number) for number in (1, 2, 3)]
        assert [each["result"] for each in found] == [2, 4, 6]
        assert asked["told"]["opened"] == [1] and machine.cores() == 1
        on_worker.do(on_worker.versions(), asked | {"key": "2"}, 1)
        assert asked["told"]["opened"] == [1, 1]
    finally:
        executor._keeping.clear()
        machine._limits.clear()
        machine.cores.cache_clear()


def test_a_worker_of_another_version_refuses_in_words():
    """Before it opens anything."""
    told = {"opened": []}
    answer = on_worker.do({"version": "9.9", "code": "f00"}, {"key": "3", "opener": "x:y", "told": told}, 1)
    name, words = answer["error"]
    assert name == "EngineError" and "9.9" in words and "install the same assay on all machines" in words


def test_what_crosses_is_plain_and_comes_back_as_it_was(tmp_path):
    """Spec, workspace and outputs survive JSON; a machine that does not see the home says so."""
    spec = make_spec({**VALUES, "thresholds": {"dark": 0.3}}, base=tmp_path)
    workspace = Workspace(tmp_path / "home", "a")
    told = json.loads(json.dumps(told_of(spec, workspace)))
    with pytest.raises(EngineError, match="file system that all machines of the cluster share"):
        told_spec(told)
    workspace.root.mkdir(parents=True)
    assert told_spec(told) == (spec, workspace, [])


def test_an_embedder_that_would_make_other_vectors_is_refused(tmp_path):
    """As where a worker has another device, library or model."""
    workspace = Workspace(tmp_path / "home", "a")
    workspace.root.mkdir(parents=True)
    told = told_of(make_spec(VALUES, base=tmp_path), workspace) | {"fingerprint": "0" * 32, "basis": ""}
    with pytest.raises(EngineError, match=r"those of this night are 0{32}.*Set embed\.precision"):
        open_embedding(told)


def test_facts_that_never_arrive_are_told(tmp_path, monkeypatch):
    """A home that is not shared: workers wrote theirs."""
    monkeypatch.setattr(jobs, "SEEN_SECONDS", 0.0)
    store = FactStore(Workspace(tmp_path, "a"), "failures", "f")
    wait_for_facts(store, pl.Series([], dtype=pl.String))
    with pytest.raises(EngineError, match="1 are not in"):
        wait_for_facts(store, pl.Series(["0" * 32]))


def test_a_chunk_that_is_a_part_is_not_done_again(tmp_path):
    """What a partition that ran before has written, by the names of the parts."""
    store = FactStore(Workspace(tmp_path, "a"), "failures", "f")
    rows = [{"content_hash": f"{number:032x}", "reason": "damaged", "detail": ""} for number in range(3)]
    store.append(pl.DataFrame(rows[:2]))
    names = [row["content_hash"] for row in rows]
    assert store.unwritten([names[:2], names[1:]]) == [names[1:]]


def test_what_breaks_for_a_worker_is_not_the_cluster(monkeypatch):
    """A connection that a worker lost, as to a service that embeds, is told as its own; one to the cluster as that."""
    ray, on_ray = pytest.importorskip("ray"), pytest.importorskip("assay.engines.on_ray")
    raised = []

    def answer(task):
        raise raised[-1]

    for name, fake in {"put": id, "nodes": list, "wait": lambda tasks, timeout: (tasks, []), "get": answer}.items():
        monkeypatch.setattr(ray, name, fake)
    monkeypatch.setattr(ray, "remote", lambda **asked: lambda function: SimpleNamespace(remote=lambda *given: "a task"))
    monkeypatch.setattr(on_ray, "connect", lambda address: None)
    job = Job("x", [1], lambda: None, "no.such:thing", {}, lambda start, stop: [])
    own = ConnectionResetError("the service hung up")
    for error, wanted, said in (
        (ray.exceptions.RayTaskError("do", "", own), ConnectionResetError, "the service hung up"),
        (ConnectionError("no head"), EngineError, "was lost"),
        (ray.exceptions.ObjectLostError("f" * 56, None, ""), EngineError, "was lost"),
        (ray.exceptions.OutOfMemoryError("low on memory"), EngineError, "workers died .*low on memory.* more memory"),
    ):
        raised.append(error)
        with pytest.raises(wanted, match=said):
            list(on_ray.OnRay(Run(engine="ray")).run(job))


def test_ray_without_its_package_is_refused_before_the_night(tmp_path, monkeypatch):
    """With the command that installs it; nothing is written."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "ray" else find(name, *rest))
    check_engine(Run())
    spec = make_spec({**VALUES, "run": {"engine": "ray"}}, base=tmp_path)
    with pytest.raises(SpecError, match=r"pip install 'assay\[ray\]'"):
        run_night(spec, Workspace(tmp_path / "home", "a"))
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "http://head:1", "head:port", ""])
def test_an_address_that_is_none_is_refused(address, tmp_path):
    """Ray's client protocol too: the night runs on a machine of the cluster."""
    with pytest.raises(SpecError, match=r"run\.address.*auto or HOST:PORT"):
        make_spec({**VALUES, "run": {"engine": "ray", "address": address}}, base=tmp_path)
    good = make_spec({**VALUES, "run": {"engine": "ray", "address": "10.0.0.1:6379", "gpus": 0.5}}, base=tmp_path)
    assert good.run.gpus == 0.5
