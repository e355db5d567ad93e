"""The open snapshots of one dataset, and what is remembered of each between two questions."""

import threading

from assay.explorer import points as drawing
from assay.explorer.encoding import Encoder
from assay.reading import samples
from assay.reading.columns import View
from assay.reading.facts import reader
from assay.reading.selection import Selections, by_height
from assay.store.decision_parts import part_names
from assay.store.decisions import DecisionLog
from assay.store.predictions import read_predictions
from assay.store.snapshots import open_snapshot
from assay.store.workspace import Workspace

KEPT_VIEWS = 2
Opened = tuple[View, Selections, samples.Raw, Encoder]


class Explorer:
    """One dataset: its open views and what is remembered of each.

    Attributes:
        most_points: that the page draws at a time.
    """

    most_points = drawing.MOST_POINTS

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._log = DecisionLog(workspace)
        self._decided = part_names(workspace)
        self._views: dict[int, Opened] = {}
        self._lock = threading.RLock()

    def view(self, number: int) -> View:
        """The view of one snapshot; the least recently opened of the others is let go."""
        return self._open(number)[0]

    def selections(self, number: int) -> Selections:
        """Its recent selections."""
        return self._open(number)[1]

    def raw(self, number: int) -> samples.Raw:
        """Its raw samples."""
        return self._open(number)[2]

    def encoder(self, number: int) -> Encoder:
        """What makes vectors of words and pictures that are searched for."""
        return self._open(number)[3]

    def _open(self, number: int) -> Opened:
        self.decided()
        with self._lock:
            if number not in self._views:
                snapshot = open_snapshot(self.workspace, number)
                view = View(snapshot, self._log.read, lambda: read_predictions(self.workspace))
                encoder = Encoder(self.workspace, view)
                view.encode = lambda kind, value: getattr(encoder, kind)(value)
                self._views[number] = (view, Selections(view), samples.Raw(view), encoder)
                while len(self._views) > KEPT_VIEWS:
                    del self._views[next(iter(self._views))]
            found = self._views.pop(number)
            self._views[number] = found
            return found

    def warm(self) -> None:
        """Read what the first picture of the newest snapshot needs, before anybody asks."""
        view = self.view(open_snapshot(self.workspace).number)
        everything = self.selections(view.snapshot.number).mask({})
        for method in view.layouts()[:1]:
            drawing.choose(view, method, None, everything, drawing.MOST_POINTS)
            by_height(view, method)
        for key in ("issue", "label", "duplicate", "decision"):
            view.column(key)
        view.flags()
        if view.snapshot.parts(view.face["facts"]):
            for column in filter(None, (view.face["preview"], view.face["text"])):
                reader(view, view.face["facts"], column)

    def brought(self) -> None:
        """Predictions were brought: every view is opened anew."""
        with self._lock:
            self._views.clear()

    def decided(self) -> None:
        """Where somebody decided, here or elsewhere, what depends on it is read anew."""
        names = part_names(self.workspace)
        with self._lock:
            if names == self._decided:
                return
            self._decided = names
            for view, selections, *_ in self._views.values():
                view.forget("decisions", "decided_rows", ("column", "decision"), ("counts", "decision"))
                selections.forget()
