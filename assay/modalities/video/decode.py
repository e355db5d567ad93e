"""One pass over a video: every frame of its pictures, and its sound. What a file says of itself is checked."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.stream import VideoStream

from assay.contracts.errors import UnreadableSample
from assay.modalities.video.opening import check_size, opened

SLOWEST = 900.0  # processor seconds that one video may take
NAMES = {"mov,mp4,m4a,3gp,3g2,mj2": "mp4", "matroska,webm": "matroska"}
DECODE_ERRORS = (av.error.FFmpegError, ValueError, EOFError, OSError, MemoryError)


@dataclass(frozen=True)
class Limits:
    """Of what is decoded: pixels of a frame, seconds and frames of a video."""

    max_pixels: int
    max_seconds: float
    max_frames: int


@dataclass
class Played:
    """What one pass found.

    Attributes:
        format, codec: of the file, and of its pictures.
        width, height: pixels as the first frame is shown: upright, and stretched as the file says.
        promised: frames that the file's index says it has; 0 where it has none.
        promised_seconds: how long the file says it is; 0 where it says nothing.
        times: of each frame in seconds from the file's zero, NaN where it has none; in the order of the decoder.
        n_corrupt: frames that the decoder made up in part.
        n_broken: packets that cannot be decoded, or cannot be read.
        has_sound: there is a track of sound, whether or not it can be decoded.
        levels: mean square of each piece of sound in its loudest channel (full scale is 1), and `pieces` its seconds.
    """

    format: str
    codec: str
    width: int = 0
    height: int = 0
    promised: int = 0
    promised_seconds: float = 0.0
    times: list[float] = field(default_factory=list)
    n_corrupt: int = 0
    n_broken: int = 0
    has_sound: bool = False
    levels: list[float] = field(default_factory=list)
    pieces: list[float] = field(default_factory=list)


def play(data: bytes, limits: Limits, see: Callable[[av.VideoFrame, float], None], listen: bool = False) -> Played:
    """Decode everything once, and hand each frame with its time in seconds (NaN: it has none) to `see`.

    Args:
        listen: measure the sound as well.

    Raises:
        UnreadableSample: the bytes are no video (`assay.modalities.video.opening`), are over a limit (`too_long`,
            `decompression_bomb`, `too_slow`), or have no frame that can be decoded (`no_frames`).
    """
    with opened(data, limits.max_pixels) as (container, stream):
        played = _described(container, stream)
        if played.promised > limits.max_frames:
            raise _too_many(played.promised, limits)
        watch = _Watch(limits, played, see)
        sound = container.streams.audio[0] if listen and container.streams.audio else None
        streams = [stream] if sound is None or sound.codec_context is None else [stream, sound]
        for packet in _packets(container.demux(streams), played):
            for frame in _decoded(packet.decode, played):
                if isinstance(frame, av.VideoFrame):
                    watch.frame(frame)
                elif isinstance(frame, av.AudioFrame):
                    hear(frame, played)
        for frame in _decoded(lambda: stream.codec_context.decode(None), played):  # where reading broke off
            watch.frame(frame)
    if not played.times:
        raise UnreadableSample("no_frames", "none of its frames can be decoded")
    return played


class _Watch:
    """Notes each frame, and stops at a limit."""

    def __init__(self, limits: Limits, played: Played, see: Callable[[av.VideoFrame, float], None]) -> None:
        self._limits, self._played, self._see = limits, played, see
        self._first, self._until = float("nan"), time.process_time() + SLOWEST

    def frame(self, frame: av.VideoFrame) -> None:
        """One frame, in the order of the decoder."""
        played, limits = self._played, self._limits
        check_size(frame.width, frame.height, limits.max_pixels)
        moment = float("nan") if frame.time is None else float(frame.time)
        if len(played.times) >= limits.max_frames:
            raise _too_many(len(played.times) + 1, limits)
        self._first = moment if np.isnan(self._first) else self._first
        if moment - self._first > limits.max_seconds:
            raise UnreadableSample(
                "too_long",
                f"{moment - self._first:,.0f} s and more; clean.max_seconds allows {limits.max_seconds:,.0f}",
            )
        if time.process_time() > self._until:
            raise UnreadableSample("too_slow", f"{len(played.times):,} frames took {SLOWEST:,.0f} s to decode")
        if not played.times:
            played.width, played.height = shown_size(frame)
        played.times.append(moment)
        played.n_corrupt += bool(frame.is_corrupt)
        self._see(frame, moment)


def shown_size(frame: av.VideoFrame) -> tuple[int, int]:
    """Width and height of a frame as it is shown: upright."""
    turned = frame.rotation % 180 == 90
    return (frame.height, frame.width) if turned else (frame.width, frame.height)


def upright(pixels: npt.NDArray[np.uint8], rotation: int) -> npt.NDArray[np.uint8]:
    """Pixels (h, w, …) turned as the file says, by right angles; other angles are left alone."""
    return np.rot90(pixels, rotation // 90) if rotation % 90 == 0 else pixels


def samples_of(frame: av.AudioFrame) -> npt.NDArray[np.float32]:
    """float32 (channels, n) of one piece of sound; full scale is 1."""
    samples: npt.NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        return (samples.astype(np.float32) - 128.0) / 128.0
    if samples.dtype.kind == "i":
        return (samples / -float(np.iinfo(samples.dtype).min)).astype(np.float32)
    return samples.astype(np.float32)


def hear(frame: av.AudioFrame, played: Played) -> None:
    """Note the level of one piece of sound."""
    samples = np.nan_to_num(samples_of(frame))
    if samples.size and frame.sample_rate:
        played.levels.append(float(np.square(samples, dtype=np.float64).mean(axis=1).max()))
        played.pieces.append(samples.shape[1] / frame.sample_rate)


def _described(container: InputContainer, stream: VideoStream) -> Played:
    """What the file says of itself before anything is decoded.

    Where it has an index, frames are promised by that or by its length, whichever is less: an edit list may hide some.
    """
    rate = float(stream.average_rate or 0)
    seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
    by_length = int(seconds * rate) if 0 < seconds * rate < 2**31 else 0
    indexed = int(stream.frames or 0)
    name = NAMES.get(container.format.name, container.format.name)
    return Played(
        name,
        stream.codec_context.codec.canonical_name,
        promised=min(indexed, by_length) if indexed and by_length else max(indexed, 0),
        promised_seconds=max(seconds, float(container.duration or 0) / av.time_base, 0.0),
        has_sound=bool(container.streams.audio),
    )


def _packets(packets: "Iterable[av.Packet[Any]]", played: Played) -> "Iterator[av.Packet[Any]]":
    """Packets until the file ends, or breaks off."""
    walk = iter(packets)
    while True:
        try:
            packet = next(walk)
        except StopIteration:
            return
        except DECODE_ERRORS:
            played.n_broken += 1
            return
        played.n_corrupt += bool(packet.is_corrupt and packet.stream.type == "video")
        yield packet


def _decoded(decode: Callable[[], Iterable[object]], played: Played) -> list[Any]:
    """What a packet holds; nothing, and a count, where it cannot be decoded."""
    try:
        return list(decode())
    except EOFError:  # it had been flushed
        return []
    except DECODE_ERRORS:
        played.n_broken += 1
        return []


def _too_many(count: int, limits: Limits) -> UnreadableSample:
    return UnreadableSample("too_long", f"{count:,} frames; clean.max_frames allows {limits.max_frames:,}")
