"""The shared test corpus: real digits with planted defects, and what is wrong with each.

truth = write_digits(folder, seed=0, n=200)     # uri, kind, of, true_label
"""

from assay.selftest.digits import digit_samples, write_digits
from assay.selftest.plant import DEFECTS, NEAR_COPIES, Sample, plant

__all__ = ["DEFECTS", "NEAR_COPIES", "Sample", "digit_samples", "plant", "write_digits"]
