"""Every route under hostile requests: refused with a reason or answered, never failed."""

import json
import random
import re

import pytest

from assay.explorer.server import make_app
from tests.explorer.visit import VISITORS

NUMBERS = [
    "0", "-1", "1", "1e3", "0.5", "Infinity", "-Infinity", "NaN", "1e400", "-1e400", "1e39", "1" + "0" * 30,
    "9" * 5_000, "-" + "9" * 5_000, "9223372036854775807", "9223372036854775808", "true", "1e-400",
]  # fmt: skip
TEXTS = [
    '""',
    '"\\ud800"',
    '"label\\udfff"',
    '"\\u0000"',
    '"' + "x" * 3_000 + '"',
    '"umap"',
    '"../../etc/passwd"',
    "null",
]
TREES = ["[]", "{}", "[[[1]]]", "[" * 40 + "]" * 40, "[" * 5_000 + "]" * 5_000, '{"a":' * 30 + "1" + "}" * 30]
TREES += ['["a", null, 1, {}]', '[1, "2"]', "[null, null]", "[0, 1, 2]", "[" + "1," * 4_100 + "1]"]
ANY = NUMBERS + TEXTS + TREES
GOOD = {
    "method": ['"umap"', '"pca"'], "color": ['"label"', '"scores.dark"'], "limit": ["10"], "offset": ["0", "5"],
    "region": ["[0, 0, 1, 1]"], "deep": ["true"], "columns": ['["label", "scores.dark"]'], "sort": ['"scores.dark"'],
    "descending": ["true"], "pair": ['"test ↔ train"'], "kind": ['"tag"', '"drop"', '"accept_label"', '"keep"'],
    "value": ['"cat"'], "ids": ['["s/0000001"]'], "batch": ['"none"'], "what": ['"cleaned"'], "format": ['"csv"'],
    "key": ['"labels"', '"duplicates"', '"outliers"'], "rows": ["[0, 5]"], "name": ['"mine"'], "state": ['{"a": 1}'],
    "lines": ['["sample_id,prediction", "s/0000001,cat"]'],
}  # fmt: skip
FILTERS = {
    "lasso": ['{"method": "umap", "points": [[0, 0], [1, 0], [1, %s]]}', '{"method": "umap", "points": %s}'],
    "ranges": ['{"scores.dark": [%s, 1]}', '{"scores.dark": %s}', "%s"],
    "values": ['{"label": [%s]}', '{"label": %s}', "%s"], "hidden": ['{"label": [%s]}', '{"split": %s}'],
    "carries": ["[%s]", "%s"], "flags": ["[%s]", "%s"], "cell": ["[%s, %s]", "%s"], "text": ["%s"],
    "similar": ['{"id": "s/0000001", "k": %s}', '{"id": %s}', "%s"], "words": ['{"text": %s, "k": 3}', "%s"],
    "picture": ['{"name": "%s", "k": 3}', '{"name": %s}', "%s"], "ids": ["[%s]", "%s"],
}  # fmt: skip
POSTS = {
    "1/points": ["method", "color", "limit", "region", "deep"], "1/facets": ["columns"],
    "1/gallery": ["sort", "descending", "offset", "limit"], "1/duplicates": ["offset", "limit"],
    "1/leaks": ["pair", "offset", "limit"], "1/decide": ["kind", "value", "ids"], "1/undo": ["batch"],
    "1/export": ["what", "format"], "1/lifts": [], "1/queue": ["key"], "1/cards": ["rows"], "1/evaluation": [],
    "predictions": ["lines"], "views": ["name", "state"], "1/picture": ["name"],
}  # fmt: skip
GETS = {
    "1/sample": ["id"], "1/history": ["id"], "1/peek": ["row"], "1/thumbnail": ["row"], "1/raw": ["row"],
    "1/table/classes": ["offset", "limit"], "1/table/nothing": [], "1/confusion": [], "1/meta": [], "1/overview": [],
    "1/names": ["method"], "1/classes": [], "1/compare/2": ["change", "metric"], "1/compare/2/plots": ["method"],
    "1/compare/" + "9" * 40: [], "snapshots": [], "views": [], "decisions": [],
}  # fmt: skip
QUERIES = [
    "",
    "-1",
    "1",
    "1e3",
    "inf",
    "nan",
    "9" * 30,
    "9" * 5_000,
    "%ED%A0%80",
    "%00",
    "٣",
    "x" * 3_000,
    "0x10",
    " 1",
]


def made_filter(dice: random.Random) -> str:
    """A filter with one or two parts, of hostile values."""
    parts = []
    for key in dice.sample(sorted(FILTERS), dice.choice([1, 1, 2])):
        shape = dice.choice(FILTERS[key])
        parts.append(f'"{key}": ' + re.sub("%s", lambda _: dice.choice(ANY).replace("\\", "\\\\")[:8_000], shape))
    return "{" + ", ".join(parts).replace("\\\\", "\\") + "}"


