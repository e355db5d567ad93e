"""The graph that is kept from night to night: tonight's lists are those of a whole search, whatever came and went."""

import json
import os
import re
import subprocess
import sys
import textwrap
import tracemalloc
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.knn.blocked import blocked_knn
from assay.knn.grow import grow
from assay.knn.kept import KeptGraph
from assay.knn.lists import MOST_CHANGED, NEVER, Edges, Lists, merged, no_edges, whole
from assay.knn.stage import _blocked, index
from assay.store.arrays import KeptArrays
from assay.store.garbage import collect_garbage
from assay.store.workspace import Workspace
from tests.graph_builder import vector_stages
from tests.knn.test_exact import clustered
from tests.snapshot_builder import toy_spec

ROOT = Path(__file__).parents[2]


class Nights:
    """A pool of vectors, of which each night has some, and the graph that is kept between them."""

    def __init__(self, folder: Path, pool: np.ndarray, k: int) -> None:
        length = np.linalg.norm(pool, axis=1, keepdims=True)
        self.pool = (pool / np.where(length > 0, length, 1.0)).astype(np.float32)
        self.folder, self.k = folder, k
        self.contents = pl.Series([f"{row:032x}" for row in range(len(pool))])

    def night(self, rows: np.ndarray) -> str:
        """How the graph of these rows was found; it must be the one of a whole search."""
        vectors = np.ascontiguousarray(self.pool[rows])
        k = min(self.k, len(rows) - 1)
        found, similarities, said = _blocked(vectors, k, KeptGraph(self.folder, self.contents[rows.tolist()]))
        wanted, wanted_similar = blocked_knn(vectors, k)
        assert (found == wanted).all()
        np.testing.assert_allclose(similarities, wanted_similar, atol=2e-6)
        return said


