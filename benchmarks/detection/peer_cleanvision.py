"""Runs in the peers' own environment: CleanVision's exact and near duplicates of a folder of images.

python peer_cleanvision.py FOLDER OUT.json     OUT: seconds, and the sets of relative paths
"""

import contextlib
import io
import json
import sys
import time
from pathlib import Path

from cleanvision import Imagelab

folder = Path(sys.argv[1]).resolve()
started = time.perf_counter()
with contextlib.redirect_stdout(io.StringIO()):
    lab = Imagelab(data_path=str(folder))
    lab.find_issues({"exact_duplicates": {}, "near_duplicates": {}}, n_jobs=2)
seconds = time.perf_counter() - started
sets = [group for kind in ("exact_duplicates", "near_duplicates") for group in lab.info[kind]["sets"]]
relative = [[str(Path(path).resolve().relative_to(folder)) for path in group] for group in sets]
Path(sys.argv[2]).write_text(json.dumps({"seconds": seconds, "sets": relative}), encoding="utf-8")
