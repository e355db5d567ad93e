"""Progress on standard error: how much is done, how fast, how long it will take; nothing of what is over at once."""

import numpy as np
import pytest

from assay.layouts import fit
from assay.metrics import training
from assay.metrics.probe import Problem
from assay.store import progress
from assay.store.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_how_long_it_will_take_is_told(clock, capsys):
    """By the rate so far, once two seconds have passed; the last line has no time left."""
    work = Progress("files", 1000)
    clock[0] += 10
    work.advance(100)
    clock[0] += 10
    work.advance(900)
    assert capsys.readouterr().err.splitlines() == [
        "  files: 100 of 1,000 (10/s, 1 min 30 s left)",
        "  files: 1,000 of 1,000 (50/s)",
    ]


def test_a_slow_rate_is_no_zero(clock, capsys):
    """Two a minute."""
    work = Progress("files", 4)
    clock[0] += 30
    work.advance()
    assert "(0.033/s, 1 min 30 s left)" in capsys.readouterr().err


def test_brief_work_is_silent(clock, capsys):
    """What is over before its first line is due says nothing; what is not says how far it is, and that it is over."""
    Progress("passes", 30, brief=True).advance(30)
    assert capsys.readouterr().err == ""
    work = Progress("passes", 30, brief=True)
    clock[0] += 6
    work.advance(3)
    work.finish()
    assert [line.split(" (")[0] for line in capsys.readouterr().err.splitlines()] == [
        "  passes: 3 of 30",
        "  passes: 30 of 30",
    ]


def test_a_terminals_line_is_written_over_whole(clock, capsys, monkeypatch):
    """Nothing of a longer line before it is left."""
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    work = Progress("files", 10)
    clock[0] += 1
    work.advance()
    assert capsys.readouterr().err == "\x1b[K  files: 1 of 10 (1/s)\r"


@pytest.fixture
def counted(monkeypatch):
    """Every label with how far it came, in the place of lines."""
    told = {}

    class Counting(Progress):
        def advance(self, count=1):
            self.done += count
            told[self.label] = (self.done, self.total)

    for module in (fit, training):
        monkeypatch.setattr(module, "Progress", Counting)
    return told


def test_long_fits_tell_how_far_they_are(counted):
    """UMAP by its epochs, t-SNE by its iterations, the probe by its passes: all of them, once each."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=(120, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)
    rows = np.argsort(-cosines, axis=1)[:, :15].astype(np.int32)
    near = np.take_along_axis(cosines, rows, axis=1)
    start = random.normal(size=(120, 2)).astype(np.float32)
    fit.umap_coordinates(rows, near, start, 15, 0.1, 0)
    fit.tsne_coordinates(rows, near, start, 0)
    labels, n = random.integers(0, 3, 120), 120
    training.learn(Problem(vectors, np.arange(n), labels, np.ones(n), np.arange(n) % 5, 3, 5), 1.0)
    assert counted == {
        "epochs of UMAP": (500, 500),
        "iterations of t-SNE": (750, 750),
        "passes of the label probe": (training.ITERATIONS, training.ITERATIONS),
    }
