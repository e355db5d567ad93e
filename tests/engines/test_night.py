"""A night whose partitions are done elsewhere: by a stand-in for a cluster, which gets plain values and gives them."""

import copy
import random

import pytest

from assay import facts
from assay.contracts.spec import load_spec
from assay.embedders import elsewhere
from assay.engines.job import make_engine as local
from assay.engines.job import open_job
from assay.knn import sharded
from assay.modalities.image import pictures
from assay.night import run_night
from assay.store.workspace import Workspace
from tests.nightly import DIGITS_SPEC

PLAIN = (str, bytes, int, float, bool, type(None))


def is_plain(value) -> bool:
    """Whether any version of anything can read it."""
    if isinstance(value, dict):
        return all(is_plain(each) for pair in value.items() for each in pair)
    return all(map(is_plain, value)) if isinstance(value, list) else isinstance(value, PLAIN)


class StandIn:
    """Does partitions of two chunks in some order, each second one twice."""

    elsewhere = True

    def __init__(self) -> None:
        self.openers: set[str] = set()

    def run(self, job):
        assert is_plain(job.told), job.told
        self.openers.add(job.opener)
        work = open_job(job.opener, copy.deepcopy(dict(job.told)))
        starts = list(range(0, len(job.sizes), 2))
        random.Random(0).shuffle(starts)
        for start in starts + starts[::2]:
            packed = job.pack(start, min(start + 2, len(job.sizes)))
            assert is_plain(packed)
            result = work(packed)
            assert result is None or is_plain(result)
            yield result


@pytest.mark.slow
def test_the_tables_of_a_night_elsewhere_are_those_of_one_here(digits_night, tmp_path, monkeypatch):
    """Digest for digest: contents measured, neighbours searched, pairs compared; done in any order, and some twice."""
    engine, base = StandIn(), digits_night.path.parents[3]
    for module in (facts, elsewhere, sharded, pictures):
        monkeypatch.setattr(module, "make_engine", lambda run: engine if run.engine == "ray" else local(run))
    path = tmp_path / "spec.toml"
    path.write_text(DIGITS_SPEC.replace('path = "digits"', f'path = "{base}/digits"') + '[run]\nengine = "ray"\n')
    monkeypatch.setattr("assay.night.check_engine", lambda run: None)
    snapshot = run_night(load_spec(path), Workspace(tmp_path / "home", "digits"))
    here, there = (
        {file["path"]: file["sha256"] for file in each.manifest["files"] if file["path"] != "report.html"}
        for each in (digits_night, snapshot)
    )
    assert there == here
    assert {opener.partition(":")[2] for opener in engine.openers} == {"open_cleaning", "open_search", "open_comparing"}
