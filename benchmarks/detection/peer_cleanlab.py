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
    issues = lab.get_issues("label")
    return 1.0 - issues["label_score"].to_numpy(), issues["is_label_issue"].to_numpy(), time.perf_counter() - started


def apart(features: np.ndarray) -> np.ndarray:
    """The features in float64, each moved by a ten millionth.

    Datalab takes a sample for one of its own 11 nearest and takes its label off their votes. Where 11 or more vectors
    are equal it may not be, its chance is then below 0, and Datalab refuses all of them.
    """
    return features.astype(np.float64) + 1e-7 * np.random.default_rng(0).normal(size=features.shape)


with np.load(sys.argv[1]) as stored, contextlib.redirect_stdout(io.StringIO()):
    probed = run(stored["labels"], pred_probs=stored["probabilities"].astype(np.float64))
    near = run(stored["labels"], features=apart(stored["features"]))
np.savez(
    sys.argv[2],
    probed_score=probed[0], probed_flag=probed[1], probed_seconds=probed[2],
    near_score=near[0], near_flag=near[1], near_seconds=near[2],
)  # fmt: skip
