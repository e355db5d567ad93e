"""Bytes of a sound file → its samples; bytes only, never a path.

wav, flac, ogg, mp3 and aiff through libsndfile; m4a and webm through PyAV, where that is installed.
"""

import importlib.util
import io
import struct
from dataclasses import dataclass

import numpy as np
import soundfile

from assay.contracts.errors import UnreadableSample

FORMATS = ("WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF")
STREAMED = 0xFFFFFF00  # a wav header that says so many bytes or more was written before the end was known
RATES = (1_000, 768_000)  # Hz
MOST_CHANNELS = 64
LOUDEST = 1e6  # times full scale: no sound, and a little more would overflow when it is squared
PYAV = 'pip install "assay[video]"'


@dataclass(frozen=True)
class Sound:
    """Decoded samples.

    Attributes:
        samples: float32 (n, channels); full scale is 1; NaN, infinity and what is beyond `LOUDEST` are 0.
        rate: samples a second.
        missing: share of the samples that the header promises and the file does not have.
        not_finite: share of the samples that were NaN, infinite or beyond `LOUDEST`.
    """

    samples: np.ndarray
    rate: int
    format: str
    missing: float
    not_finite: float

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    def mono(self) -> np.ndarray:
        """float32 (n,): the mean of the channels, or the loudest where they cancel each other."""
        mean = self.samples.mean(axis=1)
        power = np.square(self.samples).mean(axis=0)
        if np.square(mean).mean() < 0.05 * power.max(initial=0.0):
            return self.samples[:, int(power.argmax())]
        return mean


def decode(data: bytes, max_seconds: float) -> Sound:
    """The samples of a sound file.

    Raises:
        UnreadableSample: it is no sound, of a format that is not read, without samples, or longer than `max_seconds`.
    """
    if in_a_box(data):
        return decode_boxed(data, max_seconds)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            _refuse(file, max_seconds)
            samples = file.read(dtype="float32", always_2d=True)
            rate, kind, promised = file.samplerate, file.format, _promised(data) or file.frames
    except (soundfile.SoundFileError, RuntimeError, ValueError, OSError) as error:
        said = str(error).rpartition(">: ")[2]  # without the address of our own buffer
        raise UnreadableSample("not_a_sound", f"cannot be decoded ({said[:200]})") from None
    except MemoryError:
        raise UnreadableSample("not_a_sound", "its header promises more samples than fit into memory") from None
    if not len(samples):
        raise UnreadableSample("no_samples", "the file has a header and no samples")
    missing = max(0.0, 1.0 - len(samples) / promised) if promised else 0.0
    return finite_sound(samples, rate, kind, missing)


def finite_sound(samples: np.ndarray, rate: int, kind: str, missing: float) -> Sound:
    """A `Sound` of samples (n, channels) that may be NaN, infinite or far beyond any sound."""
    finite = np.abs(samples) <= LOUDEST
    broken = 1.0 - float(finite.mean())
    if broken:
        samples = np.where(finite, samples, 0.0).astype(np.float32)
    return Sound(samples, rate, kind, missing, broken)


def in_a_box(data: bytes) -> bool:
    """Whether it is a file of mp4's or Matroska's family, which libsndfile does not read."""
    return data[4:8] in (b"ftyp", b"moov") or data[:4] == b"\x1aE\xdf\xa3"


def decode_boxed(data: bytes, max_seconds: float) -> Sound:
    """The first track of sound of an m4a, mp4, mkv or webm. Raises `UnreadableSample` as `decode`, or `needs_pyav`."""
    if importlib.util.find_spec("av") is None:
        raise UnreadableSample("needs_pyav", f"m4a and webm need the package av, which is not installed; run: {PYAV}")
    from assay.modalities.audio.boxed import read_track

    samples, rate, kind, missing = read_track(data, max_seconds)
    check_shape(rate, samples.shape[1])
    if not len(samples):
        raise UnreadableSample("no_samples", "the file has a track of sound and no samples")
    return finite_sound(samples, rate, kind, missing)


def check_shape(rate: int, channels: int) -> None:
    """Raises `UnreadableSample` where there are too few or too many channels or samples a second."""
    if not RATES[0] <= rate <= RATES[1] or not 1 <= channels <= MOST_CHANNELS:
        raise UnreadableSample(
            "not_a_sound", f"{channels} channels at {rate} Hz; wanted 1 to {MOST_CHANNELS}, {RATES[0]} to {RATES[1]}"
        )


def _refuse(file: soundfile.SoundFile, max_seconds: float) -> None:
    if file.format not in FORMATS:
        raise UnreadableSample("not_a_sound", f"the format {file.format} is not read; wanted wav, flac, ogg, mp3, aiff")
    check_shape(file.samplerate, file.channels)
    if file.frames / file.samplerate > max_seconds:
        raise UnreadableSample(
            "too_long", f"{file.frames / file.samplerate:,.0f} s; clean.max_seconds allows {max_seconds:,.0f}"
        )


def _promised(data: bytes) -> int:
    """Samples that a wav's header promises; 0 where it promises nothing, or says that it does not know."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return 0
    place, block = 12, 0
    while place + 8 <= len(data):
        name, size = data[place : place + 4], struct.unpack_from("<I", data, place + 4)[0]
        if name == b"fmt " and place + 22 <= len(data):
            block = struct.unpack_from("<H", data, place + 20)[0]
        if name == b"data":
            return size // block if block and 0 < size < STREAMED else 0
        place += 8 + size + size % 2
    return 0
