"""The worker of `deploy/`: settles what an earlier worker left under way, then becomes `prefect worker start`.

    python flows/worker.py [--pool assay] [--home HOME] [further options of `prefect worker start`]

Prefect's server knows of a run only what it was told last, so a run whose worker was killed stays `Running` for it.
Every worker of a home holds `HOME/.prefect/worker.lock`, shared with the others, until it ends, however that is. The
one that is alone with it at its start knows that nobody runs anything: what is under way is dead (`flows/recover.py`).
"""

import argparse
import fcntl
import os
import sys
from pathlib import Path
from uuid import UUID

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from flows.recover import recover


def settle(pool: str, home: str) -> list[str]:
    """What an earlier worker left of the pool's deployments that write to `home`, settled; a sentence each."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName

    with get_client(sync_client=True) as client:
        chosen = WorkPoolFilter(name=WorkPoolFilterName(any_=[pool]))
        found = client.read_deployments(work_pool_filter=chosen, limit=200)
        ours = [one for one in found if os.path.abspath(one.parameters.get("home", home)) == home]
        names: dict[UUID, str] = {one.id: one.name for one in ours}
        return recover(client, names, by_hand={one.id for one in ours if not one.schedules})


def main() -> None:
    """The process: it settles while nobody else can start, then lets others in and becomes Prefect's worker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", default="assay")
    parser.add_argument("--home", default=os.environ.get("ASSAY_HOME", "assay-home"))
    chosen, further = parser.parse_known_args()
    home = Path(os.path.abspath(chosen.home))
    try:
        (home / ".prefect").mkdir(parents=True, exist_ok=True)
        lock = os.open(home / ".prefect" / "worker.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        sys.exit(f"assay: {error.filename}: {error.strerror}; the worker needs a home that it can write")
    if is_alone(lock):
        import httpx

        try:
            for sentence in settle(chosen.pool, str(home)):
                print(f"assay: {sentence}", file=sys.stderr, flush=True)
        except httpx.HTTPError as error:
            server = os.environ.get("PREFECT_API_URL", "")
            sys.exit(f"assay: the Prefect server {server!r} cannot be asked ({error}); wanted in PREFECT_API_URL")
    fcntl.flock(lock, fcntl.LOCK_SH)
    os.set_inheritable(lock, True)  # by what this process becomes; what that starts does not get it
    prefect = [sys.executable, "-m", "prefect", "worker", "start", "--pool", chosen.pool, "--type", "process", *further]
    os.execv(sys.executable, prefect)


def is_alone(lock: int) -> bool:
    """Whether no other worker holds the lock; then it is held so that none starts meanwhile."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


if __name__ == "__main__":
    main()
