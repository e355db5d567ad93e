"""Objects: boxes in pictures, and what the stages know of them. What computes is imported when it is called."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from assay.contracts.modality import Copies, Face, Facts, Modality
from assay.contracts.spec import Spec
from assay.contracts.tables import ObjectFacts
from assay.modalities import alterations
from assay.modalities.contents import Read
from assay.modalities.image.modality import IMAGE, readable
from assay.sources.files import Source, open_source
from assay.sources.own import OwnRows
from assay.store.tables import TableReader, Tables
from assay.store.workspace import Workspace


def folder(spec: Spec, workspace: Workspace) -> OwnRows:
    """The boxes of a folder of pictures with COCO, Pascal VOC or YOLO annotations."""
    from assay.modalities.objects.folder import read_folder

    return read_folder(spec, workspace)


def reader(spec: Spec, source: Source) -> Read:
    """From a box to its crop."""
    from assay.modalities.objects.crops import crop_reader

    return crop_reader(spec, source)


def measure(
    spec: Spec, _: TableReader, samples: pl.DataFrame, chunks: list[list[str]]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """Facts of each chunk of boxes."""
    from assay.modalities.objects.cleaning import object_facts

    wanted = pl.Series(list(itertools.chain(*chunks)), dtype=pl.String)
    here = samples.lazy().filter(pl.col("content_hash").is_in(wanted.implode()))
    places = dict(here.group_by("content_hash", maintain_order=True).agg("uri").collect().iter_rows())
    contents = [[(content_hash, places[content_hash]) for content_hash in chunk] for chunk in chunks]
    limits = {"max_pixels": spec.clean.max_pixels, "thumbnail_pixels": spec.clean.thumbnail_pixels}
    return object_facts(open_source(spec), contents, **limits)


def tier(spec: Spec, samples: pl.DataFrame, facts: pl.DataFrame, tables: TableReader, workspace: Workspace) -> Any:
    """Crops of equal pixels, and crops of two pictures that a perceptual hash finds alike and their pixels confirm."""
    from assay.duplicates.exact import image_tier
    from assay.modalities.image.confirming import Comparer
    from assay.modalities.objects.copies import apart, picture_codes

    comparer = Comparer(spec, samples, workspace, tables.parts("object_facts"))
    in_place = apart(comparer.in_place, picture_codes(samples, tables))
    return image_tier(facts, spec.dedup.perceptual_bits, in_place)


def confirmer(spec: Spec, samples: pl.DataFrame, tables: Tables, workspace: Workspace) -> Any:
    """Confirms close vectors on the crops, aligned."""
    from assay.modalities.objects.copies import Crops

    return Crops(spec, samples, tables, workspace)


def _facts() -> Facts:
    assert IMAGE.facts is not None
    return Facts(
        table="object_facts",
        contract=ObjectFacts,
        measure=measure,
        settings=IMAGE.facts.settings,
        libraries=IMAGE.facts.libraries,
        chunk=512,
        properties=("box_width", "box_height", "x", "y", "brightness", "contrast", "colorfulness"),
        issues=(Path(__file__).with_name("issues.sql"),),
    )


OBJECTS = Modality(
    name="objects",
    content="file",
    face=Face("boxes", "boxes", facts="object_facts", preview="thumbnail", whole="image_hash"),
    embedders=IMAGE.embedders,
    facts=_facts(),
    copies=Copies(
        columns=IMAGE.copies.columns if IMAGE.copies else (),
        largest=("width", "height"),
        tier=tier,
        confirmer=confirmer,
    ),
    other_endings=IMAGE.other_endings,
    readable=readable,
    defects={
        "byte_duplicate": alterations.as_is,
        "reencoded": alterations.reencode,
        "resized": alterations.resize,
        "cropped": alterations.crop,
        "mirrored": alterations.mirror,
        "leak": alterations.copy_or_reencode,
        "corrupt": alterations.corrupt,
        "off_topic": alterations.off_topic_picture,
        "flipped_label": None,
    },
    folder=folder,
    reader=reader,
    tower="image",
)
