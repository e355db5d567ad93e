"""Bytes of a video file → an open container, safely: bytes only, of a format that the bytes themselves name.

FFmpeg follows what a playlist names, and takes a file for a playlist by its contents, whatever its name. So the format
is told here by the first bytes, and pinned; and nothing but these bytes can be opened.
"""

import contextlib
import io
from collections.abc import Iterator

import av
import av.error
import av.logging
from av.container import InputContainer
from av.video.stream import VideoStream

from assay.contracts.errors import UnreadableSample

FORMATS = "mp4, mov, mkv, webm or avi"
BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")  # that an mp4 or mov may begin with
PLAYLISTS = {  # how text begins that names other files
    b"ffconcat": "an ffconcat list",
    b"#extm3u": "an HLS playlist",
    b"#extinf": "an HLS playlist",
    b"[playlist]": "a playlist",
    b"<?xml": "an XML document, as playlists are",
    b"<mpd": "a DASH playlist",
    b"<smil": "a SMIL playlist",
    b"<asx": "an ASX playlist",
    b"[reference]": "a reference to other files",
    b"rtsptext": "a reference to a stream",
    b"v=0": "an SDP description of a stream",
}
NOTHING_ELSE = {"protocol_whitelist": "none", "enable_drefs": "0", "use_absolute_path": "0"}

av.logging.set_level(None)  # what decoders say goes to nobody; what is wrong is counted


def sniff(data: bytes) -> str:
    """FFmpeg's name of the format by the first bytes.

    Raises:
        UnreadableSample: `names_other_files`, `zero_bytes` or `not_a_video`.
    """
    if not data:
        raise UnreadableSample("zero_bytes", "the file is empty")
    if data[4:8] in BOXES:
        return "mp4"
    if data[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return "avi"
    start = data[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for sign, what in PLAYLISTS.items():
        if start.startswith(sign):
            raise UnreadableSample("names_other_files", f"{what}; it names other files, which are not followed")
    raise UnreadableSample("not_a_video", f"the first bytes are of no format that is read; wanted {FORMATS}")


def open_container(data: bytes) -> InputContainer:
    """The container of a file of a format that `sniff` knows; close it.

    Raises:
        UnreadableSample: as `sniff`; or `truncated` (what says where things are is not there), `not_a_video`.
    """
    name = sniff(data)
    try:
        return av.open(io.BytesIO(data), "r", format=name, options=NOTHING_ELSE, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError, OSError, EOFError) as error:
        cut = name == "mp4" and b"moov" not in data
        reason = "truncated" if cut else "not_a_video"
        why = "its index (moov) is not there: the file was cut, or never finished" if cut else _said(error)
        raise UnreadableSample(reason, f"cannot be opened ({why})") from None


@contextlib.contextmanager
def opened(data: bytes, max_pixels: int) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first stream of moving pictures, ready to be decoded in this thread.

    Raises:
        UnreadableSample: as `open_container`; or `no_pictures` (sound alone), `unknown_codec`, `decompression_bomb`.
    """
    with open_container(data) as container:
        yield container, _pictures(container, max_pixels)


def _pictures(container: InputContainer, max_pixels: int) -> VideoStream:
    """The first stream that is no cover picture."""
    cover = int(av.stream.Disposition.attached_pic)
    streams = [stream for stream in container.streams.video if not int(stream.disposition) & cover]
    if not streams:
        other = "sound" if container.streams.audio else "neither sound"
        raise UnreadableSample("no_pictures", f"the file has {other} and no moving pictures")
    stream = streams[0]
    context = stream.codec_context
    if context is None:
        raise UnreadableSample("unknown_codec", "its pictures are coded in a way that the installed PyAV cannot decode")
    check_size(context.width, context.height, max_pixels)
    context.thread_count = 1
    return stream


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Raises `UnreadableSample` (`decompression_bomb`) above `max_pixels`."""
    if width * height > max_pixels:
        raise UnreadableSample(
            "decompression_bomb", f"{width} × {height} pixels; clean.max_pixels allows {max_pixels:,}"
        )


def _said(error: Exception) -> str:
    return str(error).partition(": '")[0][:200]
