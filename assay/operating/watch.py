"""What stands around a night: is there room, what came of it, what goes, what is told. None of it fails a night."""

import contextlib
import sys
import time
from collections.abc import Iterator

from assay.contracts.errors import QueuedError
from assay.contracts.spec import Spec
from assay.operating import nights
from assay.operating.news import News, of_failure, of_snapshot
from assay.operating.nights import Ended
from assay.operating.notify import tell
from assay.operating.prometheus import write_metrics
from assay.operating.retention import retain
from assay.store.snapshots import Snapshot, newest_snapshot
from assay.store.workspace import Workspace


class Watch:
    """One night, watched; see `watched` and `holding`."""

    def __init__(self, spec: Spec, workspace: Workspace) -> None:
        self.spec, self.workspace = spec, workspace
        self.news: News | None = None
        self._started, self._clock = nights.now(), time.monotonic()
        self._before: int | None = None

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """While the dataset's lock is held: a word where space is short; and where the night fails, a note of that."""
        with never_fails("looking at the disk"):
            before = newest_snapshot(self.workspace)
            self._before = int(before.manifest["tables"].get("samples", {}).get("rows", 0)) if before else None
            if words := nights.short_space(self.workspace):
                print(f"assay: {words}", file=sys.stderr, flush=True)
        try:
            yield
        except Exception as error:
            with never_fails("noting the night"), contextlib.suppress(OSError):  # a full disk is told as that
                self._note(None, str(error).strip() or type(error).__name__)
            raise

    def published(self, snapshot: Snapshot) -> None:
        """After publication, the lock still held: note the night, remove what is not to stay, gather the news."""
        with never_fails("noting the night"):
            self._note(snapshot.number, "")
        with never_fails("removing old snapshots"):
            retain(self.spec, self.workspace)
        with never_fails("gathering what is to be told"):
            space = nights.short_space(self.workspace)
            self.news = of_snapshot(self.spec, snapshot, self._before, space)

    def _note(self, number: int | None, error: str) -> None:
        """Put the night on record."""
        made = nights.written_since(self.workspace, self._started)
        seconds = round(time.monotonic() - self._clock, 3)
        nights.note(self.workspace, Ended(nights.now(), seconds, number, error[:2000], made))
        write_metrics(self.workspace)


@contextlib.contextmanager
def watched(spec: Spec, workspace: Workspace) -> Iterator[Watch]:
    """Around all of a night: at its end, when nothing is locked any more, what it came to is told."""
    watch = Watch(spec, workspace)
    try:
        yield watch
    except QueuedError:
        raise  # another night does its work
    except Exception as error:
        with never_fails("telling"):
            tell(spec.notify, of_failure(spec, error))
        raise
    with never_fails("telling"):
        if watch.news:
            tell(spec.notify, watch.news)


@contextlib.contextmanager
def never_fails(what: str) -> Iterator[None]:
    """What goes wrong inside is said, and no more."""
    try:
        yield
    except Exception as error:
        print(f"assay: {what} failed ({type(error).__name__}: {error}); the night goes on", file=sys.stderr, flush=True)
