"""What is kept of frames while a video plays: a small grey picture of each, and some of them in colour."""

from typing import cast

import av
import numpy as np
import numpy.typing as npt
import xxhash
from av.video.reformatter import Interpolation, VideoReformatter
from PIL import Image

from assay.modalities.video.decode import Limits, play, upright

GRID = 32  # cells a side of the grey picture of a frame
HIGHEST_RATIO = 20.0  # of a frame's sides; longer strips are squeezed to it


class Greys:
    """A grey picture of `GRID` × `GRID` of each frame, upright, and a digest of all their pixels."""

    def __init__(self) -> None:
        self._scale, self._digest = VideoReformatter(), xxhash.xxh3_128()
        self._rows: list[npt.NDArray[np.uint8]] = []

    def see(self, frame: av.VideoFrame, _: float) -> None:
        """One more frame."""
        small = self._scale.reformat(frame, GRID, GRID, "gray", interpolation=Interpolation.AREA)
        self._rows.append(_upright(small, frame.rotation))
        self._digest.update(f"{frame.format.name} {frame.width} {frame.height} {frame.rotation}".encode())
        for plane in frame.planes:
            self._digest.update(plane_bytes(frame, plane))

    def grid(self) -> npt.NDArray[np.uint8]:
        """(frames, GRID, GRID)."""
        return np.stack(self._rows)

    def digest(self) -> str:
        """32 hex digits: equal only where every frame is, pixel for pixel."""
        return self._digest.hexdigest()


def _upright(frame: av.VideoFrame, rotation: int) -> npt.NDArray[np.uint8]:
    """The pixels of a frame of 8 bits."""
    return upright(cast(npt.NDArray[np.uint8], frame.to_ndarray()), rotation)


def plane_bytes(frame: av.VideoFrame, plane: av.video.plane.VideoPlane) -> bytes:
    """The pixels of one plane, row by row, without what pads the rows."""
    bits = frame.format.components[0].bits if frame.format.is_planar else frame.format.padded_bits_per_pixel
    width = min(plane.line_size, plane.width * max(1, -(-bits // 8)))
    rows = np.frombuffer(bytes(plane), dtype=np.uint8)[: plane.height * plane.line_size].reshape(
        plane.height, plane.line_size
    )
    return rows[:, :width].tobytes()


class Colours:
    """Some frames in colour, spread evenly over the video however long it turns out: every frame at first, then every
    second, every fourth, … so that there are `most` at most, and half of these at least.

    Attributes:
        area: pixels that a kept frame has about, never more than the frame itself.
    """

    def __init__(self, most: int, area: int) -> None:
        self._most, self._area, self._stride, self._seen = most + most % 2, area, 1, 0
        self._scale = VideoReformatter()
        self._kept: list[npt.NDArray[np.uint8]] = []

    def see(self, frame: av.VideoFrame, _: float) -> None:
        """One more frame."""
        if self._seen % self._stride == 0:
            if len(self._kept) == self._most:
                self._kept = self._kept[::2]
                self._stride *= 2
            if self._seen % self._stride == 0:
                self._kept.append(self._picture(frame))
        self._seen += 1

    def _picture(self, frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
        width, height = scaled_size(frame.width, frame.height, self._area)
        small = self._scale.reformat(frame, width, height, "rgb24", interpolation=Interpolation.AREA)
        return np.ascontiguousarray(_upright(small, frame.rotation))

    def spread(self, n: int) -> list[Image.Image]:
        """`n` of them at the middles of n equal parts of the video; fewer where it has fewer frames."""
        wanted = (np.arange(n) + 0.5) / n * self._seen
        places = np.minimum((wanted / self._stride).astype(int), len(self._kept) - 1)
        return [Image.fromarray(self._kept[place]) for place in dict.fromkeys(places.tolist())]


def scaled_size(width: int, height: int, area: int) -> tuple[int, int]:
    """Width and height of about `area` pixels in the same ratio, never larger than they were."""
    wide, high = max(width, height / HIGHEST_RATIO), max(height, width / HIGHEST_RATIO)
    scale = min(1.0, (area / (wide * high)) ** 0.5)
    return max(round(wide * scale), 1), max(round(high * scale), 1)


def pictures(data: bytes, limits: Limits, n: int, area: int) -> list[Image.Image]:
    """`n` frames of a video, spread evenly over it, upright, of about `area` pixels each; fewer where it is shorter.

    Raises:
        UnreadableSample: as `assay.modalities.video.decode.play`.
    """
    colours = Colours(4 * n, area)
    play(data, limits, colours.see)
    return colours.spread(n)
