"""Images: what the stages know of them. What computes is imported when it is called."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from assay.contracts.modality import Copies, Defect, Example, Face, Facts, Modality, Sample
from assay.contracts.spec import Spec
from assay.contracts.tables import ImageFacts
from assay.modalities import alterations
from assay.modalities.contents import with_places
from assay.sources.endings import CODE, MARKUP, OTHER, SOUND, VIDEO
from assay.sources.files import open_source
from assay.store.tables import TableReader, Tables
from assay.store.workspace import Workspace


def measure(
    spec: Spec, _: TableReader, samples: pl.DataFrame, chunks: list[list[str]]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """Facts of each chunk of contents, read from the first of their places that still holds them."""
    from assay.modalities.image.cleaning import image_facts

    limits = {"max_pixels": spec.clean.max_pixels, "thumbnail_pixels": spec.clean.thumbnail_pixels}
    return image_facts(open_source(spec), with_places(samples, chunks), **limits)


def readable(spec: Spec, content: bytes) -> None:
    """Raises `UnreadableSample` where the bytes are no image."""
    from assay.modalities.image.decode import decode_rgb

    decode_rgb(content, spec.clean.max_pixels)


def tier(spec: Spec, samples: pl.DataFrame, facts: pl.DataFrame, tables: TableReader, workspace: Workspace) -> Any:
    """Equal pixels, and pictures that a perceptual hash finds alike and their files confirm."""
    from assay.modalities.image.confirming import Comparer
    from assay.modalities.image.tiers import image_tier

    comparer = Comparer(spec, samples, workspace, tables.parts("image_facts"))
    return image_tier(facts, spec.dedup.perceptual_bits, comparer.in_place)


def confirmer(spec: Spec, samples: pl.DataFrame, tables: Tables, workspace: Workspace) -> Any:
    """Confirms close vectors on the files, aligned."""
    from assay.modalities.image.pictures import Pictures

    return Pictures(spec, samples, tables, workspace)


def digits(seed: int) -> list[Sample]:
    """Real digits."""
    from assay.modalities.image.digits import digit_samples

    return digit_samples(seed)


IMAGE = Modality(
    name="image",
    content="file",
    face=Face("picture", "images", facts="image_facts", preview="thumbnail"),
    tower="image",
    embedders=("pca", "open_clip", "timm", "autoencoder", "service"),
    facts=Facts(
        table="image_facts",
        contract=ImageFacts,
        measure=measure,
        settings=("max_pixels", "thumbnail_pixels"),
        libraries=("pillow", "simplejpeg", "numpy", "xxhash"),
        chunk=512,
        properties=("width", "height", "brightness", "contrast", "entropy_bits", "sharpness", "colorfulness"),
        issues=(Path(__file__).with_name("issues.sql"),),
        prevalence=Path(__file__).with_name("prevalence.sql"),
    ),
    copies=Copies(
        columns=("pixel_hash", "perceptual_hash", "luminance", "colorfulness", "width", "height"),
        largest=("width", "height"),
        equal="pixels",
        tier=tier,
        confirmer=confirmer,
    ),
    other_endings=SOUND | VIDEO | MARKUP | CODE | OTHER,
    readable=readable,
    defects={
        "byte_duplicate": Defect("copy", "exact duplicates"),
        "reencoded": Defect("copy", "near duplicates", alterations.reencode),
        "resized": Defect("copy", "near duplicates", alterations.resize, also=("dark", "bright", "blurry")),
        "cropped": Defect("copy", "near duplicates", alterations.crop, also=("dark", "bright", "blurry")),
        "mirrored": Defect("copy", "near duplicates", alterations.mirror, also=("outliers",)),  # a mirrored 3 is none
        "relit": Defect("copy", "near duplicates", alterations.relight),
        "leak": Defect("leak", "leaks", alterations.copy_or_reencode),
        "dark": Defect("damage", "dark", alterations.darken),
        "bright": Defect("damage", "bright", alterations.overexpose),
        "blurry": Defect("damage", "blurry", alterations.blur),
        "corrupt": Defect("damage", "unreadable files", alterations.corrupt),
        "off_topic": Defect("stranger", "outliers", alterations.off_topic_picture),
        "flipped_label": Defect("label", "label issues"),
    },
    example=Example("digits", "scikit-learn's handwritten digits as PNG files", samples=digits),
)
