"""The example of interactions: a made shop, customers of six tastes, and what goes wrong in such tables."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

TASTES = ("books", "garden", "kitchen", "music", "sport", "toys")
CUSTOMERS, ITEMS = 700, 360
BOUGHT = 14.0  # on average
LOYAL = 0.8  # share of what is bought that is of the customer's taste
DAYS, START = 90, 1_767_225_600  # seconds since 1970: January 2026
TEST_SHARE = 0.2
N = {"wrong_class": 18, "cold": 6, "power_user": 2, "robot": 3, "pair_again": 5, "twin": 3, "odd_value": 5, "future": 3,
     "unlisted": 3}  # fmt: skip
TRUTH = {"uri": pl.String, "kind": pl.String, "of": pl.String, "true_label": pl.String}
Row = tuple[str, str, float, int, str]  # user, item, rating, seconds since 1970, split


@dataclass
class Shop:
    """What is written: interactions, and the items with their label."""

    rows: list[Row]
    items: dict[str, str]
    customers: list[str]
    truth: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)


def write_example(folder: Path, seed: int) -> pl.DataFrame:
    """`interactions.csv` and `items.csv` below `folder/made-shop`; the truth, as `Example.write` gives it."""
    rng = np.random.default_rng(seed)
    shop = make_shop(rng)
    plant(shop, rng)
    root = folder / "made-shop"
    root.mkdir(parents=True, exist_ok=True)
    rows = pl.DataFrame(shop.rows, schema=["user", "item", "rating", "time", "split"], orient="row")
    rows.sort("time", "user", "item").write_csv(root / "interactions.csv")
    pl.DataFrame({"item": list(shop.items), "label": list(shop.items.values())}).write_csv(root / "items.csv")
    return pl.DataFrame(shop.truth, schema=TRUTH, orient="row").sort("uri")


def make_shop(rng: np.random.Generator) -> Shop:
    """Clean: a customer mostly buys what is of one taste, popular items more often; each item once."""
    taste = rng.integers(len(TASTES), size=CUSTOMERS)
    group = rng.integers(len(TASTES), size=ITEMS)
    appeal = 1.0 / (1.0 + rng.permutation(ITEMS)) ** 0.6
    cut = START + int((1 - TEST_SHARE) * DAYS * 86_400)
    rows: list[Row] = []
    for customer in range(CUSTOMERS):
        chance = appeal * np.where(group == taste[customer], LOYAL / (1 - LOYAL) * (len(TASTES) - 1), 1.0)
        count = int(np.clip(rng.poisson(BOUGHT), 4, 40))
        for item in rng.choice(ITEMS, size=count, replace=False, p=chance / chance.sum()):
            at = START + int(rng.integers(DAYS * 86_400))
            rows.append((_user(customer), _item(item), _rating(rng), at, "test" if at >= cut else "train"))
    items = {_item(item): TASTES[group[item]] for item in range(ITEMS)}
    return Shop(rows, items, [_user(customer) for customer in range(CUSTOMERS)])


def plant(shop: Shop, rng: np.random.Generator) -> None:
    """Defects of every kind of `N`, no customer and no item with two."""
    users, items = iter(rng.permutation(shop.customers).tolist()), iter(_taken(shop, rng))
    fresh = iter(range(ITEMS, 2 * ITEMS))
    for _ in range(N["wrong_class"]):
        _relabel(shop, next(items), rng)
    for _ in range(N["cold"]):
        name = _item(next(fresh))
        shop.items[name] = str(rng.choice(TASTES))
        _buy(shop, next(users), name, rng)
        shop.truth.append((f"item:{name}", "cold", None, None))
    for _ in range(N["power_user"]):
        user = next(users)
        for item in list(shop.items)[: int(rng.integers(280, 340))]:
            _buy(shop, user, item, rng)
        shop.truth.append((f"user:{user}", "power_user", None, None))
    for _ in range(N["robot"]):
        _clockwork(shop, next(users), rng)
    for _ in range(N["pair_again"]):
        user = next(users)
        mine = [row for row in shop.rows if row[0] == user]
        shop.rows += [(*row[:3], row[3] + 60, row[4]) for row in mine for _ in range(2)]
        shop.truth.append((f"user:{user}", "pair_again", None, None))
    for _ in range(N["twin"]):
        _copy_item(shop, next(items), _item(next(fresh)))
    for _ in range(N["odd_value"]):
        user = next(users)
        row = next(number for number, row in enumerate(shop.rows) if row[0] == user)
        shop.rows[row] = (*shop.rows[row][:2], float(rng.choice([-1.0, 99.0])), *shop.rows[row][3:])
        shop.truth += [
            (f"user:{user}", "odd_value", None, None),
            (f"item:{shop.rows[row][1]}", "odd_value", None, None),
        ]
    for _ in range(N["future"]):
        _swap_splits(shop, next(users))
    for _ in range(N["unlisted"]):
        name = f"gone-{next(fresh):04d}"
        for user in rng.choice(shop.customers, 5, replace=False):
            _buy(shop, str(user), name, rng)
        shop.truth.append((f"item:{name}", "unlisted", None, None))


def _taken(shop: Shop, rng: np.random.Generator) -> list[str]:
    """Items that enough customers took, in a drawn order."""
    names, counts = np.unique([row[1] for row in shop.rows], return_counts=True)
    return [str(name) for name in rng.permutation(names[counts >= 12])]


def _relabel(shop: Shop, item: str, rng: np.random.Generator) -> None:
    shop.truth.append((f"item:{item}", "wrong_class", None, shop.items[item]))
    shop.items[item] = str(rng.choice([one for one in TASTES if one != shop.items[item]]))


def _clockwork(shop: Shop, user: str, rng: np.random.Generator) -> None:
    """All of what a user takes at equal distances of time."""
    mine = [number for number, row in enumerate(shop.rows) if row[0] == user]
    others = [item for item in shop.items if item not in {shop.rows[number][1] for number in mine}]
    for item in rng.choice(others, max(0, 15 - len(mine)), replace=False):
        _buy(shop, user, str(item), rng)
        mine.append(len(shop.rows) - 1)
    for place, number in enumerate(mine):
        shop.rows[number] = (*shop.rows[number][:3], START + 3_600 * (place + 5), "train")
    shop.truth.append((f"user:{user}", "robot", None, None))


def _copy_item(shop: Shop, item: str, twin: str) -> None:
    """A further item that everybody who took the one took, too."""
    shop.items[twin] = shop.items[item]
    shop.rows += [(row[0], twin, *row[2:]) for row in shop.rows if row[1] == item]
    shop.truth += [(f"item:{item}", "twin", None, None), (f"item:{twin}", "twin", None, None)]


def _swap_splits(shop: Shop, user: str) -> None:
    """What came first is the test."""
    mine = sorted((row[3], number) for number, row in enumerate(shop.rows) if row[0] == user)
    for place, (_, number) in enumerate(mine):
        shop.rows[number] = (*shop.rows[number][:4], "test" if place < len(mine) // 3 else "train")
    shop.truth.append((f"user:{user}", "future", None, None))


def _buy(shop: Shop, user: str, item: str, rng: np.random.Generator) -> None:
    at = START + int(rng.integers(int((1 - TEST_SHARE) * DAYS * 86_400)))
    shop.rows.append((user, item, _rating(rng), at, "train"))


def _rating(rng: np.random.Generator) -> float:
    return float(rng.choice(np.arange(1, 6), p=(0.05, 0.1, 0.2, 0.35, 0.3)))


def _user(number: int) -> str:
    return f"customer-{number:04d}"


def _item(number: int) -> str:
    return f"item-{number:04d}"
