"""What a process of the cluster does with a partition. It answers in plain values, so that any version can read it."""

import functools
import os
import socket
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xxhash

from assay.contracts.errors import AssayError
from assay.engines.job import open_job
from assay.store.executor import keep_workers
from assay.store.machine import limit_cores

_open: dict[str, Callable[[Any], Any]] = {}  # the last job of this process, with all that it has loaded


@functools.cache
def versions() -> dict[str, str]:
    """What must be the same on all machines for their results to be: assay's version, and its code."""
    root = Path(__file__).parents[1]
    code = xxhash.xxh3_128()
    for path in sorted(root.rglob("*.py")) + sorted(root.rglob("*.sql")):
        code.update(path.relative_to(root).as_posix().encode())
        code.update(path.read_bytes())
    return {"version": version("assay"), "code": code.hexdigest()[:16]}


def do(wanted: Mapping[str, str], job: Mapping[str, Any], partition: Any) -> dict[str, Any]:
    """One partition.

    Args:
        wanted: the `versions` of the machine that asks.
        job: `key` (unique), `opener`, `told` as in `Job`, and `cores` to keep busy.

    Returns:
        `result` and `seconds`; or `error`, the name of a class of `contracts.errors` and its words.
    """
    try:
        if wanted != versions():
            return {"error": ["EngineError", _other_version(wanted)]}
        limit_cores(job["cores"])
        keep_workers()
        if job["key"] not in _open:
            _open.clear()
            _open[job["key"]] = open_job(job["opener"], job["told"])
        started = time.monotonic()
        result = _open[job["key"]](partition)
        return {"result": result, "seconds": time.monotonic() - started}
    except AssayError as error:
        return {"error": [type(error).__name__, f"{_here()}: {error}"]}


def _other_version(wanted: Mapping[str, str]) -> str:
    mine = versions()
    return (
        f"{_here()} has assay {mine['version']} (code {mine['code']}), and this night runs {wanted['version']} "
        f"(code {wanted['code']}); install the same assay on all machines of the cluster"
    )


def _here() -> str:
    """This machine and process, for a message."""
    return f"the worker {os.getpid()} on {socket.gethostname()}"
