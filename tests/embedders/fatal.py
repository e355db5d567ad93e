"""A geometry that some pictures kill their worker with."""

import os

import numpy as np
from PIL import Image

from assay.embedders.geometry import Geometry

FATAL = (13, 13)


class FatalGeometry(Geometry):
    """Ends the process at a picture of FATAL pixels."""

    def in_pillow(self, image: Image.Image) -> np.ndarray:
        """As `Geometry.in_pillow`, if it returns."""
        if image.size == FATAL:
            os._exit(1)
        return super().in_pillow(image)