def pool_of(n: int, seed: int) -> np.ndarray:
    """Small whole numbers, so that many products tie; some rows equal, some zero."""
    pool = np.random.default_rng(seed).integers(-3, 4, size=(n, 6)).astype(np.float32)
    pool[n // 3 : n // 3 + 6] = pool[0]
    pool[n // 2 : n // 2 + 4] = 0
    return pool


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_nights_find_what_a_whole_search_finds(tmp_path_factory, data):
    """Any rows come, go and come again, in any order, with ties, equal and zero vectors."""
    seed = data.draw(st.integers(0, 1000))
    nights = Nights(tmp_path_factory.mktemp("graph"), pool_of(260, seed), data.draw(st.sampled_from([1, 4, 12])))
    rng, rows = np.random.default_rng(seed), np.arange(200)
    nights.night(rows)
    for _ in range(data.draw(st.integers(1, 5))):
        rows = np.delete(rows, rng.permutation(len(rows))[: data.draw(st.integers(0, 12))])
        absent = rng.permutation(np.setdiff1d(np.arange(260), rows))
        rows = np.concatenate([rows, absent[: data.draw(st.integers(0, 12))]])
        nights.night(rng.permutation(rows) if data.draw(st.booleans()) else rows)


def test_what_is_kept_is_used(tmp_path):
    """A night with few new rows is no whole search; one with more than a fifth is, and counts as a generation."""
    nights = Nights(tmp_path, clustered(400, 16), 10)
    assert nights.night(np.arange(300)) == "blocked search"
    assert nights.night(np.arange(310)) == "whole search 1 of 300 units, 10 came or went since"
    assert nights.night(np.arange(10, 310)) == "whole search 1 of 300 units, 20 came or went since"
    assert nights.night(np.arange(10, 310)) == "whole search 1 of 300 units, 20 came or went since"
    assert nights.night(np.arange(10, 352)) == "blocked search"
    assert nights.night(np.arange(10, 353)) == "whole search 2 of 342 units, 1 came or went since"


def test_a_night_that_is_done_again_says_the_same(tmp_path):
    """Killed between the graph and the table, a night finds its own graph kept; what it publishes is as undisturbed."""
    nights = Nights(tmp_path, clustered(400, 16), 10)
    for rows in (np.arange(300), np.arange(310), np.arange(400)):
        assert nights.night(rows) == nights.night(rows)


@pytest.mark.parametrize("then", [np.arange(200, 400), np.arange(2), np.arange(12), np.arange(400)])
def test_everything_else(tmp_path, then):
    """All rows are others, or nearly all are gone: a whole search, whose graph is kept then."""
    nights = Nights(tmp_path, clustered(401, 16), 10)
    nights.night(np.arange(200))
    assert nights.night(then) == "blocked search"
    if len(then) > 20:
        assert nights.night(np.append(then, 400)).endswith("1 came or went since")


def test_deltas_become_a_base(tmp_path):
    """Many small nights do not leave many files, nor grow without bound; the whole search stays the same one."""
    nights = Nights(tmp_path, clustered(300, 16), 4)
    said = {nights.night(np.arange(last - 199, last)).partition(" units")[0] for last in range(200, 238)}
    assert said == {"blocked search", "whole search 1 of 199", "whole search 2 of 199"}
    sizes = [path.stat().st_size for path in tmp_path.glob("*.npz")]
    assert sum(sizes) < 2.2 * max(sizes)


def test_lists_are_searched_again_when_too_short(tmp_path):
    """Where a cluster loses most of its members, the lists of the others are made anew, and hold from then on."""
    pool = np.random.default_rng(0).normal(size=(600, 16)).astype(np.float32)
    pool[:40] = pool[0] + 0.01 * pool[:40]
    nights = Nights(tmp_path, pool, 10)
    nights.night(np.arange(600))
    assert "came or went" in nights.night(np.arange(30, 600))
    assert "came or went" in nights.night(np.arange(33, 600))
    assert "came or went" in nights.night(np.arange(28, 600))


def test_other_settings_take_the_place(tmp_path):
    """With another k the graph is another; with another vector of the same content a row is new."""
    nights = Nights(tmp_path, clustered(300, 16), 10)
    nights.night(np.arange(300))
    nights.k = 20
    assert nights.night(np.arange(300)) == "blocked search"
    nights.pool[7] = nights.pool[100]
    assert nights.night(np.arange(300)) == "whole search 2 of 300 units, 2 came or went since"


def test_one_content_twice(tmp_path):
    """Units do not share a content and a vector; if they did, the lists would be right nevertheless."""
    nights = Nights(tmp_path, clustered(200, 16), 6)
    nights.night(np.arange(200))
    twice = np.append(np.arange(200), [5, 5, 9])
    for rows in (twice, np.arange(199), twice[::-1].copy()):
        nights.night(rows)


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "head", "no head", "format"])
@pytest.mark.parametrize("kind", ["base", "delta"])
def test_damage_is_seen_and_mended(tmp_path, capsys, damage, kind):
    """A flipped bit, a cut or an absent file: reported, and the graph is searched for anew and kept."""
    nights = Nights(tmp_path, clustered(300, 16), 10)
    nights.night(np.arange(280))
    nights.night(np.arange(290))
    path = next(tmp_path.glob(f"{kind}-*.npz")) if damage in ("flip", "cut", "remove") else tmp_path / "kept.json"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    if damage == "format":
        path.write_text(json.dumps({"format": 99}))
    elif damage not in ("remove", "no head"):
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else content)
    assert nights.night(np.arange(291)) == "blocked search"
    assert ("damaged" in capsys.readouterr().err) == (damage not in ("no head", "format"))
    assert "came or went" in nights.night(np.arange(292))
    assert len(list(tmp_path.glob("*.npz"))) == 2


KILLED = """
import os, sys
import numpy as np
from pathlib import Path
import assay.store.arrays as arrays
from tests.knn.test_graph_facts import Nights, clustered
nights = Nights(Path(sys.argv[1]), clustered(300, 16), 10)
nights.night(np.arange(280))
if sys.argv[2] == "file":
    os.replace = lambda *names: os.kill(os.getpid(), 9)
else:
    arrays.write_sealed = lambda *rest: os.kill(os.getpid(), 9)
nights.night(np.arange(int(sys.argv[3])))
"""


