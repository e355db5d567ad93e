"""Videos written anew: frames in, bytes of an mp4 out, with the sound of another file beside them or none."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer

CODECS = ("libx264", "mpeg4")  # the first one that is there
FINEST = 60_000  # of a rate's denominator


@dataclass(frozen=True)
class Sound:
    """Sound to go with the pictures: all packets of the first track of `content` between two moments, as they are."""

    content: bytes
    format: str
    start: float = 0.0
    end: float = float("inf")


def write_mp4(
    frames: Iterable[tuple[int, npt.NDArray[np.uint8]]],
    fps: float,
    sound: Sound | None = None,
    quality: int = 20,
    container: str = "mp4",
) -> bytes:
    """A video of frames (h, w, 3) uint8, each with its place in time counted in frames.

    Args:
        quality: x264's constant rate factor; 18 looks like the original, 40 is poor.
        container: `mp4`, `mov` or `matroska`.

    All frames have the size of the first; an odd side loses its last row or column.
    """
    buffer = io.BytesIO()
    rate = Fraction(fps).limit_denominator(FINEST)
    with av.open(buffer, "w", format=container) as out:
        codec = next(name for name in CODECS if name in av.codecs_available)
        stream = cast(av.VideoStream, out.add_stream(codec, rate=rate))
        stream.pix_fmt = "yuv420p"
        if codec == "libx264":
            stream.options = {"crf": str(quality), "preset": "veryfast"}
        else:
            stream.bit_rate = 2_000_000
        stream.codec_context.thread_count = 1
        beside = _Beside(out, sound) if sound is not None else None
        for place, pixels in frames:
            height, width = pixels.shape[0] // 2 * 2, pixels.shape[1] // 2 * 2
            if not stream.width or not stream.codec_context.is_open:
                stream.width, stream.height = width, height
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]), format="rgb24")
            frame.pts, frame.time_base = place, 1 / rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if beside is not None:
            beside.write()
    return buffer.getvalue()


class _Beside:
    """A track of sound, copied packet by packet. One that the container cannot hold is left out."""

    def __init__(self, out: av.container.OutputContainer, sound: Sound) -> None:
        self._out, self._sound, self._track = out, sound, None
        with av.open(io.BytesIO(sound.content), format=sound.format) as source:
            if source.streams.audio and source.streams.audio[0].codec_context is not None:
                try:
                    self._track = out.add_stream_from_template(source.streams.audio[0])
                except (av.error.FFmpegError, ValueError):
                    self._track = None

    def write(self) -> None:
        """Mux what lies between the two moments, from zero on."""
        if self._track is None:
            return
        sound = self._sound
        with av.open(io.BytesIO(sound.content), format=sound.format) as source:
            for packet in cast(InputContainer, source).demux(source.streams.audio[0]):
                if packet.dts is None or packet.pts is None or packet.time_base is None:
                    continue
                moment = float(packet.pts * packet.time_base)
                if sound.start <= moment < sound.end:
                    shift = round(sound.start / packet.time_base)
                    packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, self._track
                    self._out.mux(packet)
