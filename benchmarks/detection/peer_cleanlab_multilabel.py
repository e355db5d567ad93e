"""Runs in the peers' own environment: cleanlab's multi-label scores and flags on given arrays.

python peer_cleanlab_multilabel.py IN.npz OUT.npz     IN: carried (n, K) bool, and arrays of probabilities (n, K) →
OUT: for each of these NAME_score (1 is an issue), NAME_flag
"""

import sys

import numpy as np
from cleanlab.multilabel_classification import get_label_quality_scores
from cleanlab.multilabel_classification.filter import find_label_issues

with np.load(sys.argv[1]) as stored:
    labels = [np.nonzero(row)[0].tolist() for row in stored["carried"]]
    out = {}
    for name in stored.files:
        if name == "carried":
            continue
        probabilities = stored[name].astype(np.float64)
        out[f"{name}_score"] = 1.0 - get_label_quality_scores(labels, probabilities)
        out[f"{name}_flag"] = find_label_issues(labels, probabilities, n_jobs=1)
np.savez(sys.argv[2], **out)
