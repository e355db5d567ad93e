"""Videos: what the stages know of them. What computes is imported when it is called, and with it PyAV."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from assay.contracts.modality import Copies, Defect, Example, Face, Facts, Modality, Sample
from assay.contracts.spec import Spec
from assay.contracts.tables import VideoFacts
from assay.modalities.contents import with_places
from assay.modalities.image.modality import IMAGE
from assay.sources.endings import CODE, MARKUP, OTHER, SOUND
from assay.sources.endings import IMAGE as PICTURES
from assay.sources.files import open_source
from assay.store.tables import TableReader, Tables
from assay.store.workspace import Workspace

if TYPE_CHECKING:
    from assay.modalities.video.decode import Limits

FRAME_AREA = 320 * 320  # pixels of a frame that is embedded


def limits_of(spec: Spec) -> "Limits":
    """What a spec lets a video be."""
    from assay.modalities.video.decode import Limits

    return Limits(spec.clean.max_pixels, spec.clean.max_seconds, spec.clean.max_frames)


def measure(
    spec: Spec, _: TableReader, samples: pl.DataFrame, chunks: list[list[str]]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """Facts of each chunk of contents, read from the first of their places that still holds them."""
    from assay.modalities.video.cleaning import video_facts

    return video_facts(open_source(spec), with_places(samples, chunks), limits_of(spec))


def readable(spec: Spec, content: bytes) -> None:
    """Raises `UnreadableSample` where the bytes are no video."""
    from assay.modalities.video.decode import play

    play(content, limits_of(spec), lambda frame, moment: None)


def tier(_spec: Spec, _samples: pl.DataFrame, facts: pl.DataFrame, *unused: Any) -> Any:
    """Equal frames, whatever file holds them."""
    from assay.modalities.video.copies import frames_tier

    return frames_tier(facts)


def confirmer(_spec: Spec, samples: pl.DataFrame, tables: Tables, _workspace: Workspace) -> Any:
    """Confirms close vectors, and close looks, on sequences of small pictures."""
    from assay.modalities.video.copies import Videos

    return Videos(samples, tables)


def frames(spec: Spec) -> Callable[[bytes], list[bytes]]:
    """From a video to some of its frames as files of images."""

    def read(content: bytes) -> list[bytes]:
        from assay.modalities.video.looking import pictures

        found = []
        for picture in pictures(content, limits_of(spec), spec.embed.frames, FRAME_AREA):
            buffer = io.BytesIO()
            picture.save(buffer, "PNG", compress_level=1)
            found.append(buffer.getvalue())
        return found

    return read


def altered(name: str) -> Callable[..., bytes]:
    """One of `assay.modalities.video.alterations`, imported when it is called."""

    def alter(content: bytes, rng: Any) -> bytes:
        from assay.modalities.video import alterations

        made: bytes = getattr(alterations, name)(content, rng)
        return made

    return alter


def scenes(seed: int) -> list[Sample]:
    """Made clips."""
    from assay.modalities.video.scenes import scene_samples

    return scene_samples(seed)


SILENT = ("silent", "no_sound")
VIDEO = Modality(
    name="video",
    content="file",
    face=Face("video", "videos", facts="video_facts", preview="thumbnail"),
    embedders=(*IMAGE.embedders, "transformers"),
    facts=Facts(
        table="video_facts",
        contract=VideoFacts,
        measure=measure,
        settings=("max_pixels", "max_seconds", "max_frames"),
        libraries=("av", "numpy", "pillow", "xxhash"),
        chunk=128,
        properties=("seconds", "fps", "width", "height", "brightness", "contrast", "movement", "n_cuts"),
        issues=(Path(__file__).with_name("issues.sql"),),
        prevalence=Path(__file__).with_name("prevalence.sql"),
    ),
    copies=Copies(
        columns=("video_hash", "width", "height", "n_frames"),
        largest=("width", "height", "n_frames"),
        equal="pixels",
        tier=tier,
        confirmer=confirmer,
    ),
    other_endings=PICTURES | SOUND | MARKUP | CODE | OTHER,
    readable=readable,
    defects={
        "byte_duplicate": Defect("copy", "exact duplicates"),
        "trimmed": Defect("copy", "near duplicates", altered("trimmed")),
        "reencoded": Defect("copy", "near duplicates", altered("reencoded")),
        "rescaled": Defect("copy", "near duplicates", altered("rescaled"), also=("odd_size",)),
        "mirrored": Defect("copy", "near duplicates", altered("mirrored")),
        "leak": Defect("leak", "leaks"),
        "black": Defect("damage", "black", altered("blacked")),
        "frozen": Defect("damage", "frozen", altered("frozen")),
        "gaps": Defect("damage", "time_gaps", altered("stuttering")),
        "letterboxed": Defect("damage", "letterboxed", altered("boxed")),
        "cut_short": Defect("damage", "damaged", altered("cut_short")),
        "off_topic": Defect("stranger", "outliers", altered("test_card"), also=SILENT),
        "flipped_label": Defect("label", "label issues"),
    },
    example=Example("scenes", "made clips of four kinds of scenes, with sound", samples=scenes),
    tower="image",
    parts=frames,
    needs={"av": 'pip install "assay[video]"'},
)
