"""Someone who may only watch floods a robot with offers: who drives notices nothing of it."""

from collections.abc import Callable
from statistics import median

import pytest

from tests.e2e.conftest import Site
from tests.e2e.offers import measure

MEMORY_MB = 100
"""What ten peer connections of viewers may take, several times over; the flood once took 2 GB."""


@pytest.mark.parametrize(
    ("sections", "says"), [(150, "too_large"), (1, "answer")], ids=["large", "small"]
)
async def test_flood_of_offers_neither_delays_the_stop_nor_ends_the_drive(
    site: Site, sections: int, says: str, record_property: Callable[[str, object], None]
) -> None:
    """Twenty a second, each under a new `pcId`: within all of the server's limits."""
    quiet = await measure(site, sections=0, a_second=0, drives=2)
    flooded = await measure(site, sections=sections, a_second=20, drives=3)

    record_property("figure", f"without a flood {quiet}")
    record_property("figure", f"flooded with offers that are {says}: {flooded}")
    assert not flooded.cut_off
    assert f"'{says}'" in flooded.flood
    assert len(flooded.stops) == 3
    # Several times over: the tests that run beside this one take their part of the machine.
    assert median(flooded.stops) < 5 * median(quiet.stops)
    assert flooded.memory - flooded.memory_before < MEMORY_MB
