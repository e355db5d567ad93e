"""What several test folders share: Hypothesis without a clock, a night on digits with planted defects, a browser."""

import functools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from filelock import FileLock

from assay.store.snapshots import Snapshot, newest_snapshot
from assay.store.workspace import Workspace
from tests.corpus import write_digits
from tests.modalities.two_towers import write_two_towers
from tests.nightly import DIGITS_SPEC, copied, run_nightly

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]

# Files that run for a minute and more, the longest first: else one of two workers is left with them at the end.
LONGEST = (
    "test_rot.py", "flows/test_checks.py", "deploy/test_worker.py", "flows/test_night.py", "flows/test_serve.py",
    "remote/test_publish.py", "test_hooks.py", "exporting/test_export.py", "explorer/test_accessible.py",
    "metrics/test_sets.py", "flows/test_text_and_vectors.py", "sources/test_carriers.py", "test_steadiness.py",
    "clean/test_large.py", "explorer/test_walk.py", "test_hardening.py", "metrics/test_metrics.py",
    "sources/test_hostile_tables.py", "embedders/test_pretrained.py", "remote/test_upkeep.py", "test_snapshots.py",
    "modalities/test_audio_pairs.py", "modalities/test_interactions.py", "modalities/test_objects.py",
    "flows/test_schedule.py", "modalities/test_towers.py", "metrics/test_degenerate.py", "test_plans.py",
)  # fmt: skip

# The same examples on every machine, and no example is wrong for being slow.
hypothesis.settings.register_profile(
    "assay", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("assay")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, the others in their order."""
    here = Path(__file__).parent
    turn = {here / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: turn.get(item.path, len(turn)))


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Torch has two threads, where `make test` gives each of its workers one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], None]], Path]:
    """`made_once(name, make)`: a folder that `make(folder)` filled, for the first of all workers that asked for it.

    Each worker has a copy of its own.
    """

    @functools.cache
    def find(name: str, make: Callable[[Path], None]) -> Path:
        here = tmp_path_factory.getbasetemp()
        if "PYTEST_XDIST_WORKER" not in os.environ:
            make(here / name)
            return here / name
        shared, is_made = here.parent / name, here.parent / f"{name}.made"
        with FileLock(f"{shared}.lock"):
            if not is_made.exists():
                shutil.rmtree(shared, ignore_errors=True)
                make(shared)
                is_made.touch()
        return copied(shared, here / name)

    return find


def write_digits_night(base: Path) -> None:
    """600 digits, the truth about them, and a night."""
    base.mkdir()
    write_digits(base / "digits", seed=0, n=600).write_parquet(base / "truth.parquet")
    (base / "digits.toml").write_text(DIGITS_SPEC)
    run_nightly(base / "digits.toml", base / "home")


def teach_two_towers(folder: Path) -> None:
    """Half a minute of learning."""
    write_two_towers(folder, 200)


@pytest.fixture(scope="session")
def digits_night(made_once) -> Snapshot:
    """A snapshot of 600 digits; the truth about them is three folders up, in truth.parquet."""
    found = newest_snapshot(Workspace(made_once("digits-night", write_digits_night) / "home", "digits"))
    assert found is not None
    return found


@pytest.fixture(scope="session")
def two_towers(made_once) -> Path:
    """The folder of a small model that knows most digits, and what they are called."""
    return made_once("two-towers", teach_two_towers)


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium with software WebGL. One a module: Playwright's event loop runs as long as it does."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def peak_growth() -> Callable[[], float]:
    """MiB that the process's peak memory has grown by since the test began."""
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not clear.exists():
        pytest.skip("peak memory is measured through /proc")

    def peak() -> int:
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))

    clear.write_text("5")  # forget earlier tests' peaks
    before = peak()
    return lambda: (peak() - before) / 1024
