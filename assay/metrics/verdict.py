"""A verdict with leeway, so that a sample does not turn from an issue into none overnight though it did not change.

Each metric answers three questions about a sample: whether it is an issue if there was no verdict before, whether it
stays one if it was one last night, and whether it becomes one if it was not. Becoming one is harder than being one at
first sight, and staying one is easier. The judge stage takes the answer that fits last night's verdict.
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
    """The verdicts by `rule`, which flags more the greater its argument; called with 1, 1 + leeway and 1 ÷ (1 +
    leeway)."""
    plain = rule(1.0)
    return Verdict(plain, plain | rule(1.0 + leeway), plain & rule(1.0 / (1.0 + leeway)))


def none_of(n: int) -> Verdict:
    """No issue in `n` rows, whatever last night's verdicts were."""
    nothing = np.zeros(n, dtype=bool)
    return Verdict(nothing, nothing, nothing)
