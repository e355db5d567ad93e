"""The stages, one package each, and what they share.

Threads of torch and NumPy that wait for each other sleep instead of spinning, unless the user has said otherwise: on
cores that others use as well, or under a CPU quota, spinning makes small matrices several times as slow.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # 2⁴ cycles, the least there is
