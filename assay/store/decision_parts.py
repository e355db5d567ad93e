"""The files of decisions: where they are, whether they are whole, and the SQL over them. No Polars, so queries start
fast."""

import contextlib
import os
import re
import sys
from pathlib import Path

from assay.store.digests import fast_digest
from assay.store.workspace import Workspace

STANDING = Path(__file__).with_name("decisions.sql")
CLEANED = Path(__file__).with_name("cleaned.sql")
DIGESTED = re.compile(r"part-.*-([0-9a-f]{32})\.parquet")


def decisions_folder(workspace: Workspace) -> Path:
    """Where the parts are."""
    return workspace.root / "decisions"


def part_names(workspace: Workspace) -> tuple[str, ...]:
    """The names of all parts, sorted; it changes whenever somebody decides."""
    try:
        names = [path.name for path in decisions_folder(workspace).iterdir()]
    except FileNotFoundError:
        return ()
    return tuple(sorted(name for name in names if name.startswith("part-") and name.endswith(".parquet")))


def is_whole(part: Path) -> bool:
    """Whether a part's bytes match the digest in its name; one from before there were digests is believed. A part that
    does not match is moved aside under a hidden name, and reported."""
    digest = DIGESTED.fullmatch(part.name)
    try:
        if digest is None or fast_digest(part) == digest[1]:
            return True
        with contextlib.suppress(PermissionError):
            os.replace(part, part.with_name(f".damaged-{part.name}"))
    except FileNotFoundError:  # gone, or put aside by another process
        return False
    except OSError as error:
        print(f"decisions: {part} cannot be read and is skipped: {error.strerror}", file=sys.stderr)
        return False
    print(f"decisions: {part} is not what was written; it is put aside, `assay verify` says more", file=sys.stderr)
    return False