@pytest.mark.parametrize("where", ["file", "head"])
@pytest.mark.parametrize("last", ["290", "20"])
def test_a_killed_night_leaves_the_graph_before(tmp_path, where, last):
    """kill -9 between write and rename, and between file and head, of a delta and of a base: the next night starts from
    what was kept before, and removes what the killed one left."""
    words = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path), where, last]
    ended = subprocess.run(words, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    assert ended.returncode == -9
    nights = Nights(tmp_path, clustered(300, 16), 10)
    assert len(KeptArrays(tmp_path).remains()) == (where == "head")
    assert nights.night(np.arange(281)) == "whole search 1 of 280 units, 1 came or went since"
    assert KeptArrays(tmp_path).remains() == []


def test_the_collector_knows_what_counts(tmp_path):
    """Files that no head names are garbage once they are old; those that it names are not."""
    workspace = Workspace(tmp_path, "toy")
    nights = Nights(workspace.facts / "graph", clustered(300, 16), 10)
    nights.night(np.arange(280))
    nights.night(np.arange(290))
    stray = workspace.facts / "graph" / "delta-000077.npz"
    stray.write_bytes(b"")
    (workspace.facts / "graph" / ".base-000078.npz.x").write_bytes(b"")
    removed = collect_garbage(workspace, 1, grace_hours=0.0)
    assert sorted(path.name for path in removed) == [".base-000078.npz.x", "delta-000077.npz"]
    assert "came or went" in nights.night(np.arange(291))


def test_the_stage_says_where_its_lists_come_from(tmp_path):
    """Two nights of one home: the second night's health names the whole search; the table is that of an empty home."""
    spec, vectors = toy_spec(index={"k": 5}), clustered(130, 16)
    homes = [Workspace(tmp_path / name, "toy") for name in ("kept", "empty")]
    index(spec, homes[0], *vector_stages(homes[0], vectors[:120]))
    outputs = [index(spec, home, *vector_stages(home, vectors)) for home in homes]
    assert outputs[0].key == outputs[1].key
    notes = [output.read("embedding_health")["note"][0] for output in outputs]
    assert notes[0].startswith("whole search 1 of 120 units, 10 came or went since") and "blocked search" in notes[1]
    assert outputs[0].read("neighbors").equals(outputs[1].read("neighbors"))


def test_merged_by_hand():
    """Four rows, one of which goes and one comes: numbers follow, the farthest falls out, the horizon moves."""
    lists = Lists(
        np.array([[1, 2], [0, 3]], dtype=np.int32), np.array([[0.5, 0.25], [0.5, 0.5]], dtype=np.float32),
        np.array([0.125, NEVER], dtype=np.float32),
    )  # fmt: skip
    edges = Edges(np.array([0, 1, 0]), np.array([4, 4, 3]), np.array([0.375, 0.75, 0.125], dtype=np.float32))
    place = np.array([2, -1, 1, 3, 0], dtype=np.int32)
    found, usable = merged(lists, edges, place, 2)
    assert found.rows.tolist() == [[0, 1], [0, 2]]
    assert found.similarities.tolist() == [[0.375, 0.25], [0.75, 0.5]]
    assert usable.tolist() == [2, 3] and found.horizon.tolist() == [0.125, 0.5]


def test_a_hub_takes_no_more_room_than_others():
    """One row near which all that is new lies, as where a cluster grows around it: its list holds the nearest, and the
    others do not pay for it."""
    rng, width, m, e = np.random.default_rng(0), 5, 2_000, 30_000
    lists = Lists(
        np.full((m, width), -1, dtype=np.int32), np.zeros((m, width), dtype=np.float32), np.zeros(m, np.float32)
    )
    similar = (rng.integers(1, 2**12, e + 1) / 2**12).astype(np.float32)
    row = np.append(np.full(e, 7), 8)
    tracemalloc.start()
    found, usable = merged(lists, Edges(row, np.arange(e + 1), similar), np.arange(e + 1, dtype=np.int32), width)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    best = np.lexsort((np.arange(e), -similar[:e]))[:width]
    assert found.rows[7].tolist() == best.tolist() and found.horizon[7] == similar[best[-1]] and usable[7] > width
    assert found.rows[8].tolist() == [e, -1, -1, -1, -1] and found.horizon[8] == 0 and usable[8] == 1
    assert peak < 20e6


@pytest.mark.parametrize("pool", ["alike", "clustered"])
def test_progress_ends_where_it_said(tmp_path, capsys, pool):
    """Whether the new rows are put in, or all are searched for after all: the last line says all of all, once."""
    nights = Nights(tmp_path, clustered(300, 16) if pool == "clustered" else np.ones((300, 4), np.float32), 10)
    nights.night(np.arange(270))
    capsys.readouterr()
    nights.night(np.arange(300))
    lines = re.findall(r"index: (\d+) of (\d+)", capsys.readouterr().err)
    assert [done for done, total in lines if done == total] == [lines[-1][0]]
    assert all(int(done) <= int(total) for done, total in lines)


def test_too_much_in_doubt_is_no_growth():
    """Where more than a fifth of the lists would be searched for, a whole search is cheaper: all vectors equal."""
    vectors = np.ones((200, 4), dtype=np.float32) / 2
    lists = whole(*blocked_knn(vectors, 14), 200)
    place = np.arange(200, dtype=np.int32)
    assert grow(vectors, lists, no_edges(), place, 10) is None
    distinct = clustered(200, 16)
    lists = whole(*blocked_knn(distinct, 14), 200)
    place[: int(200 * MOST_CHANGED)] = -1
    assert grow(distinct, lists, no_edges(), place, 4) is not None
    place[: int(200 * MOST_CHANGED) + 1] = -1
    assert grow(distinct, lists, no_edges(), place, 4) is None
