"""Caltech-101 with near duplicates planted: what `near_duplicates.py` is measured on.

Ten kinds, five of them as in `assay/selftest/plant.py` and the same five stronger, each from originals of its own. The
originals are hard links; every planted image is a file under a name that says nothing of what it is.
"""

import os
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image, ImageEnhance, ImageOps

from assay.modalities.alterations import crop, decode, encode, mirror, reencode, relight, resize


def crop_strongly(content: bytes, rng: np.random.Generator) -> bytes:
    """8 to 15% cut off each side: about 60% of the area is left."""
    image = decode(content)
    left, top, right, bottom = rng.uniform(0.08, 0.15, 4)
    width, height = image.size
    return encode(image.crop((left * width, top * height, (1 - right) * width, (1 - bottom) * height)), quality=90)


def resize_strongly(content: bytes, rng: np.random.Generator) -> bytes:
    """0.25 to 0.5 of each side, and the aspect changed by up to a tenth."""
    image = decode(content)
    factor, stretch = rng.uniform(0.25, 0.5), rng.uniform(0.9, 1.1)
    size = (max(8, round(image.width * factor * stretch)), max(8, round(image.height * factor)))
    return encode(image.resize(size, Image.Resampling.LANCZOS), quality=90)


def reencode_strongly(content: bytes, rng: np.random.Generator) -> bytes:
    """JPEG at quality 10 to 30."""
    return encode(decode(content), quality=int(rng.integers(10, 31)))


def flip_strongly(content: bytes, rng: np.random.Generator) -> bytes:
    """Upside down, or left for right with 3 to 8% cut off each side."""
    if rng.random() < 0.5:
        return encode(ImageOps.flip(decode(content)), quality=90)
    return crop(mirror(content, rng), rng)


def relight_strongly(content: bytes, rng: np.random.Generator) -> bytes:
    """Brightness times 0.5 to 0.65, or 1.3 to 1.6, where light areas burn out."""
    factor = rng.uniform(0.5, 0.65) if rng.random() < 0.5 else rng.uniform(1.3, 1.6)
    return encode(ImageEnhance.Brightness(decode(content)).enhance(factor), quality=90)


KINDS = {
    "crop": crop,
    "resize": resize,
    "reencode": reencode,
    "flip": mirror,
    "brightness": relight,
    "crop_strong": crop_strongly,
    "resize_strong": resize_strongly,
    "reencode_strong": reencode_strongly,
    "flip_strong": flip_strongly,
    "brightness_strong": relight_strongly,
}


def plant_near_duplicates(originals: Path, folder: Path, per_kind: int, seed: int) -> pl.DataFrame:
    """Write `folder/CLASS/NAME.jpg` for the images below `originals` and `per_kind` copies of each kind.

    Returns:
        The truth: `uri` of each planted image, `kind`, and `of`, the uri of its original.
    """
    uris = sorted(str(path.relative_to(originals)) for path in originals.rglob("*.jpg"))
    uris = [uri for uri in uris if not uri.startswith("BACKGROUND_Google")]
    for uri in uris:
        (folder / uri).parent.mkdir(parents=True, exist_ok=True)
        os.link(originals / uri, folder / uri)
    rng = np.random.default_rng(seed)
    chosen = iter(rng.permutation(len(uris)).tolist())
    truth, number = [], 500_000
    for kind, alter in KINDS.items():
        for _ in range(per_kind):
            of = uris[next(chosen)]
            number += 1
            uri = f"{Path(of).parent}/image_{number}.jpg"
            (folder / uri).write_bytes(alter((originals / of).read_bytes(), rng))
            truth.append((uri, kind, of))
    return pl.DataFrame(truth, schema=["uri", "kind", "of"], orient="row")
