"""Named views of a dataset: the state in the explorer's address, kept beside the decisions.

HOME/DATASET/decisions/views.json
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock

from assay.contracts.errors import AssayError
from assay.store.files import atomic_file
from assay.store.workspace import Workspace

MOST_VIEWS = 200
LONGEST_NAME, LONGEST_STATE = 80, 60_000  # characters


def read_views(workspace: Workspace) -> list[dict[str, Any]]:
    """`{name, state, who, at}` of each, by name; none where the file is absent or unreadable."""
    try:
        return _stored(workspace)
    except (OSError, ValueError):
        return []


def _stored(workspace: Workspace) -> list[dict[str, Any]]:
    """As `read_views`; raises where the file is there and cannot be read."""
    try:
        views = json.loads(_file(workspace).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    if not (
        isinstance(views, list) and all(isinstance(view, dict) and isinstance(view.get("name"), str) for view in views)
    ):
        raise ValueError("it is no list of views")
    return sorted(views, key=lambda view: view["name"].casefold())


def save_view(workspace: Workspace, name: str, state: dict[str, Any] | None, who: str) -> None:
    """Save a view under a name, replacing one of that name; `state` None removes it.

    Raises:
        AssayError: the name is empty or too long, the state too large, or there are too many views; or those that are
            saved cannot be read, and would be lost.
    """
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise AssayError(f"a view's name has 1 to {LONGEST_NAME} characters; this one has {len(name)}")
    if len(json.dumps(state)) > LONGEST_STATE:
        raise AssayError("this view is too large to save: draw a simpler lasso")
    path = _file(workspace)
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(workspace.root / ".views.lock"):
        try:
            views = [view for view in _stored(workspace) if view["name"] != name]
        except (OSError, ValueError) as error:
            raise AssayError(
                f"the saved views in {path} cannot be read ({error}); mend the file, or move it away"
            ) from None
        if state is not None:
            views.append({"name": name, "state": state, "who": who, "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}"})
        if len(views) > MOST_VIEWS:
            raise AssayError(f"{MOST_VIEWS} views are saved already; remove one first")
        with atomic_file(path) as aside:
            aside.write_text(json.dumps(views, ensure_ascii=False), encoding="utf-8")


def _file(workspace: Workspace) -> Path:
    return workspace.root / "decisions" / "views.json"
