"""Objects: boxes in pictures, and what the stages know of them. What computes is imported when it is called."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from assay.contracts.modality import Copies, Defect, Example, Face, Facts, Modality
from assay.contracts.spec import Spec
from assay.contracts.tables import ObjectFacts
from assay.modalities import alterations
from assay.modalities.contents import Read, with_places
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

    limits = {"max_pixels": spec.clean.max_pixels, "thumbnail_pixels": spec.clean.thumbnail_pixels}
    return object_facts(open_source(spec), with_places(samples, chunks), **limits)


def tier(spec: Spec, samples: pl.DataFrame, facts: pl.DataFrame, tables: TableReader, workspace: Workspace) -> Any:
    """Crops of equal pixels, and crops of two pictures that a perceptual hash finds alike and their pixels confirm."""
    from assay.modalities.image.confirming import Comparer
    from assay.modalities.image.tiers import image_tier
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


def example(folder: Path, seed: int) -> pl.DataFrame:
    """Writes boxed digits with planted defects."""
    from assay.modalities.objects.example import write_example

    return write_example(folder, seed)


def predicted(inputs: Any) -> pl.DataFrame:
    """What a detector's boxes say of the given ones, as rows of `measures`."""
    from assay.modalities.objects.predicted import predicted_measures

    return predicted_measures(inputs)


ELSEWHERE = ("outliers", "label issues", "near duplicates")  # what a box that is not around its digit may look like
OBJECTS = Modality(
    name="objects",
    content="file",
    face=Face("boxes", "boxes", facts="object_facts", preview="thumbnail", whole="image_hash", outline="mask"),
    embedders=IMAGE.embedders,
    facts=_facts(),
    copies=Copies(
        columns=IMAGE.copies.columns if IMAGE.copies else (),
        largest=("width", "height"),
        equal="pixels",
        tier=tier,
        confirmer=confirmer,
    ),
    other_endings=IMAGE.other_endings,
    readable=readable,
    defects={
        "byte_duplicate": Defect("copy", "exact duplicates"),
        "reencoded": Defect("copy", "near duplicates", alterations.reencode),
        "resized": Defect("copy", "near duplicates", alterations.resize, also=("tiny_box",)),
        "cropped": Defect("copy", "near duplicates", alterations.crop, also=("odd_box_shape",)),
        "mirrored": Defect("copy", "near duplicates", alterations.mirror, also=("outliers",)),
        "leak": Defect("leak", "leaks", alterations.copy_or_reencode),
        "corrupt": Defect("damage", "unreadable files", alterations.corrupt),
        "tiny": Defect("source", "tiny_box", also=("odd_box_size", *ELSEWHERE)),
        "cut_off": Defect("source", "cut_by_frame", also=ELSEWHERE),
        "stretched": Defect("source", "odd_box_shape", also=("odd_box_size", "tiny_box", "cut_by_frame", *ELSEWHERE)),
        "blown_up": Defect("source", "odd_box_size", also=("odd_box_shape", *ELSEWHERE)),
        "twice": Defect("source", "same_box", also=("other_class",)),
        "two_classes": Defect("source", "other_class", also=("same_box", *ELSEWHERE)),
        "off_topic": Defect("stranger", "outliers", alterations.off_topic_picture),
        "flipped_label": Defect("label", "label issues"),
        "wrong_class": Defect("source", "label issues"),
    },
    example=Example(
        "boxed-digits",
        "handwritten digits, boxed in made pictures",
        write=example,
        spec='[source]\nkind = "folder"\npath = "boxed-digits"\n',
    ),
    folder=folder,
    reader=reader,
    tower="image",
    measures=predicted,
)
