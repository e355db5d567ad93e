"""The rim: Prefect's flows and tasks, which use this library and are no part of it.

In a checkout they stand beside the package. The wheel carries them as files inside it, since nobody may take the names
`flows` and `tasks` at the top of site-packages. They run in a process of their own, whose path begins there.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path


def rim() -> Path:
    """The folder that holds `flows/` and `tasks/`."""
    carried = Path(__file__).with_name("_rim")
    return carried if carried.is_dir() else Path(__file__).parents[1]


def rim_environment() -> dict[str, str]:
    """This process's environment, with the rim first on Python's path and the working directory not on it."""
    path = os.pathsep.join(filter(None, (str(rim()), os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def become(script: str, arguments: Sequence[str]) -> None:
    """Replace this process by a script of the rim, such as `flows/serve.py`, which lets the signals in again that are
    held back meanwhile."""
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    os.execve(sys.executable, [sys.executable, str(rim() / script), *arguments], rim_environment())
