"""Texts that share most of their characters and are different: one function a kind, `n` texts each."""

import random
import re
from collections.abc import Callable

TOWNS = (
    "Leoben Bruck Judenburg Murau Liezen Weiz Feldbach Hartberg Voitsberg Mureck Radkersburg Gleisdorf Knittelfeld "
    "Linz Lienz Graz Wels Steyr Krems Baden Tulln Horn Zwettl Gmunden Hallein Bregenz Dornbirn Bludenz Kufstein Schwaz"
).split()
PEOPLE = "Anna Berger,Paul Huber,Eva Steiner,Karl Moser,Lena Gruber,Max Bauer,Ida Wagner,Otto Pichler".split(",")
THINGS = (
    "umbrella,violin,blue rucksack,hearing aid,pram,laptop charger,wheelchair,guide dog,walking frame,cargo bike".split(
        ","
    )
)
VEHICLES = "lorry,bus,tram,van,tractor,motorbike,taxi,minibus".split(",")
DAYS = "Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday".split(",")
COLOURS = "red,green,blue,yellow,violet,orange,white,black,brown,grey".split(",")
PRODUCTS = "shirt,kettle,lamp,rucksack,blanket,chair,notebook,bottle".split(",")

SYSTEM = (
    "You are a careful assistant for the customers of a bank. Answer in at most three sentences, never invent "
    "numbers, name the fee where it matters, and send the customer to a person where money is missing. If a "
    "card was stolen, give the emergency line and nothing else. Below is what a customer wrote.\n\n### "
    "Request:\n{}\n\n### Answer:\n"
)
FOOTER = (
    "\n\n--\nThis message and any attachment are confidential and meant only for the person named above. If "
    "you have received it by mistake, please delete it, tell the sender and do not pass on its contents. "
    "Registered under FN 123456x."
)
LICENCE = (
    '"""{}."""\n# Licensed under the Apache License, Version 2.0 (the "License"); you may not use this file except in\n'
    "# compliance with the License. You may obtain a copy of the License with this file. Unless required by\n"
    '# applicable law or agreed to in writing, software is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES\n'
    "# OR CONDITIONS OF ANY KIND, either express or implied.\n\n\n"
)
Texts = list[str]


def news(n: int, _: Texts, __: Texts, rng: random.Random) -> Texts:
    """One report with other names and numbers."""
    shape = (
        "Police said on {day} that {dead} people were killed and {hurt} hurt in {town} when a {vehicle} hit a "
        "parked {other} near the market square. The driver, {person}, {age}, was taken to the hospital of "
        "{town2}. A spokesman asked witnesses to come forward. It was the {nth}th such accident in the region "
        "this year."
    )
    return distinct(n, lambda: shape.format(
        day=rng.choice(DAYS), dead=rng.randrange(2, 19), hurt=rng.randrange(2, 60), town=rng.choice(TOWNS),
        vehicle=rng.choice(VEHICLES), other=rng.choice(VEHICLES), person=rng.choice(PEOPLE), age=rng.randrange(18, 90),
        town2=rng.choice(TOWNS), nth=rng.randrange(4, 30),
    ))  # fmt: skip


def prompts(n: int, _: Texts, queries: Texts, rng: random.Random) -> Texts:
    """One system message in front of different questions."""
    return [SYSTEM.format(query) for query in rng.sample(queries, n)]


