"""Vectors brought by the user: nothing to measure, nothing to show, nothing to embed."""

from assay.contracts.modality import Face, Modality
from assay.modalities import alterations

VECTORS = Modality(
    name="vectors",
    content="vector",
    face=Face("none", "vectors"),
    embedders=("vectors",),
    defects={
        "byte_duplicate": alterations.as_is,
        "nudged": alterations.nudge,
        "leak": alterations.as_is,
        "off_topic": alterations.random_direction,
        "flipped_label": None,
    },
)
