"""Pascal VOC XML: one file a picture, `annotation/object/bndbox`. Document types, and so entities, are refused."""

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from assay.modalities.objects.annotations import Annotation, Found, Refused, checked_region

DEEPEST = 40  # elements in one another
CORNERS = ("xmin", "ymin", "xmax", "ymax")


class _ForbiddenError(ValueError):
    """What a file of annotations has no need of."""


def read_voc(data: bytes, name: str) -> Found | None:
    """The boxes of one file; None where it is XML of another kind. A file that is no whole XML is one refused row."""
    try:
        root = parse_xml(data)
    except _ForbiddenError as error:
        return Found([Refused("unsafe_xml", f"{name}: {error}")])
    except (expat.ExpatError, ValueError, LookupError) as error:
        return Found([Refused("invalid_xml", f"{name}: {error}"[:200])])
    if root.tag != "annotation":
        return None
    image = _text(root, "filename") or name.rpartition("/")[2].rpartition(".")[0]
    found = Found(named=[image])
    for number, thing in enumerate(root.findall("object")):
        found.rows.append(_object(thing, image, f"{name}, object {number}"))
    return found


def parse_xml(data: bytes) -> Element:
    """The root of a document without a document type, not nested deeper than `DEEPEST`.

    Raises:
        ValueError: it has one, or is.
        ExpatError: it is not well formed.
    """
    builder, depth = TreeBuilder(), 0
    parser = expat.ParserCreate()

    def start(tag: str, _: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise _ForbiddenError(f"more than {DEEPEST} elements in one another")
        builder.start(tag, {})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise _ForbiddenError("a document type, which may define entities; wanted plain elements")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.Parse(data, True)
    return builder.close()


def _object(thing: Element, image: str, place: str) -> Annotation | Refused:
    label = _text(thing, "name")
    if not label:
        return Refused("missing_label", f"{place}: no `name`")
    box = thing.find("bndbox")
    if box is None:
        return Refused("no_box", f"{place}: no `bndbox`")
    corners = []
    for corner in CORNERS:
        try:
            corners.append(float(_text(box, corner)))
        except ValueError:
            return Refused("no_box", f"{place}: {corner} is {_text(box, corner)!r:.60}; wanted a number")
    left, top, right, bottom = corners
    region = checked_region([left, top, right - left, bottom - top], place)
    if isinstance(region, Refused):
        return region
    return Annotation(image, region, label, place, {name: _flag(thing, name) for name in ("difficult", "truncated")})


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _flag(element: Element, name: str) -> bool | None:
    return {"0": False, "1": True}.get(_text(element, name))
