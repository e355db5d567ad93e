"""A Prefect server's database, made once: making one takes a new server longer than all else that it starts with."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STARTED = """
import sys
from pathlib import Path
from flows.prefect_server import prefect_server

with prefect_server(Path(sys.argv[1])) as server:
    server.start(brief=True)
    server.wait()
server.process.wait()
"""


def start_a_server(folder: Path) -> None:
    """Start a server in a folder, and end it once it answers."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    command = [sys.executable, "-c", STARTED, str(folder)]
    subprocess.run(command, cwd=ROOT, env=kept | {"HOME": str(folder.parent)}, check=True)


@pytest.fixture(scope="session")
def a_database(made_once) -> Callable[[Path], None]:
    """`a_database(folder)`: a server in this folder finds the database of one that was asked for nothing."""

    def put(folder: Path) -> None:
        folder.mkdir(parents=True)
        for file in made_once("prefect", start_a_server).glob("prefect.db*"):
            shutil.copy(file, folder)

    return put
