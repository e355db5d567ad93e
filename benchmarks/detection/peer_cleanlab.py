"""Runs in the peers' own environment: cleanlab Datalab's label issues on given arrays.

python peer_cleanlab.py IN.npz OUT.npz     IN: labels, features, probabilities → OUT: scores, flags, seconds
"""

import contextlib
import io
import sys
import time

import numpy as np
from cleanlab import Datalab


def run(labels: np.ndarray, **given: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """`(score, flag, seconds)`; the score turned so that 1 is an issue."""
    started = time.perf_counter()
    lab = Datalab(data={"label": labels.tolist()}, label_name="label", verbosity=0)
    lab.find_issues(issue_types={"label": {}}, **given)
    try:
        issues = lab.get_issues("label")
    except ValueError:  # its own kNN probabilities can pass 1 by a rounding error, which it then refuses
        return np.full(len(labels), np.nan), np.zeros(len(labels), dtype=bool), time.perf_counter() - started
    return 1.0 - issues["label_score"].to_numpy(), issues["is_label_issue"].to_numpy(), time.perf_counter() - started


with np.load(sys.argv[1]) as stored, contextlib.redirect_stdout(io.StringIO()):
    probed = run(stored["labels"], pred_probs=stored["probabilities"].astype(np.float64))
    near = run(stored["labels"], features=stored["features"])
np.savez(
    sys.argv[2],
    probed_score=probed[0], probed_flag=probed[1], probed_seconds=probed[2],
    near_score=near[0], near_flag=near[1], near_seconds=near[2],
)  # fmt: skip
