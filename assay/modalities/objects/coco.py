"""COCO JSON: one object with lists of `images`, `annotations` and `categories`."""

import json
from collections.abc import Hashable, Sequence

from assay.modalities.objects.annotations import Annotation, Found, Refused, checked_region
from assay.modalities.objects.masks import outline
from assay.sources.unicode import is_unicode


def read_coco(data: bytes, name: str) -> Found | None:
    """The boxes of one file, in its order; None where it is JSON of another kind, or none at all.

    A dangling id, an absent, empty or broken box costs its own row; a broken mask costs itself.
    """
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(whole, dict) or not all(isinstance(whole.get(key), list) for key in ("images", "annotations")):
        return None
    found = Found()
    categories = whole.get("categories")
    if not isinstance(categories, list):
        found.said.append(f"{name}: it has no `categories`, so it names no classes, and is left out")
        return found
    images = _named(whole["images"], "file_name", name, "images", found)
    classes = _named(categories, "name", name, "categories", found)
    found.named = list(images.values())
    unread: list[str] = []
    for number, row in enumerate(whole["annotations"]):
        found.rows.append(_annotation(row, number, name, images, classes, unread))
    if unread:
        found.doubts.append(f"{name}: {len(unread):,} masks are left out, their boxes are kept; the first: {unread[0]}")
    return found


def _named(rows: Sequence[object], key: str, file: str, part: str, found: Found) -> dict[Hashable, str]:
    """`{id: name}` of the images or the categories; what is no such entry is told, and dangles."""
    names: dict[Hashable, str] = {}
    broken = twice = 0
    for row in rows:
        number, name = (row.get("id"), row.get(key)) if isinstance(row, dict) else (None, None)
        if not isinstance(number, str | int | float) or not isinstance(name, str) or not is_unicode(name):
            broken += 1
        elif names.setdefault(number, name) != name:
            twice += 1
    if broken:
        found.doubts.append(
            f"{file}: {broken:,} entries of `{part}` lack an `id` or a `{key}`; their boxes are refused"
        )
    if twice:
        found.doubts.append(f"{file}: {twice:,} ids of `{part}` stand for two things; the first is taken")
    return names


def _annotation(
    row: object,
    number: int,
    file: str,
    images: dict[Hashable, str],
    classes: dict[Hashable, str],
    unread: list[str],
) -> Annotation | Refused:
    """One row; `unread` takes what is wrong with its mask."""
    place = f"{file}, annotation {number}"
    if not isinstance(row, dict):
        return Refused("invalid_json", f"{place}: {row!r:.60} is not an object")
    image = _known(images, row.get("image_id"))
    if image is None:
        return Refused("dangling_image", f"{place}: no image has the id {row.get('image_id')!r:.60}")
    label = _known(classes, row.get("category_id"))
    if label is None:
        return Refused("dangling_category", f"{place}: no category has the id {row.get('category_id')!r:.60}")
    region = checked_region(row.get("bbox"), f"{place} ({image[:100]})")
    if isinstance(region, Refused):
        return region
    crowd = row.get("iscrowd")
    more: dict[str, str | bool | None] = {"crowd": bool(crowd) if crowd in (0, 1) else None, "mask": None}
    try:
        more["mask"] = outline(row.get("segmentation"))
    except (ValueError, OverflowError) as problem:
        unread.append(f"{place}: {problem}")
    return Annotation(image, region, label, place, more)


def _known(names: dict[Hashable, str], number: object) -> str | None:
    return names.get(number) if isinstance(number, str | int | float) else None
