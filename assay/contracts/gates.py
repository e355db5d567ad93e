"""Gates in words, and the names that a gate may have besides those of single numbers."""

import difflib
from collections.abc import Mapping
from typing import Any

from assay.contracts.metrics import BUILT_IN, offered

COUNTED = ("issues", "rate", "new", "resolved")  # `issues:dark`: of samples, by the metric
SIDES = (
    ("min", "at least {:g}"),
    ("max", "at most {:g}"),
    ("max_rise", "at most {:g} more than before"),
    ("max_fall", "at most {:g} less than before"),
)


def counted(name: str) -> tuple[str, str] | None:
    """`issues:dark` as what is counted and the metric; None for the name of a single number."""
    kind, colon, metric = name.partition(":")
    return (kind, metric) if colon and kind in COUNTED else None


def complaint(name: str, by: str) -> str | None:
    """Why a gate cannot have this name, or not by group; None where it can."""
    found = counted(name)
    if found is None:
        if by and name != "n_samples":
            return (
                f"`{name}` is one number; by group there are n_samples and {', '.join(f'{k}:METRIC' for k in COUNTED)}"
            )
        return None
    known = sorted({metric.name for metric in BUILT_IN} | set(offered()))
    if found[1] in known:
        return None
    nearest = difflib.get_close_matches(found[1], known, n=1, cutoff=0.5)
    return f"there is no metric `{found[1]}`; " + (
        f"did you mean `{found[0]}:{nearest[0]}`?" if nearest else "see docs/metrics.md"
    )


def holds(gates: list[dict[str, Any]]) -> bool:
    """Whether no gate that fails a night is broken; one of level `warn` only warns."""
    return all(gate["ok"] or gate.get("level") == "warn" for gate in gates)


def says(gate: Mapping[str, Any]) -> str:
    """What a judged gate found, and what was wanted: `new:label_issue is 63, wanted at most 50`."""
    limits = " and ".join(words.format(gate[side]) for side, words in SIDES if gate.get(side) is not None)
    value = "absent" if gate["value"] is None else f"{gate['value']:.4g}"
    where = f" where {gate['by']} is {gate['group']}" if gate.get("group") is not None else ""
    before = f", before {gate['before']:.4g}" if gate.get("before") is not None else ""
    more = gate.get("n_broken", 0) - 1
    others = f", and {more:,} more group{'s' if more > 1 else ''}" if more > 0 else ""
    return f"{gate['metric']} is {value}{where}{before}, wanted {limits}{others}"
