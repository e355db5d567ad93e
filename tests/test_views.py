"""Saved views of the explorer: none is lost, whoever saves at the same time, and whatever happened to the file."""

import subprocess
import sys

import pytest

from assay.contracts.errors import AssayError
from assay.store.views import MOST_VIEWS, read_views, save_view
from assay.store.workspace import Workspace

SAVING = """
import sys
from pathlib import Path
from assay.store.views import save_view
from assay.store.workspace import Workspace
for number in range(25):
    save_view(Workspace(Path(sys.argv[1]), "d"), f"{sys.argv[2]} {number}", {"page": "map"}, "somebody")
"""


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path, "d")


def names(workspace: Workspace) -> list[str]:
    return [view["name"] for view in read_views(workspace)]


def test_a_view_is_saved_replaced_and_removed(workspace):
    """By its name without blanks around it; the list is in the order of names, capital or not."""
    for name in ("b", " A ", "c"):
        save_view(workspace, name, {"page": "map"}, "ann")
    save_view(workspace, "c", {"page": "review"}, "ben")
    save_view(workspace, "b", None, "ben")
    assert names(workspace) == ["A", "c"]
    assert read_views(workspace)[1]["state"] == {"page": "review"} and read_views(workspace)[1]["who"] == "ben"


def test_views_saved_at_once_are_all_kept(workspace, tmp_path):
    """Two processes, twenty-five each."""
    running = [subprocess.Popen([sys.executable, "-c", SAVING, str(tmp_path), who]) for who in ("one", "two")]
    assert [process.wait(120) for process in running] == [0, 0]
    assert sorted(names(workspace)) == sorted(f"{who} {number}" for who in ("one", "two") for number in range(25))


@pytest.mark.parametrize("content", ["[{", '{"name": "x"}', '[{"state": {}}]', "[1]", "\udcff"])
def test_a_damaged_file_is_not_written_over(workspace, content):
    """What is there shows as none, and stays for somebody to mend."""
    save_view(workspace, "a", {}, "ann")
    path = workspace.root / "decisions" / "views.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert names(workspace) == []
    with pytest.raises(AssayError, match="cannot be read"):
        save_view(workspace, "b", {}, "ann")
    assert path.read_bytes() == content.encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("name", "state", "message"),
    [("  ", {}, "1 to 80 characters"), ("n" * 81, {}, "has 81"), ("a", {"lasso": "x" * 60_000}, "too large")],
)
def test_what_cannot_be_saved_is_said(workspace, name, state, message):
    """And nothing is written."""
    with pytest.raises(AssayError, match=message):
        save_view(workspace, name, state, "ann")
    assert names(workspace) == []


def test_there_is_an_end_to_views(workspace):
    """A full list still takes another version of one, and one in the place of one that goes."""
    for number in range(MOST_VIEWS):
        save_view(workspace, f"v{number}", {}, "ann")
    with pytest.raises(AssayError, match="remove one first"):
        save_view(workspace, "one more", {}, "ann")
    save_view(workspace, "v7", {"page": "map"}, "ann")
    save_view(workspace, "v8", None, "ann")
    save_view(workspace, "one more", {}, "ann")
    assert len(read_views(workspace)) == MOST_VIEWS
