"""What each version of each contract means: `lock.json`. `python -m assay.contracts.lock` adds new versions.

A version that is in the lock never changes its digest: changing a contract means raising its VERSION.
"""

import json
from pathlib import Path

from assay.contracts.tables import CONTRACTS, digest

LOCK = Path(__file__).parents[2] / "data_contracts" / "lock.json"


def read_lock() -> dict[str, dict[str, str]]:
    """Table → version → digest."""
    return json.loads(LOCK.read_text(encoding="utf-8")) if LOCK.exists() else {}


def broken_promises(lock: dict[str, dict[str, str]]) -> list[str]:
    """The tables whose contract changed without a new version, or whose version is not in the lock."""
    return [name for name, c in CONTRACTS.items() if lock.get(name, {}).get(str(c.VERSION)) != digest(name)]


def main() -> None:
    """Add versions that the lock does not know; refuse to change those that it does."""
    lock = read_lock()
    for name, contract in CONTRACTS.items():
        lock.setdefault(name, {}).setdefault(str(contract.VERSION), digest(name))
    if changed := broken_promises(lock):
        raise SystemExit(f"these contracts changed; raise their VERSION: {changed}")
    LOCK.write_text(json.dumps(lock, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
