"""A verdict and its leeway, so that a sample is not called an issue one night and none the next for nothing of its own.

What computes a metric says three things of a sample: whether it is an issue where nothing was said of it before;
whether it stays one that it was last night; and whether it becomes one that it was not. The last is harder than the
first, and the second easier. The judge stage takes the one that fits last night's verdict.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Verdict:
    """`is_issue`, `stays` and `starts`, each (n,) bool; `starts` implies `is_issue`, and that implies `stays`."""

    is_issue: np.ndarray
    stays: np.ndarray
    starts: np.ndarray

    def of(self, rows: np.ndarray) -> "Verdict":
        """The verdicts of the rows, in their order."""
        return Verdict(self.is_issue[rows], self.stays[rows], self.starts[rows])

    def columns(self) -> dict[str, np.ndarray]:
        """The columns of `measures` and `label_findings`."""
        return {"is_issue": self.is_issue, "stays": self.stays, "starts": self.starts}


def with_leeway(rule: Callable[[float], np.ndarray], leeway: float) -> Verdict:
    """The verdicts by a rule that flags more the greater its argument: it gets 1, 1 + leeway and 1 ÷ (1 + leeway)."""
    plain = rule(1.0)
    return Verdict(plain, plain | rule(1.0 + leeway), plain & rule(1.0 / (1.0 + leeway)))


def none_of(n: int) -> Verdict:
    """No issue in `n` rows, whatever was said of them before."""
    nothing = np.zeros(n, dtype=bool)
    return Verdict(nothing, nothing, nothing)
