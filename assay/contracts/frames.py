"""dataframely, without what it loads for others: it imports SQLAlchemy wherever that is installed, as it is by Prefect.

Nothing here makes database tables of contracts, and the explorer would wait for it. Where SQLAlchemy is loaded already
it stays.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast

__all__ = ["dy"]


@contextmanager
def _absent(name: str) -> Iterator[None]:
    """While inside, importing a package that is not loaded raises `ImportError`, as if it were not installed."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = cast(ModuleType, None)
    try:
        yield
    finally:
        del sys.modules[name]


with _absent("sqlalchemy"):
    import dataframely as dy
