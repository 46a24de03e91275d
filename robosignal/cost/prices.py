"""List prices, each with its source and date, from one file; another Region's may replace them.

Knows what a quantity costs; must never know where a quantity comes from.
"""

from importlib.resources import files
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct


class PricesRefused(Exception):
    """A price file cannot be used. The text says why."""


class Tier(Struct, frozen=True, forbid_unknown_fields=True):
    """What is paid for the quantity above a mark."""

    above: float
    usd: float


class Price(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a quantity costs, in USD for each `per` of it."""

    service: str
    meter: str
    usd: float
    per: float
    source: str
    as_of: str
    """The month in which it was written down."""
    confidence: Literal["corroborated", "unverified"]
    beyond: tuple[Tier, ...] = ()
    """Larger quantities' prices, by rising marks."""

    def cost(self, quantity: float) -> float:
        """Return what this quantity costs in USD; each tier's part at the tier's price."""
        tiers = (Tier(0, self.usd), *self.beyond, Tier(inf, 0))
        parts = (
            max(0, min(quantity, upper.above) - tier.above) * tier.usd
            for tier, upper in pairwise(tiers)
        )
        return sum(parts) / self.per


class Prices(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Region's prices, by the name of what they are for."""

    region: str
    note: str = ""
    prices: dict[str, Price]


def list_prices() -> Prices:
    """Return the prices that the package ships."""
    text = files("robosignal.cost").joinpath("prices.json").read_bytes()
    return msgspec.json.decode(text, type=Prices)


def with_prices_of(path: Path) -> Prices:
    """Return the shipped prices with those of a file, of the same shape, in their place.

    Raise PricesRefused when the file cannot be read, or names a price that nothing costs.
    """
    shipped = list_prices()
    try:
        given = msgspec.json.decode(path.read_bytes(), type=Prices)
    except (OSError, msgspec.MsgspecError) as error:
        raise PricesRefused(f"{path}: {error}") from error
    unknown = sorted(set(given.prices) - set(shipped.prices))
    if unknown:
        known = ", ".join(shipped.prices)
        raise PricesRefused(f"{path}: there is no price {unknown[0]!r}; there are {known}")
    return Prices(region=given.region, note=given.note, prices=shipped.prices | given.prices)
