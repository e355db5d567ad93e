"""Named views of a dataset: the state in the explorer's address, kept beside the decisions.

HOME/DATASET/decisions/views.json
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay.contracts.errors import AssayError
from assay.store.files import atomic_file
from assay.store.workspace import Workspace

MOST_VIEWS = 200
LONGEST_NAME, LONGEST_STATE = 80, 60_000  # characters


def read_views(workspace: Workspace) -> list[dict[str, Any]]:
    """`{name, state, who, at}` of each, by name; none where the file is absent or unreadable."""
    try:
        views = json.loads(_file(workspace).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return sorted(views, key=lambda view: view["name"].casefold()) if isinstance(views, list) else []


def save_view(workspace: Workspace, name: str, state: dict[str, Any] | None, who: str) -> None:
    """Save a view under a name, replacing one of that name; `state` None removes it.

    Raises:
        AssayError: the name is empty or too long, the state too large, or there are too many views.
    """
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise AssayError(f"a view's name has 1 to {LONGEST_NAME} characters; this one has {len(name)}")
    if len(json.dumps(state)) > LONGEST_STATE:
        raise AssayError("this view is too large to save: draw a simpler lasso")
    views = [view for view in read_views(workspace) if view["name"] != name]
    if state is not None:
        views.append({"name": name, "state": state, "who": who, "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}"})
    if len(views) > MOST_VIEWS:
        raise AssayError(f"{MOST_VIEWS} views are saved already; remove one first")
    with atomic_file(_file(workspace)) as aside:
        aside.write_text(json.dumps(views, ensure_ascii=False), encoding="utf-8")


def _file(workspace: Workspace) -> Path:
    return workspace.root / "decisions" / "views.json"