def made_body(dice: random.Random, fields: list[str]) -> str:
    """A body with good values in all fields but one, or with a hostile filter."""
    values = {name: dice.choice(GOOD[name]) for name in fields}
    if dice.random() < 0.5:
        values["filter"] = dice.choice([made_filter(dice)] * 4 + ANY)
    if fields and ("filter" not in values or dice.random() < 0.3):
        values[dice.choice(fields)] = dice.choice(ANY)
    return "{" + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}"


@pytest.mark.parametrize("seed", range(6))
def test_no_request_makes_a_post_fail(client, seed):
    """Infinite and huge numbers, halves of characters, deep trees, wrong types, in every field of every route."""
    dice = random.Random(seed)
    for path, fields in POSTS.items():
        for _ in range(6):
            body = made_body(dice, fields)
            answer = client.post(f"/api/{path}", content=body.encode(), headers={"content-type": "application/json"})
            assert answer.status_code < 500, (path, body[:300], answer.text[:300])
            if answer.status_code >= 400:
                assert 5 < len(answer.json()["error"]) <= 1_000, (path, body[:300])


@pytest.mark.parametrize("path", sorted(GETS))
def test_no_query_makes_a_get_fail(client, path):
    """Every parameter with every hostile value, and without it."""
    assert client.get(f"/api/{path}").status_code < 500
    for name in GETS[path]:
        for value in QUERIES:
            answer = client.get(f"/api/{path}?{name}={value}")
            assert answer.status_code < 500, (path, name, value[:50], answer.text[:300])


def test_every_route_is_tried(workspace):
    """A route that is added is fuzzed as well."""
    tried = {re.sub("/(2|9+)(?=/|$)", "/{other:int}", path) for path in [*POSTS, *GETS]}
    routes = {route.path for route in make_app(workspace, VISITORS).app.routes if route.path.startswith("/api/")}
    known = {path.removeprefix("/api/").replace("{number:int}", "1").replace("{table}", "classes") for path in routes}
    assert known <= tried


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"a"', b"\xff\xfe", b'{"a": 1', b"\x00" * 100, b"{}" * 2, b"null", b'{"filter": \xed\xa0\x80}'],
)
def test_what_is_no_json_object_is_refused(client, body):
    """Whatever the bytes are."""
    answer = client.post("/api/1/facets", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400 and answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"offset": Infinity}', "finite"),
        ('{"offset": NaN}', "finite"),
        ('{"offset": 1e999}', "at most"),
        ('{"offset": 1' + "0" * 30 + "}", "digits"),
        ('{"offset": ' + "7" * 5_000 + "}", "digits"),
        ('{"limit": -1}', "from 0"),
        ('{"sort": "\\ud800"}', "lone surrogate"),
        ('{"a": ' + "[" * 60 + "]" * 60 + "}", "deep"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "deep"),
        ('{"filter": {"text": "' + "x" * 3_000 + '"}}', "2,000 characters"),
        ('{"a": [' + "0," * 400_000 + "0]}", "too many"),
        ('{"a": "' + "x" * 200_000 + '"}', "characters"),
        ('{"filter": {"similar": {"id": "s/0000001", "k": -1}}}', "k"),
        ('{"filter": {"ids": "abc"}}', "list"),
    ],
)
def test_the_reason_is_told(client, body, words):
    """400, and what was found and wanted."""
    answer = client.post("/api/1/gallery", content=body.encode(), headers={"content-type": "application/json"})
    assert answer.status_code == 400 and words in answer.json()["error"]


@pytest.mark.parametrize("number", ["9" * 12, "9" * 40, "9" * 6_000, "-1", "1.5", "٣"])
@pytest.mark.parametrize("route", ["meta", "compare/1", "nothing"])
def test_numbers_that_no_snapshot_has(client, number, route):
    """Thousand-digit numbers in the path are not found, and do not fail."""
    assert client.get(f"/api/{number}/{route}").status_code in (400, 404, 414)


def test_a_value_that_is_too_long_is_not_cut(client):
    """A tag of 1,001 characters is refused, and nothing is written."""
    answer = client.post("/api/1/decide", json={"kind": "tag", "value": "x" * 1_001, "ids": ["s/0000001"]})
    assert answer.status_code == 400 and "1,001" in answer.json()["error"]
    assert client.get("/api/decisions").json()["total"] == 0


def test_good_requests_are_as_before(client):
    """Whole numbers as floats and numbers of fifteen digits pass."""
    body = {"limit": 3.0, "offset": 10**14, "filter": {"ids": [], "text": None}}
    assert client.post("/api/1/gallery", json=body).json()["total"] == 0
    assert json.loads(client.post("/api/1/gallery", json={"limit": 2}).content)["total"] == 1200
