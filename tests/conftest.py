"""What several test folders share: Hypothesis without a clock, one published night on digits with planted defects."""

import hypothesis
import pytest

from tasks.snapshots import Snapshot
from tests.corpus import write_digits
from tests.nightly import DIGITS_SPEC, run_nightly

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
