"""One video → what the clean stage keeps of it. Runs in worker processes.

Everything is measured on grey pictures of 32 × 32 cells, one a frame, in levels of 0 to 255. Shares run from 0 to 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import av
import numpy as np
import numpy.typing as npt

from assay.modalities.contents import Content, Unmeasured, measure_each
from assay.modalities.video.decode import Limits, Played, play
from assay.modalities.video.looking import Colours, Greys
from assay.modalities.video.preview import AREA, FRAMES, sheet
from assay.sources.files import Source

BLACK = 24  # level up to which a cell is black; what encoders make of black is a few levels
STILL_MEAN, STILL_MOST = 0.1, 2  # levels between two frames of which nothing moves
FREEZE_SECONDS = 0.5  # that a picture stands, to be called frozen
CUT, CUT_TIMES, CUT_AROUND = 12.0, 2.5, 4  # mean levels; times the largest change of so many frames on both sides
GAP_TIMES, GAP_SECONDS = 2.5, 0.1  # an interval longer than so many usual ones, and by so much
LIT = 0.5  # share of the cells beside a black bar that are not dark
SILENT = 1e-6  # mean square: 60 dB under full scale
MATCH_STEP, MATCH_STEPS, MATCH_SIDE = 0.2, 600, 16  # seconds, number and cells a side of the pictures that tell copies
MATCH_BELL = 0.16  # seconds, standard deviation of the bell in time that makes such a picture

Grid = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class MeasuredVideo:
    """A row of `video_facts` without its content hash."""

    values: dict[str, object]


def measure_contents(source: Source, limits: Limits, contents: Sequence[Content]) -> list[MeasuredVideo | Unmeasured]:
    """Read, decode and measure videos, one result each, in their order."""
    return measure_each(lambda data: MeasuredVideo(measure(data, limits)), source, contents)


def measure(data: bytes, limits: Limits) -> dict[str, object]:
    """All facts of one video. Raises `UnreadableSample` as `assay.modalities.video.decode.play`."""
    greys, colours = Greys(), Colours(4 * FRAMES, AREA)

    def see(frame: av.VideoFrame, moment: float) -> None:
        greys.see(frame, moment)
        colours.see(frame, moment)

    played = play(data, limits, see, listen=True)
    grid, times = greys.grid(), np.array(played.times)
    usual = usual_interval(times)
    changes = change_of(grid)
    return {
        "format": played.format,
        "codec": played.codec,
        "width": played.width,
        "height": played.height,
        "n_frames": len(grid),
        "seconds": seconds_of(times, usual),
        "fps": 1.0 / usual if usual else None,
        "brightness": float(grid.mean()) / 255.0,
        "contrast": min(contrast(grid) / 127.5, 1.0),
        "movement": float(changes.mean()) if len(changes) else 0.0,
        "black": float(black_frames(grid).mean()),
        "static": float(still_pairs(grid).mean()) if len(grid) > 1 else 1.0,
        "frozen": frozen_share(grid, times, usual),
        "n_cuts": len(cuts(grid, changes)),
        "letterbox": letterbox(grid),
        "corrupt": corrupt_share(played),
        "missing": missing(played, times, usual),
        "gaps": gap_share(times, usual),
        "jumps": jump_share(times),
        **sound(played),
        "video_hash": greys.digest(),
        "luminance": sequence(grid, times, usual).tobytes(),
        "thumbnail": sheet(colours.spread(FRAMES)),
    }


def corrupt_share(played: Played) -> float:
    """Frames that the decoder made up in part, and packets that it could not decode, as a share of both, 0 … 1.

    Of a frame its packet and the frame itself may be told of, which counts once at most.
    """
    frames = len(played.times)
    return (min(played.n_corrupt, frames) + played.n_broken) / (frames + played.n_broken)


def contrast(grid: Grid) -> float:
    """Mean over the frames of the standard deviation of their cells, in levels; some frames at a time, for memory."""
    spreads = [grid[start : start + 4_096].std(axis=(1, 2)) for start in range(0, len(grid), 4_096)]
    return float(np.concatenate(spreads).mean())


def usual_interval(times: npt.NDArray[np.float64]) -> float:
    """Median seconds from one frame to the next; 0 where no two frames have a time."""
    steps = np.diff(times)
    steps = steps[np.isfinite(steps) & (steps > 0)]
    return float(np.median(steps)) if len(steps) else 0.0


def seconds_of(times: npt.NDArray[np.float64], usual: float) -> float:
    """From the first frame to the end of the last one."""
    known = times[np.isfinite(times)]
    return float(known.max() - known.min()) + usual if len(known) else 0.0


def change_of(grid: Grid) -> npt.NDArray[np.float64]:
    """(frames − 1,) mean difference of each frame to the one before it, in levels."""
    return _difference(grid[1:], grid[:-1]).mean(axis=(1, 2))


def _difference(one: Grid, other: Grid) -> npt.NDArray[np.uint8]:
    return np.maximum(one, other) - np.minimum(one, other)


def black_frames(grid: Grid) -> npt.NDArray[np.bool_]:
    """(frames,) whether no more than a fiftieth of the cells shows anything."""
    shown: npt.NDArray[np.bool_] = (grid > BLACK).mean(axis=(1, 2)) <= 0.02
    return shown


def still_pairs(grid: Grid) -> npt.NDArray[np.bool_]:
    """(frames − 1,) whether nothing has moved since the frame before."""
    apart = _difference(grid[1:], grid[:-1])
    still: npt.NDArray[np.bool_] = (apart.mean(axis=(1, 2)) <= STILL_MEAN) & (apart.max(axis=(1, 2)) <= STILL_MOST)
    return still


def runs(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """`(start, end)` of each run of true flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.view(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def frozen_share(grid: Grid, times: npt.NDArray[np.float64], usual: float) -> float:
    """Share of a moving video in which the picture stands for half a second or longer, and is not black.

    A video in which nothing ever moves is `static`, not frozen: 0.
    """
    still = still_pairs(grid)
    if not len(still) or still.mean() >= 0.95 or not usual:
        return 0.0
    still &= ~black_frames(grid)[1:]
    whole = seconds_of(times, usual)
    long = [times[b] - times[a] for a, b in runs(still)]
    return float(min(sum(length for length in long if length >= FREEZE_SECONDS) / whole, 1.0))


def cuts(grid: Grid, changes: npt.NDArray[np.float64]) -> list[int]:
    """The frames that begin another scene: far from the one before, as the one after is; a flash is none."""
    found = []
    for place in np.flatnonzero(changes >= CUT).tolist():
        around = np.delete(changes[max(0, place - CUT_AROUND) : place + CUT_AROUND + 1], min(place, CUT_AROUND))
        largest = float(around.max(initial=0.0))
        after = min(place + 2, len(grid) - 1)
        stays = _difference(grid[after], grid[place]).mean() >= 0.8 * CUT
        if changes[place] >= CUT_TIMES * largest and stays:
            found.append(place + 1)
    return found


def letterbox(grid: Grid) -> float:
    """Share of the picture in black bars that stand on two opposite sides all the time."""
    brightest = grid.max(axis=0)
    rows, columns = _bars(brightest), _bars(brightest.T)
    return 1.0 - (1.0 - rows / len(brightest)) * (1.0 - columns / len(brightest))


def _bars(brightest: Grid) -> int:
    """Rows that are black from both edges inwards and end at once, where most of the picture is lit; else 0.

    A dark border that brightens slowly is part of the scene.
    """
    shown = np.flatnonzero(brightest.max(axis=1) > BLACK)
    if not len(shown):
        return 0
    first, last = int(shown[0]), len(brightest) - 1 - int(shown[-1])
    lit = (brightest > 2 * BLACK).mean(axis=1)
    ends = lit[first : first + 2].max(), lit[len(lit) - last - 2 : len(lit) - last].max()
    return first + last if first and last and min(ends) >= LIT else 0


def missing(played: Played, times: npt.NDArray[np.float64], usual: float) -> float:
    """Share of what the file promises that it has not: of its frames, where it has an index, else of its seconds, when
    pictures and sound both end early."""
    if played.promised:
        return max(0.0, 1.0 - len(times) / played.promised)
    known = times[np.isfinite(times)]
    end = max(float(known.max(initial=0.0)) + usual, sum(played.pieces))
    return max(0.0, 1.0 - end / played.promised_seconds) if played.promised_seconds else 0.0


def gap_share(times: npt.NDArray[np.float64], usual: float) -> float:
    """Share of the video's time in which frames are missing: intervals much longer than usual, less a usual one."""
    steps = np.diff(times)
    steps = steps[np.isfinite(steps)]
    long = steps[(steps > GAP_TIMES * usual) & (steps > usual + GAP_SECONDS)]
    whole = seconds_of(times, usual)
    return float(min((long - usual).sum() / whole, 1.0)) if usual and whole > 0 else 0.0


def jump_share(times: npt.NDArray[np.float64]) -> float:
    """Share of the frames that have no time, or none after the frame before them."""
    steps = np.diff(times)
    wrong = int((~np.isfinite(times)).sum()) + int((np.isfinite(steps) & (steps <= 0)).sum())
    return min(wrong / len(times), 1.0)


def sound(played: Played) -> dict[str, object]:
    """Whether there is sound, how long it is, how loud in decibels under full scale, and how much of it is silence."""
    levels, pieces = np.array(played.levels), np.array(played.pieces)
    if not len(levels):
        return {"has_sound": played.has_sound, "sound_seconds": None, "loudness_db": None, "silence": None}
    mean = float((levels * pieces).sum() / pieces.sum())
    return {
        "has_sound": True,
        "sound_seconds": float(pieces.sum()),
        "loudness_db": float(10.0 * np.log10(max(mean, 1e-12))),
        "silence": min(float(pieces[levels <= SILENT].sum() / pieces.sum()), 1.0),
    }


def sequence(grid: Grid, times: npt.NDArray[np.float64], usual: float) -> npt.NDArray[np.uint8]:
    """(steps, `MATCH_SIDE`, `MATCH_SIDE`) of the first two minutes: each fifth of a second the mean picture around it.

    The mean is weighted by a bell so wide that nothing faster than the steps can tell is left, so that two videos whose
    steps lie between each other's can be compared. A frame counts as long as it is shown; frames without times are
    evenly spread.
    """
    if not np.isfinite(times).all() or not usual or (np.diff(times) <= 0).any():
        times = np.arange(len(grid), dtype=np.float64) * (usual or 0.04)
    shown = np.append(np.diff(times), usual or 0.04)
    middle = times - times[0] + shown / 2.0
    n = int(np.clip(np.ceil((times[-1] - times[0] + shown[-1]) / MATCH_STEP - 1e-6), 1, MATCH_STEPS))
    within = middle <= n * MATCH_STEP + 4 * MATCH_BELL
    small = grid[within].reshape(-1, MATCH_SIDE, 2, MATCH_SIDE, 2).mean(axis=(2, 4), dtype=np.float32)
    apart = ((np.arange(n) + 0.5) * MATCH_STEP)[:, None] - middle[within]
    logs = -0.5 * np.square(apart / MATCH_BELL) + np.log(shown[within])
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    mean = weights @ small.reshape(len(small), -1)
    return np.rint(mean).astype(np.uint8).reshape(n, MATCH_SIDE, MATCH_SIDE)
