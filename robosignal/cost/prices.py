"""List prices, each with its source and date. A file may replace them with another Region's."""

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
    """The price of the quantity above a threshold."""

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
    """The month in which it was looked up."""
    confidence: Literal["corroborated", "unverified"]
    beyond: tuple[Tier, ...] = ()
    """Prices of larger quantities, by rising thresholds."""

    def cost(self, quantity: float) -> float:
        """Return what this quantity costs in USD, each part at its tier's price."""
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
    """Return the prices in the package."""
    text = files("robosignal.cost").joinpath("prices.json").read_bytes()
    return msgspec.json.decode(text, type=Prices)


def read_prices(path: Path) -> Prices:
    """Return the package's prices, with those in a file of the same form in their place.

    Raise PricesRefused if the file cannot be read, or has a price of an unknown name.
    """
    shipped = list_prices()
    try:
        given = msgspec.json.decode(path.read_bytes(), type=Prices)
    except (OSError, msgspec.MsgspecError) as error:
        raise PricesRefused(f"{path}: {error}") from error
    unknown = sorted(set(given.prices) - set(shipped.prices))
    if unknown:
        known = ", ".join(shipped.prices)
        raise PricesRefused(f"{path}: {unknown[0]!r} is no known price; use one of {known}")
    return Prices(region=given.region, note=given.note, prices=shipped.prices | given.prices)
