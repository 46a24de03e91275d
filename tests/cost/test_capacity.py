from pathlib import Path

import pytest

from robosignal.cost.capacity import (
    QUOTAS,
    binds_at,
    busy_fleet,
    dial_all,
    fleet_table,
    load,
    quota_table,
)
from robosignal.cost.events import EVENTS
from robosignal.cost.usage import HOURS_A_MONTH
from signaling.adapters.metrics import DIRECTIVES

PAGE = Path(__file__).parents[2] / "docs" / "capacity.md"


def test_heartbeats_are_one_in_two_minutes() -> None:
    """A robot pings every 120 s."""
    assert load(1_200_000)["heartbeats"] == 10_000


def test_a_relay_spends_two_requests() -> None:
    """The message in and the post out; the reply rides on the first."""
    candidate = EVENTS["candidate"]

    assert (candidate.route, candidate.posts) == ("$default", 1)


def test_a_tenth_of_a_busy_fleet_is_driven_at_any_moment() -> None:
    """Its sessions, laid side by side, fill a tenth of its robots' time."""
    fleet = busy_fleet(1000)
    driven = fleet.sessions * fleet.session_minutes / 60

    assert driven == pytest.approx(HOURS_A_MONTH / 10)


def test_a_fleet_at_a_quotas_edge_is_within_it_and_a_larger_one_is_not() -> None:
    """`binds_at` is the last number of robots that a default quota serves."""
    for quota in QUOTAS:
        robots = binds_at(quota)
        assert load(robots)[quota.name] <= quota.default
        assert load(robots + 1)[quota.name] > quota.default


def test_a_fleet_that_lost_its_connections_dials_at_the_quotas_pace() -> None:
    """500 new connections a second."""
    assert dial_all(1_000_000) == 2000


def test_the_page_shows_what_is_computed() -> None:
    """Both tables of `docs/capacity.md`."""
    page = PAGE.read_text()

    assert quota_table() in page
    assert fleet_table() in page


def test_the_page_names_every_metric() -> None:
    """Whoever runs out of a quota should see it coming."""
    page = PAGE.read_text()

    for name, directive in DIRECTIVES.items():
        dimensions = "; ".join(", ".join(each) for each in directive["Dimensions"])
        assert f"| `{name}` | {dimensions} |" in page, name
