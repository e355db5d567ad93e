"""Times of interactions: every way of writing one moment, and cells that are none."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from assay.modalities.interactions.times import as_times

MOMENT = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
SECONDS = int(MOMENT.timestamp())
LOCAL = dt.timezone(dt.timedelta(hours=-5, minutes=-30))


@pytest.mark.parametrize("given", [
    "2024-05-01T12:00:00+00:00", "2024-05-01T14:00:00+02:00", "2024-05-01 06:30:00-0530", "2024-05-01T14:00+02",
    "2024-05-01T12:00Z", "2024-05-01t12:00:00.000z", "2024-05-01 12:00:00 UTC", " 2024-05-01 12:00 GMT ",
    f"{SECONDS}.0", f"{SECONDS / 1e9}e9", Decimal(SECONDS), MOMENT.astimezone(LOCAL), MOMENT.replace(tzinfo=None),
])  # fmt: skip
def test_a_moment_in_every_zone_and_type(given):
    """What has an offset is moved to UTC; what has none is UTC."""
    found, lost = as_times([given])
    assert lost == 0 and found.to_list() == [MOMENT]


@pytest.mark.parametrize(("given", "day"), [
    ("2024-05-01", (2024, 5, 1)), ("01.05.2024", (2024, 5, 1)), ("05/01/2024", (2024, 5, 1)),
    (dt.date(2024, 5, 1), (2024, 5, 1)), ("1971-01-01", (1971, 1, 1)), ("2100-12-31", (2100, 12, 31)),
])  # fmt: skip
def test_a_date_is_its_midnight(given, day):
    """A date's own minus signs are no offset."""
    assert as_times([given])[0].to_list() == [dt.datetime(*day, tzinfo=dt.UTC)]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Vienna", "+02:00"])
def test_time_stamps_of_parquet(unit, zone):
    """Any unit and zone, empty cells as such."""
    column = pa.array([MOMENT, None], pa.timestamp(unit, zone))
    found, lost = as_times(column)
    assert lost == 0 and found.to_list() == [MOMENT, None]


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()])
def test_dates_of_parquet(kind):
    """A day is its midnight, whichever way it is stored."""
    assert as_times(pa.array([dt.date(2024, 5, 1)], kind))[0].to_list() == [dt.datetime(2024, 5, 1, tzinfo=dt.UTC)]


def test_one_cell_that_is_no_time_costs_itself():
    """Among numbers as text (all of a CSV), among numbers, among dates."""
    for given in (str(SECONDS), SECONDS, MOMENT, "2024-05-01T12:00:00Z", "01.05.2024"):
        found, lost = as_times([given, "unknown", given, None, "", " "])
        assert lost == 1 and found.is_null().to_list() == [False, True, False, True, True, True]


@pytest.mark.parametrize("column", [
    [[SECONDS]], [{"at": SECONDS}], [True], [b"2024"], [float("nan")], ["nan"], ["inf"], [10**400], [-SECONDS],
    [dt.time(12)], [dt.timedelta(days=1)], [dt.datetime.max], ["2024-13-01"], ["12:00:00+02:00"], ["1' or '1'='1"],
    pa.array([1], pa.time32("s")), pa.array([SECONDS], pa.duration("s")), pa.array([2**62], pa.timestamp("s")),
    pa.array([2**64 - 1], pa.uint64()), pa.array([[SECONDS]]), pa.array([{"at": SECONDS}]), pa.array([b"x"]),
    pa.array(["x"]).dictionary_encode(),
], ids=str)  # fmt: skip
def test_what_is_no_time_is_null_and_counted(column):
    """Whatever type the cell has; a time of day is no time, as it has no day."""
    found, lost = as_times(column)
    assert found.to_list() == [None] and lost == 1


def test_an_empty_column():
    """No rows, no times."""
    found, lost = as_times([])
    assert found.is_empty() and lost == 0
