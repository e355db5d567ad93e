"""Sound in boxes that hold pictures as well, m4a, mp4, mkv and webm, through PyAV."""

import av
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import InputContainer

from assay.contracts.errors import UnreadableSample
from assay.modalities.video.decode import DECODE_ERRORS, NAMES, samples_of
from assay.modalities.video.opening import open_container

SLACK = 0.1  # seconds that encoders add at the ends, and decoders take away

Samples = npt.NDArray[np.float32]


def read_track(data: bytes, max_seconds: float) -> tuple[Samples, int, str, float]:
    """Of the first track of sound: samples (n, channels), rate, name of the format, share that is missing.

    Raises:
        UnreadableSample: it has no track that can be decoded, is longer than `max_seconds`, or names other files.
    """
    try:
        container = open_container(data)
    except UnreadableSample as error:
        reason = "not_a_sound" if error.reason == "not_a_video" else error.reason
        raise UnreadableSample(reason, error.detail) from None
    with container:
        streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
        if not streams:
            raise UnreadableSample("not_a_sound", "the file has no track of sound that can be decoded")
        pieces, rate = _pieces(container, streams[0], max_seconds)
        promised = _promised(container, streams[0])
        name = NAMES.get(container.format.name, container.format.name)
    samples = np.concatenate(pieces, axis=1).T if pieces else np.zeros((0, 1), dtype=np.float32)
    short = promised - len(samples) / max(rate, 1)
    return np.ascontiguousarray(samples), rate, name, short / promised if short > SLACK else 0.0


def _pieces(container: InputContainer, stream: AudioStream, max_seconds: float) -> tuple[list[Samples], int]:
    """Decoded pieces (channels, n) until the track ends or breaks off, and their rate.

    Packets that cannot be decoded, and pieces of another shape than the first, are left out.
    """
    pieces: list[Samples] = []
    rate, heard, walk = 0, 0, container.demux(stream)
    while True:
        try:
            packet = next(walk)
        except (StopIteration, *DECODE_ERRORS):
            return pieces, rate
        try:
            frames = packet.decode()
        except DECODE_ERRORS:
            continue
        for frame in frames:
            piece = samples_of(frame)
            rate = rate or int(frame.sample_rate)
            if frame.sample_rate == rate and (not pieces or len(piece) == len(pieces[0])):
                pieces.append(piece)
                heard += piece.shape[1]
        if heard > max_seconds * max(rate, 1):
            raise UnreadableSample(
                "too_long", f"over {heard / rate:,.0f} s; clean.max_seconds allows {max_seconds:,.0f}"
            )


def _promised(container: InputContainer, stream: AudioStream) -> float:
    """Seconds that the track, or a file of sound alone, says it has; 0 where neither says anything."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return 0.0 if container.streams.video else float(container.duration or 0) / av.time_base
