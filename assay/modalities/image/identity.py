"""The pixel hash: equal only where everything that the files show is equal.

All frames, alpha, all bits and the full resolution go into it. A picture of 8 opaque bits has the hash of its upright
RGB pixels, whatever its format. What our decoder does not see in full is known by its bytes instead: a large JPEG by
its coded data without metadata, any other by the whole file. A hash may differ for equal pixels, never the other way.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image
from xxhash import xxh3_128

from assay.modalities.image.decode import JPEGS, DecodedImage, upright
from assay.modalities.image.jpeg import coded_content
from assay.modalities.image.opening import open_image
from assay.modalities.image.views import has_alpha, is_deep

PLAIN = ("RGB", "L", "1", "P")  # modes that RGB says all of
WITH_ALPHA = ("RGBA", "LA", "PA", "RGB", "L", "1", "P")  # modes that RGBA says all of
ALL_FRAMES = 64_000_000  # pixels: files with more in all their frames are known by their bytes


def pixel_identity(decoded: DecodedImage, data: bytes) -> tuple[str, float]:
    """The pixel hash (32 hex digits), and the share of the content that is damaged, later frames included."""
    try:
        return _pixel_hash(decoded, data), decoded.damage
    except Exception:  # plugins raise anything: a later frame is broken
        return _of_bytes("damaged", data), max(decoded.damage, 1.0 - 1.0 / decoded.n_frames)


def _pixel_hash(decoded: DecodedImage, data: bytes) -> str:
    if decoded.damage:
        return _of_bytes("damaged", data)
    if decoded.format in JPEGS and decoded.n_frames == 1 and not decoded.is_whole:
        return _of_bytes(f"jpeg {decoded.orientation}", coded_content(data) or data)
    if not decoded.is_whole:
        return _of_bytes("file", data)
    if decoded.n_frames == 1:
        return _of_picture(decoded)
    if decoded.format in JPEGS or decoded.n_frames * decoded.loaded.width * decoded.loaded.height > ALL_FRAMES:
        return _of_bytes("file", data)
    digest = xxh3_128(f"{decoded.n_frames} frames:".encode())
    for frame in frames(data):
        digest.update(f"{frame.mode} {frame.width}x{frame.height}:".encode())
        digest.update(frame.tobytes())
    return digest.hexdigest()


def frames(data: bytes) -> Iterator[Image.Image]:
    """Every frame of a file, in RGBA or its own deeper mode."""
    image = open_image(data)
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        image.load()
        yield image.convert("RGBA") if image.mode in WITH_ALPHA else image.copy()


def hash_pixels(rgb: Image.Image, size: tuple[int, int]) -> str:
    """XXH3-128 of the whole image's size, the size of `rgb` and its pixels, row-major, three bytes each."""
    digest = xxh3_128(f"{size[0]}x{size[1]} {rgb.width}x{rgb.height}:".encode())
    digest.update(rgb.tobytes())
    return digest.hexdigest()


def _of_picture(decoded: DecodedImage) -> str:
    """Of a single frame that was loaded in full."""
    loaded = decoded.loaded
    if decoded.deep is not None or is_deep(loaded):
        values = decoded.deep if decoded.deep is not None else np.asarray(loaded)
        if values.dtype == np.uint16 and not (values % 257).any():  # 8 bits written as 16
            eight = Image.fromarray((values // 257).astype(np.uint8)).convert("RGB")
            return hash_pixels(upright(eight, decoded.orientation), decoded.size)
        return _of_bytes(f"{values.dtype} {values.shape} {decoded.orientation}", np.ascontiguousarray(values).tobytes())
    if has_alpha(loaded) and loaded.mode in WITH_ALPHA:
        rgba = upright(loaded.convert("RGBA"), decoded.orientation)
        if np.asarray(rgba.getchannel("A")).min() < 255:
            return _of_bytes(f"RGBA {rgba.width}x{rgba.height}", rgba.tobytes())
    elif loaded.mode not in PLAIN:
        return _of_bytes(f"{loaded.mode} {loaded.width}x{loaded.height} {decoded.orientation}", loaded.tobytes())
    return hash_pixels(decoded.image, decoded.size)


def _of_bytes(kind: str, data: bytes) -> str:
    digest = xxh3_128(f"{kind}:".encode())
    digest.update(data)
    return digest.hexdigest()
