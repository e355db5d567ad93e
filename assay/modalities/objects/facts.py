"""Boxes of a picture → what the clean stage keeps of each. A worker decodes a picture once for all of its boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from assay.contracts.errors import UnreadableSample
from assay.modalities.contents import Unmeasured
from assay.modalities.image.decode import DecodedImage, decode_rgb
from assay.modalities.image.facts import Measured, measured
from assay.modalities.image.identity import hash_pixels
from assay.modalities.objects.crops import crop_of, outside
from assay.sources.files import Source
from assay.sources.fragments import Region, part_hash, region_of
from assay.store.files import hash_bytes


class Boxed(NamedTuple):
    """Contents of one picture: `(content_hash, fragment)` of each, an empty fragment for the whole."""

    file: str
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MeasuredBox:
    """One box: the measurements of its crop, and where it is.

    Attributes:
        region: in pixels, as it was given.
        size: of the picture, upright.
        outside: share of the box that lies outside of it.
    """

    crop: Measured
    file_hash: str
    region: Region
    size: tuple[int, int]
    outside: float


def measure_pictures(
    source: Source, max_pixels: int, thumbnail_pixels: int, pictures: Sequence[Boxed]
) -> list[list[MeasuredBox | Unmeasured]]:
    """Read and decode each picture and measure its boxes, one result each, in their order."""
    return [_measure_picture(source, max_pixels, thumbnail_pixels, picture) for picture in pictures]


def _measure_picture(
    source: Source, max_pixels: int, thumbnail_pixels: int, picture: Boxed
) -> list[MeasuredBox | Unmeasured]:
    lasting = False
    try:
        data = source.read(picture.file)
        file_hash = hash_bytes(data)
        lasting = True
        decoded = decode_rgb(data, max_pixels, reduces=False)
    except UnreadableSample as error:
        return [Unmeasured(error.reason, error.detail, lasting)] * len(picture.parts)
    found: list[MeasuredBox | Unmeasured] = []
    for content_hash, fragment in picture.parts:
        if part_hash(file_hash, fragment) != content_hash:
            changed = "the file is not what it was when this run listed it"
            found.append(Unmeasured("changed_meanwhile", changed, lasting=False))
            continue
        region = region_of(fragment) or Region(0.0, 0.0, 100.0, 100.0, is_percent=True)
        try:
            found.append(measure_box(decoded, file_hash, region.in_pixels(decoded.size), thumbnail_pixels))
        except UnreadableSample as error:
            found.append(Unmeasured(error.reason, error.detail, lasting=True))
    return found


def measure_box(decoded: DecodedImage, file_hash: str, region: Region, thumbnail_pixels: int) -> MeasuredBox:
    """One box (in pixels) of a decoded picture. Raises `UnreadableSample` where it lies outside."""
    crop = crop_of(decoded.image, region)
    identity = hash_pixels(crop, crop.size), decoded.damage
    look = measured(decoded, crop, crop.size, identity, thumbnail_pixels)
    return MeasuredBox(look, file_hash, region, decoded.size, outside(region, decoded.size))
