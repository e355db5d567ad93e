"""What several test folders share: Hypothesis without a clock, a night on digits with planted defects, a browser."""

import shutil

import hypothesis
import pytest

from assay.store.snapshots import Snapshot
from tests.corpus import write_digits
from tests.nightly import DIGITS_SPEC, run_nightly

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

# The same examples on every machine, and no example is wrong for being slow.
hypothesis.settings.register_profile(
    "assay", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("assay")


@pytest.fixture(scope="session")
def digits_night(tmp_path_factory) -> Snapshot:
    """A snapshot of 600 digits; the truth about them is three folders up, in truth.parquet."""
    base = tmp_path_factory.mktemp("night")
    write_digits(base / "digits", seed=0, n=600).write_parquet(base / "truth.parquet")
    (base / "digits.toml").write_text(DIGITS_SPEC)
    return run_nightly(base / "digits.toml", base / "home")


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