def few_prompts(n: int, _: Texts, queries: Texts, rng: random.Random) -> Texts:
    """Each three questions under a system message of their own, too few to be seen as a template."""
    found = []
    for number, query in enumerate(rng.sample(queries, n)):
        words = random.Random(number // 3).sample(SYSTEM.split("\n")[0].split(), 45)
        found.append(f"{' '.join(words)}\n\n### Request:\n{query}\n\n### Answer:\n")
    return found


def mails(n: int, _: Texts, queries: Texts, rng: random.Random) -> Texts:
    """Different mails with one footer."""
    return [query + FOOTER for query in rng.sample(queries, n)]


def licences(n: int, _: Texts, __: Texts, rng: random.Random) -> Texts:
    """Small modules under one licence header."""
    nouns = "area volume price weight height speed angle score rate count total share radius index offset".split()
    verbs = "measure convert scale shift round clip sum join split sort filter hash parse format check".split()
    bodies = ["return {a} * {b} + {k}", "return [{a} for {a} in {b} if {a} > {k}]",
              "return max({a} - {k}, {b})", "if {a} > {k}:\n        raise ValueError({a})\n    return {b}",
              "return sum({b}[{k}:]) / {a}"]  # fmt: skip

    def module() -> str:
        a, b, verb = *rng.sample(nouns, 2), rng.choice(verbs)
        body = rng.choice(bodies).format(a=a, b=b, k=rng.randrange(2, 99))
        return LICENCE.format(f"{verb} the {a} by the {b}".capitalize()) + f"def {verb}_{a}({a}, {b}):\n    {body}\n"

    return distinct(n, module)


def products(n: int, _: Texts, __: Texts, rng: random.Random) -> Texts:
    """One description of goods of other kinds, colours and sizes, in lower case."""
    shape = (
        "this {product} in {colour} is made of sturdy material, easy to clean and pleasant to the touch. it "
        "comes in size {size} with a {other} edge and a label that can be removed. free returns within thirty "
        "days, see our terms."
    )
    return distinct(n, lambda: shape.format(
        product=rng.choice(PRODUCTS), colour=rng.choice(COLOURS), size=rng.choice("xs s m l xl xxl".split()),
        other=rng.choice(COLOURS),
    ))  # fmt: skip


def lost(n: int, _: Texts, __: Texts, rng: random.Random) -> Texts:
    """Short questions that differ in a thing or a town."""
    shapes = [
        "I forgot a {} in the carriage to {}.",
        "Has anybody handed in a {} found near {}?",
        "Can I board with a {} at {}?",
    ]
    return distinct(n, lambda: rng.choice(shapes).format(rng.choice(THINGS), rng.choice(TOWNS)))


def numbers(n: int, quotations: Texts, _: Texts, rng: random.Random) -> Texts:
    """Pairs of one quotation in which one number differs."""
    found = [text for text in quotations[::2] if re.search(r"(?<![\w.])\d+(?![\w.])", text)]
    pairs = []
    for text in rng.sample(found, n // 2):
        pairs += [text, re.sub(r"(?<![\w.])\d+(?![\w.])", lambda match: str(int(match[0]) + 10), text, count=1)]
    return pairs


def names(n: int, quotations: Texts, _: Texts, rng: random.Random) -> Texts:
    """Pairs of one quotation in which one name differs."""
    pattern = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}")
    found = [text for text in quotations[1::2] if pattern.search(text)]
    pairs = []
    for text in rng.sample(found, n // 2):
        pairs += [text, pattern.sub(rng.choice(TOWNS), text, count=1)]
    return pairs


def negated(n: int, quotations: Texts, queries: Texts, rng: random.Random) -> Texts:
    """Pairs of one short query of which one says the contrary."""
    found = [text for text in queries if re.search(r"\b(can|is|was|does|did) ", text)]
    pairs = []
    for text in rng.sample(found, n // 2):
        pairs += [text, re.sub(r"\b(can|is|was|does|did) ", r"\1 not ", text, count=1)]
    return pairs


def distinct(n: int, make: Callable[[], str]) -> Texts:
    """`n` different results."""
    found: dict[str, None] = {}
    while len(found) < n:
        found[make()] = None
    return list(found)


HARD = {
    "news, one template": news,
    "prompts, one system message": prompts,
    "prompts, three a message": few_prompts,
    "mails, one footer": mails,
    "code, one licence": licences,
    "products, one description": products,
    "short, another thing or town": lost,
    "another number": numbers,
    "another name": names,
    "the contrary": negated,
}
