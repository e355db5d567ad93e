"""A box of a picture → its crop: the box with a margin, as far as the picture reaches."""

import threading
from collections.abc import Sequence

from PIL import Image

from assay.contracts.errors import UnreadableSample
from assay.contracts.spec import Spec
from assay.modalities.contents import Read
from assay.modalities.image.decode import DecodedImage, decode_rgb
from assay.sources.files import Source
from assay.sources.fragments import Region, part_hash, parted, region_of
from assay.store.files import hash_bytes


def crop_of(image: Image.Image, region: Region) -> Image.Image:
    """The pixels of a box (in pixels) with its margin.

    Raises:
        UnreadableSample: `box_out_of_frame`, nothing of the box lies in the picture.
    """
    width, height = image.size
    if region.x >= width or region.y >= height or region.x + region.width <= 0 or region.y + region.height <= 0:
        raise UnreadableSample(
            "box_out_of_frame",
            f"the box at {region.x:g}, {region.y:g} of {region.width:g} × {region.height:g} lies outside the "
            f"picture of {width} × {height}",
        )
    return image.crop(region.cut(image.size))


def outside(region: Region, size: tuple[int, int]) -> float:
    """The share of a box's area (in pixels) that lies outside a picture of `size`, 0 … 1."""
    across = min(region.x + region.width, size[0]) - max(region.x, 0.0)
    down = min(region.y + region.height, size[1]) - max(region.y, 0.0)
    return min(1.0, max(0.0, 1.0 - max(across, 0.0) * max(down, 0.0) / (region.width * region.height)))


def as_ppm(image: Image.Image) -> bytes:
    """RGB pixels as a file that costs next to nothing to write and to read."""
    return b"P6 %d %d 255\n" % image.size + image.tobytes()


def crop_reader(spec: Spec, source: Source) -> Read:
    """A function from the places of a box and its content hash to its crop, as a file of pixels.

    Each thread keeps the picture that it has open, so that boxes read in the order of their pictures decode each once.
    """
    here = threading.local()

    def opened(file: str) -> tuple[str, DecodedImage]:
        if getattr(here, "file", None) != file:
            data = source.read(file)
            here.picture = hash_bytes(data), decode_rgb(data, spec.clean.max_pixels, reduces=False)
            here.file = file
        return here.picture

    def read(uris: Sequence[str], content_hash: str) -> bytes:
        problem = UnreadableSample("not_found", "no place of this content is known")
        for uri in uris:
            file, fragment = parted(uri)
            region = region_of(fragment)
            try:
                if region is None:
                    data = source.read(uri)
                    if hash_bytes(data) == content_hash:
                        return data
                else:
                    file_hash, decoded = opened(file)
                    if part_hash(file_hash, fragment) == content_hash:
                        return as_ppm(crop_of(decoded.image, region.in_pixels(decoded.size)))
                problem = UnreadableSample("changed_meanwhile", "the file is not what it was when this run listed it")
            except UnreadableSample as error:
                problem = error
        raise problem

    return read
