"""YOLO: one text file a picture, a line a box, `class x y width height`, the middle first, in shares of the picture.

A line of more numbers is an outline, `class x1 y1 x2 y2 …`, of which the box is taken; six are a box with a confidence.
"""

import math
from collections.abc import Sequence

import yaml

from assay.modalities.objects.annotations import Annotation, Found, Refused, checked_region
from assay.sources.fragments import Region

MOST_CLASSES = 100_000
SLACK = 1e-3  # over 1, from rounding


def read_yolo(data: bytes, name: str, image: str, classes: Sequence[str] | None) -> Found:
    """The boxes of the picture `image`. `classes`: the names by number; None where nothing names them."""
    found = Found(named=[image])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found.rows.append(Refused("invalid_unicode", f"{name}: not UTF-8 at byte {error.start}"))
        return found
    for number, line in enumerate(text.splitlines()):
        if words := line.split():
            found.rows.append(_box(words, image, f"{name}, line {number + 1}", classes))
    return found


def read_names(data: bytes, name: str) -> list[str] | None:
    """The class names that `data.yaml` (its `names`, a list or a map from numbers) or a list of lines gives; None
    where it gives none."""
    try:
        text = data.decode("utf-8-sig")
        if not name.lower().endswith((".yaml", ".yml")):
            return [line.strip() for line in text.splitlines() if line.strip()][:MOST_CLASSES] or None
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            return None  # names repeat nothing, and repeats of repeats fill any memory
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError):  # PyYAML's own are but some
        return None
    names = found.get("names") if isinstance(found, dict) else None
    if isinstance(names, dict) and names and all(type(key) is int and 0 <= key < MOST_CLASSES for key in names):
        names = [names.get(number, number) for number in range(max(names) + 1)]
    if not isinstance(names, list) or not names or len(names) > MOST_CLASSES:
        return None
    return [str(one) for one in names] if all(isinstance(one, str | int | float) for one in names) else None


def _box(words: list[str], image: str, place: str, classes: Sequence[str] | None) -> Annotation | Refused:
    try:
        number, values = int(words[0]), [float(word) for word in words[1:]]
    except ValueError:
        return Refused("not_numeric", f"{place}: {' '.join(words)!r:.80}; wanted a class number and shares of 0 to 1")
    if number < 0 or (classes is not None and number >= len(classes)):
        known = f"{len(classes):,} classes are named" if classes is not None else "classes are numbered from 0"
        return Refused("class_out_of_range", f"{place}: class {number}, and {known}")
    if not all(map(math.isfinite, values)):
        return Refused("box_not_finite", f"{place}: the box holds NaN or infinity")
    if max(values, default=0.0) > 1 + SLACK or min(values, default=0.0) < -SLACK:
        return Refused("box_out_of_range", f"{place}: {' '.join(words[1:5])!r:.60} are not shares from 0 to 1")
    region = _region(values, place)
    if isinstance(region, Refused):
        return region
    return Annotation(image, region, classes[number] if classes is not None else str(number), place, {})


def _region(values: list[float], place: str) -> Region | Refused:
    if len(values) in (4, 5):
        x, y, width, height = (100 * value for value in values[:4])
        return checked_region([x - width / 2, y - height / 2, width, height], place, is_percent=True)
    if len(values) < 6 or len(values) % 2:
        return Refused(
            "no_box", f"{place}: {len(values)} numbers after the class; wanted 4, or the pairs of an outline"
        )
    across, down = [100 * x for x in values[::2]], [100 * y for y in values[1::2]]
    corner = min(across), min(down)
    return checked_region([*corner, max(across) - corner[0], max(down) - corner[1]], place, is_percent=True)
