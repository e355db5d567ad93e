"""Vectors brought by the user: nothing to measure, nothing to show, nothing to embed."""

from assay.contracts.modality import Defect, Example, Face, Modality, Sample
from assay.modalities import alterations


def digits(seed: int) -> list[Sample]:
    """Real digits, a number of 0 to 16 a pixel."""
    import numpy as np
    from sklearn.datasets import load_digits

    found = load_digits()
    order = np.random.default_rng(seed).permutation(len(found.data))
    return [
        Sample(f"{n:07d}", found.data[i].astype(np.float32), str(found.target[i]), "test" if n % 5 == 0 else "train")
        for n, i in enumerate(order)
    ]


VECTORS = Modality(
    name="vectors",
    content="vector",
    face=Face("none", "vectors"),
    embedders=("vectors",),
    defects={
        "byte_duplicate": Defect("copy", "exact duplicates"),
        "nudged": Defect("copy", "near duplicates", alterations.nudge),
        "leak": Defect("leak", "leaks"),
        "off_topic": Defect("stranger", "outliers", alterations.random_direction),
        "flipped_label": Defect("label", "label issues"),
    },
    example=Example("digit-vectors", "scikit-learn's handwritten digits as vectors of 64 pixels", samples=digits),
)
