"""Which models have a tower of words beside that of pictures or sounds, so that both can be compared."""

import json
import os
from pathlib import Path
from typing import Any

LOCAL = "local-dir:"


def has_text_tower(kind: str, model: str, base: Path) -> bool:
    """Whether a model can embed words in the space of its pictures or sounds: one of open_clip with a real text tower
    (a placeholder of one layer is none), or CLAP by transformers.

    Args:
        kind, model: as in `[embed]`.
        base: the folder that a `local-dir:` starts at.
    """
    if kind not in ("open_clip", "transformers"):
        return False
    if not model.startswith(LOCAL):
        return kind == "open_clip" or "clap" in model.lower()
    folder = base / Path(os.path.expanduser(model.removeprefix(LOCAL)))
    if kind == "transformers":
        return _json(folder / "config.json").get("model_type") == "clap"
    config = _json(folder / "open_clip_config.json").get("model_cfg")
    tower = config.get("text_cfg") if isinstance(config, dict) else None
    return isinstance(tower, dict) and bool(tower.get("hf_model_name") or tower.get("layers", 12) >= 2)


def _json(file: Path) -> dict[str, Any]:
    """What a file says; nothing where it cannot be read, which others tell of."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
