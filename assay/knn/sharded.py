"""The blocked search of `blocked.py` and the graphs of `sharded_hnsw.py` in partitions.

Each partition of the search searches the rows of some cells among those of near cells.
Its plan (leading directions, cells, which of them are near) is made here as ever, so the neighbours are the same. What
workers need lies in a folder that they share, as arrays that are mapped into memory, and what they find is put there:
a night that is stopped goes on from it.

    HOME/DATASET/facts/shards/KEY/    vectors.npy, space.npy, order.npy …, found-00000-rows.npy, found-00000-similar.npy
"""

import functools
import itertools
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import hnswlib
import numpy as np
import torch
import xxhash

from assay.contracts.errors import EngineError
from assay.contracts.operations import Run
from assay.engines.job import Job, make_engine
from assay.knn import blocked
from assay.knn.cells import Block
from assay.knn.sharded_hnsw import build_shard
from assay.store.files import atomic_file

VERSION = 1
CHUNKS = 512  # that the rows are cut into, at most; each becomes two files


class OnEngine:
    """Searches and builds on the engine of a spec, through a folder that all machines see."""

    def __init__(self, run: Run, folder: Path) -> None:
        self._run, self._folder = run, folder

    def search(self, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """As `blocked.blocked_knn` on a CPU.

        Raises:
            EngineError: as `Engine.run`.
        """
        shards = Shards.laid_out(self._folder, vectors, k)
        missing = [number for number in range(len(shards.ends) - 1) if not shards.is_found(number)]
        sizes = [len(shards.rows(number)) for number in missing]
        told = {"folder": str(shards.folder), "k": k, "spare": shards.spare, "workers": torch.get_num_threads()}
        self._do("index", sizes, "open_search", told, lambda start, stop: {"shards": missing[start:stop]})
        found = shards.collect()
        shutil.rmtree(shards.folder, ignore_errors=True)
        return found

    def build(self, space: np.ndarray, starts: Sequence[int], m: int, ef_construction: int) -> list[Any]:
        """As `hnsw.build_here`. Raises `EngineError` as `search`."""
        place = _place(self._folder, space, f"hnsw-{m}-{ef_construction}-{len(starts)}")
        if not (place / "space.npy").exists():
            _save(place / "space.npy", space)
        missing = [number for number in range(len(starts) - 1) if not graph_file(place, number).exists()]
        ends = list(itertools.pairwise(starts))
        told = {"folder": str(place), "ends": [list(pair) for pair in ends], "m": m, "ef_construction": ef_construction}
        sizes = [ends[number][1] - ends[number][0] for number in missing]
        self._do("index", sizes, "open_building", told, lambda start, stop: {"shards": missing[start:stop]})
        graphs = []
        for number in range(len(ends)):
            if not graph_file(place, number).exists():
                raise _never_arrived(place, number)
            graphs.append(hnswlib.Index(space="ip", dim=space.shape[1]))
            graphs[-1].load_index(str(graph_file(place, number)))
        shutil.rmtree(place, ignore_errors=True)
        return graphs

    def _do(self, label: str, sizes: list[int], opener: str, told: dict[str, Any], pack: Callable[..., Any]) -> None:
        job = Job(label, sizes, lambda: None, f"{__name__}:{opener}", told, pack)
        for _ in make_engine(self._run).run(job) if sizes else ():
            pass


class Shards:
    """The arrays of a search, in a folder.

    Attributes:
        order: (n,) the rows, those of a cell together; without cells, as they are.
        ends: (s + 1,) where in `order` each of the s shards begins, and the last one ends.
        cells: (c + 1,) the same of the cells; one cell of all where there are none.
        near: (c, c) bool, among which cells the neighbours of a cell's rows are.
        spare: candidates beyond k.
    """

    def __init__(self, folder: Path, k: int, spare: int) -> None:
        self.folder, self.k, self.spare = folder, k, spare
        self.order, self.ends, self.cells, self.near = (self._read(name) for name in ("order", "ends", "cells", "near"))

    @classmethod
    def laid_out(cls, folder: Path, vectors: np.ndarray, k: int) -> "Shards":
        """Plan the search and write what it needs, unless a night that was stopped has."""
        place = _place(folder, vectors, f"{k}-{VERSION}")
        if (place / "spare.npy").exists():  # written last
            return cls(place, k, int(np.load(place / "spare.npy")))
        n = len(vectors)
        plan = blocked.planned(vectors, k)
        order, cells, near = np.arange(n), np.array([0, n]), np.ones((1, 1), dtype=bool)
        if plan.cells is not None and plan.near is not None:
            order = torch.cat(list(plan.cells.members)).numpy()
            cells, near = np.append(0, np.cumsum(plan.cells.size.numpy())), plan.near.numpy()
        arrays = {"order": order, "cells": cells, "near": near, "ends": _cut(cells, n), "vectors": vectors}
        if plan.space is not None:
            arrays["space"] = plan.space
        for name, array in {**arrays, "spare": np.array(plan.spare)}.items():
            _save(place / f"{name}.npy", array)
        return cls(place, k, plan.spare)

    def is_found(self, number: int) -> bool:
        """Whether a shard is searched: of its two files the later one is there."""
        return (self.folder / f"found-{number:05d}-similar.npy").exists()

    def keep(self, number: int, rows: np.ndarray, similarities: np.ndarray) -> None:
        """Put down what was found of a shard's rows."""
        _save(self.folder / f"found-{number:05d}-rows.npy", rows)
        _save(self.folder / f"found-{number:05d}-similar.npy", similarities)

    def collect(self) -> tuple[np.ndarray, np.ndarray]:
        """All that was found, by row. Raises `EngineError` where a shard is not there."""
        n = len(self.order)
        picked, similar = np.empty((n, self.k), dtype=np.int32), np.empty((n, self.k), dtype=np.float32)
        for number in range(len(self.ends) - 1):
            if not self.is_found(number):
                raise _never_arrived(self.folder, number)
            rows = self.rows(number)
            picked[rows] = self._read(f"found-{number:05d}-rows")
            similar[rows] = self._read(f"found-{number:05d}-similar")
        return picked, similar

    def rows(self, number: int) -> np.ndarray:
        """The rows of a shard."""
        return self.order[self.ends[number] : self.ends[number + 1]]

    def blocks(self, numbers: Iterable[int], workers: int) -> Iterator[Block]:
        """Rows of some shards, as many at a time as the local search takes, with the rows among which to search."""
        n = len(self.order)
        size = np.diff(self.cells)
        for number in numbers:
            start, stop = self.ends[number], self.ends[number + 1]
            for cell in range(int(np.searchsorted(self.cells, start, "right")) - 1, len(size)):
                if self.cells[cell] >= stop:
                    break
                rows = self.order[max(start, self.cells[cell]) : min(stop, self.cells[cell + 1])]
                among = functools.partial(self._among, cell)
                step = blocked.block_rows(int(size[self.near[cell]].sum()), n, workers)
                yield from ((rows[at : at + step], among) for at in range(0, len(rows), step))

    def _among(self, cell: int) -> torch.Tensor:
        near = np.flatnonzero(self.near[cell])
        return torch.from_numpy(
            np.concatenate([self.order[self.cells[other] : self.cells[other + 1]] for other in near])
        )

    def _read(self, name: str) -> np.ndarray:
        return np.load(self.folder / f"{name}.npy", allow_pickle=False)


def open_search(told: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], None]:
    """A function that searches some shards, and puts what it finds into the folder.

    Raises:
        EngineError: this machine does not see the folder.
    """
    folder = Path(told["folder"])
    if not (folder / "spare.npy").exists():
        raise EngineError(f"there is no {folder}; the home must be on a file system that all machines share")
    shards = Shards(folder, told["k"], told["spare"])
    vectors = np.load(folder / "vectors.npy", mmap_mode="c")
    space = np.load(folder / "space.npy", mmap_mode="c") if (folder / "space.npy").exists() else None

    def search(partition: Mapping[str, Any]) -> None:
        for number in partition["shards"]:
            if not shards.is_found(number):
                blocks = list(shards.blocks([number], told["workers"]))
                found = blocked.search_blocks(vectors, shards.k, space, shards.spare, blocks)
                rows = shards.rows(number)
                shards.keep(number, *(array[rows] for array in found))

    return search


