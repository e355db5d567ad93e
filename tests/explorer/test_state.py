"""The open snapshots of one dataset: made ready ahead, few at a time, read anew where somebody decided."""

import polars as pl
import pytest

from assay.explorer.state import KEPT_VIEWS, Explorer
from assay.store.decisions import append_decisions
from assay.store.workspace import Workspace
from tests.explorer.make_snapshot import make_snapshot


def bare(tables):
    """No projection, no judgement, no facts: the barest snapshot that there can be."""
    return {"samples": tables["samples"].with_columns(label=pl.lit(None, pl.String), split=pl.lit(None, pl.String))}


@pytest.mark.parametrize(("modality", "change"), [("image", dict), ("text", dict), ("image", bare)])
def test_everything_is_made_ready_ahead(tmp_path, modality, change):
    """Whatever the snapshot has; a mistake there would be silent, as it happens beside the page."""
    make_snapshot(
        tmp_path,
        "toy",
        40,
        1,
        modality=modality,
        hostile=False,
        change=lambda tables: change(tables) | kept(tables, change),
    )
    explorer = Explorer(Workspace(tmp_path, "toy"))
    explorer.warm()
    assert explorer.view(1) is explorer.view(1)


def kept(tables, change):
    """Tables without which `make_snapshot` does not write."""
    return {} if change is dict else {"label_issues": tables["label_issues"].clear()}


def test_few_snapshots_are_open_at_a_time(tmp_path):
    """The one that was not looked at for longest is let go, and opened again when it is asked for."""
    for number in (1, 2, 3):
        make_snapshot(tmp_path, "toy", 20, number, hostile=False)
    explorer = Explorer(Workspace(tmp_path, "toy"))
    first, second = explorer.view(1), explorer.view(2)
    assert explorer.view(1) is first and KEPT_VIEWS == 2
    explorer.view(3)
    assert explorer.view(1) is first
    assert explorer.view(2) is not second


def test_what_another_process_decides_is_seen(tmp_path):
    """Filters on decisions select anew; the rest stays as it was read."""
    make_snapshot(tmp_path, "toy", 20, 1, hostile=False)
    workspace = Workspace(tmp_path, "toy")
    explorer = Explorer(workspace)
    view, wanted = explorer.view(1), {"values": {"decision": ["drop"]}}
    label = view.column("label")
    assert explorer.selections(1).mask(wanted).sum() == 0
    append_decisions(workspace, view.samples_of([3]), "drop", None, "kim", 1)
    assert explorer.selections(1).mask(wanted).nonzero()[0].tolist() == [3]
    assert explorer.view(1).column("label") is label


def test_predictions_open_every_view_anew(tmp_path):
    """Their columns are part of the catalogue."""
    make_snapshot(tmp_path, "toy", 20, 1, hostile=False)
    workspace = Workspace(tmp_path, "toy")
    explorer = Explorer(workspace)
    before = explorer.view(1)
    explorer.brought()
    assert explorer.view(1) is not before
