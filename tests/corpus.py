"""The shared test corpus: real digits with planted defects, and what is wrong with each.

truth = write_digits(folder, seed=0, n=200)     # uri, kind, of, true_label
"""

from assay.contracts.modality import find_modality
from assay.selftest.digits import digit_samples, write_digits
from assay.selftest.plant import NEAR_COPIES, Sample, plant

DEFECTS = {name: find_modality(name).defects for name in ("image", "text", "vectors")}

__all__ = ["DEFECTS", "NEAR_COPIES", "Sample", "digit_samples", "plant", "write_digits"]