def open_building(told: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], None]:
    """A function that builds some HNSW graphs, and puts them into the folder. Raises as `open_search`."""
    folder = Path(told["folder"])
    if not (folder / "space.npy").exists():
        raise EngineError(f"there is no {folder}; the home must be on a file system that all machines share")
    space = np.load(folder / "space.npy", mmap_mode="r")

    def build(partition: Mapping[str, Any]) -> None:
        for number in partition["shards"]:
            if not graph_file(folder, number).exists():
                graph = build_shard(space, told["ends"][number], told["m"], told["ef_construction"])
                with atomic_file(graph_file(folder, number)) as aside:
                    graph.save_index(str(aside))

    return build


def graph_file(folder: Path, number: int) -> Path:
    """Where a graph is put."""
    return folder / f"graph-{number:05d}.bin"


def _place(folder: Path, array: np.ndarray, words: str) -> Path:
    """The folder of this work on this array; what other work has left, which nobody goes on with, is removed."""
    place = folder / f"{xxhash.xxh3_128_hexdigest(np.ascontiguousarray(array).data)[:16]}-{words}"
    for other in folder.glob("*"):
        if other != place:
            shutil.rmtree(other, ignore_errors=True)
    return place


def _never_arrived(folder: Path, number: int) -> EngineError:
    return EngineError(
        f"workers did all of {folder}, and {number} is not there; the home must be on a file system that all machines "
        "of the cluster share"
    )


def _cut(cells: np.ndarray, n: int) -> np.ndarray:
    """Where to cut the rows into about CHUNKS shards at most: at ends of cells; where there is one cell, anywhere."""
    if len(cells) == 2:
        step = max(blocked.BLOCK_ROWS, -(-n // CHUNKS // blocked.BLOCK_ROWS) * blocked.BLOCK_ROWS)
        return np.append(np.arange(0, n, step), n)
    wanted = np.arange(0, n, max(1, n // CHUNKS))
    return np.unique(np.append(cells[np.searchsorted(cells, wanted)], n))


def _save(path: Path, array: np.ndarray) -> None:
    """Whole or not at all."""
    with atomic_file(path) as aside, aside.open("wb") as file:
        np.save(file, array, allow_pickle=False)
