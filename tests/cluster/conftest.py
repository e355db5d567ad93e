"""A Ray cluster on this machine: a head that does no work, and raylets that do. `make test-cluster` runs the tests."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.embedders.conftest import tiny_model

__all__ = ["tiny_model"]
MEMORY = {"object_store_memory": 100_000_000, "include_dashboard": False}
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "200", "RAY_worker_niceness": "0"}
ROOT = str(Path(__file__).parents[2])


class Raylets:
    """Starts and kills the machines of a cluster."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **MEMORY})
        self.address: str = self.cluster.address

    def add(self, code: str = ROOT):
        """A machine with one core, and the assay that is in the folder `code`."""
        path = os.pathsep.join([code, *(place for place in sys.path if place and place != ROOT)])
        return self.cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": path}, wait=True, **MEMORY)

    def kill(self, node) -> None:
        """End a machine at once, in the middle of what it does."""
        self.cluster.remove_node(node, allow_graceful=False)


@pytest.fixture(scope="session")
def head():
    """A cluster without a machine that works."""
    started = Raylets()
    yield started
    started.cluster.shutdown()


@pytest.fixture
def raylets(head):
    """The same; the machines that a test adds end with it."""
    yield head
    for node in list(head.cluster.worker_nodes):
        head.kill(node)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """A folder of 2,500 pictures of noise in two classes, the third and the fourth alike, one of them damaged."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for number in range(2_500):
        place = folder / "ab"[number % 2]
        place.mkdir(exist_ok=True)
        pixels = rng.integers(0, 256 if number % 2 else 180, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number:05d}.png", compress_level=1)
    (folder / "b" / "00003.png").write_bytes((folder / "a" / "00002.png").read_bytes())
    damaged = folder / "b" / "00005.png"
    damaged.write_bytes(damaged.read_bytes()[:200])
    return folder
