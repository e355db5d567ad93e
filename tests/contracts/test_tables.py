"""The contracts: each is locked to its version, and says what it forbids."""

import polars as pl
import pytest

from assay.contracts import lock, tables
from assay.contracts.errors import ContractError
from assay.store.parts import check


def test_no_contract_changed_without_a_new_version():
    """lock.json pins the digest of every version; `python -m assay.contracts.lock` adds a new one."""
    assert lock.broken_promises(lock.read_lock()) == []


def test_a_changed_contract_is_noticed(monkeypatch):
    """Adding a column to a contract without raising VERSION breaks the promise."""
    changed = type("Units", (tables.Units,), {"extra": tables.dy.String()})
    monkeypatch.setitem(tables.CONTRACTS, "units", changed)
    assert lock.broken_promises(lock.read_lock()) == ["units"]


def test_every_contract_has_a_docstring_and_an_empty_frame():
    """A newcomer can ask any table for its columns."""
    for name, contract in tables.CONTRACTS.items():
        assert contract.__doc__, name
        assert tables.empty(name).columns == list(contract.columns()), name


def scores(**changes) -> pl.DataFrame:
    row = {"sample_id": "a", "metric": "dark", "score": 0.5, "value": None, "is_issue": False}
    return pl.DataFrame([row | changes])


def test_rows_within_the_contract_pass_with_its_types():
    """Columns come back in the contract's order and types."""
    frame = check("scores", scores().select("is_issue", "value", "score", "metric", "sample_id"))
    assert frame.schema == tables.empty("scores").schema


@pytest.mark.parametrize(
    ("frame", "rule"),
    [
        (scores(score=1.5), "score|max"),
        (scores(score=-0.1), "score|min"),
        (scores(score=float("nan")), "score"),
        (scores(sample_id=None), "sample_id|nullability"),
        (pl.concat([scores(), scores()]), "primary_key"),
        (scores().drop("score"), "lacks the columns"),
    ],
)
def test_rows_outside_the_contract_stop_the_stage(frame, rule):
    """The message names the rule that was broken."""
    with pytest.raises(ContractError) as raised:
        check("scores", frame)
    assert rule in str(raised.value)


@pytest.mark.parametrize("page", ["tables.md", "spec.md"])
def test_the_pages_say_what_the_code_says(page):
    """docs/tables.md and docs/spec.md are written by `python -m assay.contracts.document`."""
    from assay.contracts.document import DOCS, PAGES

    assert (DOCS / page).read_text(encoding="utf-8") == PAGES[page]()
