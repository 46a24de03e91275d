import re
from pathlib import Path

import pytest

from robosignal.cost.capacity import (
    DIAL,
    QUOTAS,
    THROTTLE_RATE,
    busy_fleet,
    dials_a_second,
    estimate_load,
    fleet_table,
    quota_table,
    redial_seconds,
    robots_at_quota,
)
from robosignal.cost.events import EVENTS
from robosignal.cost.usage import HOURS_A_MONTH, Fleet, count_events
from robosignal.server.aws.metrics import DIRECTIVES

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "capacity.md"
OPERATE = PAGE.parents[1] / "howto" / "operate.md"


def test_heartbeats_are_one_in_two_minutes() -> None:
    """A robot pings every 120 s."""
    assert estimate_load(1_200_000)["heartbeats"] == 10_000


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
    """`robots_at_quota` is the last number of robots that a default quota serves."""
    for quota in QUOTAS:
        robots = robots_at_quota(quota)
        assert estimate_load(robots)[quota.name] <= quota.default
        assert estimate_load(robots + 1)[quota.name] > quota.default


def test_the_stacks_own_throttle_binds_first() -> None:
    """It is lower than every quota of AWS's, so a table without it would mislead."""
    assert min(QUOTAS, key=robots_at_quota).name == "throttle"


def test_the_throttle_meets_what_clients_send_and_nothing_else() -> None:
    """By hand: a ping each 120 s, a dial an hour, and a session each five; no post, no close."""
    # $connect, ready, watch, the second list, offer, answer and bye; ten candidates; a lease
    # ping each 20 s.
    session = 7 + 10 + 30 * 60 / 20

    assert estimate_load(3600)["throttle"] == pytest.approx(30 + len(DIAL) + session / 5)


def test_a_dial_is_a_connection_and_two_messages() -> None:
    """`$connect`, `ready` and `register`: what an idle robot does once an hour."""
    idle = count_events(Fleet(robots=1, hours=1, sessions=0, drivers=1))

    assert [EVENTS[name].route for name in DIAL] == ["$connect", "$default", "$default"]
    assert [idle[name] for name in DIAL] == [1, 1, 1]


def test_a_fleet_that_lost_its_connections_dials_as_the_throttle_lets_it() -> None:
    """Three events each at 1,000 a second, below the quota of 500 new connections."""
    assert dials_a_second() == pytest.approx(1000 / 3)
    assert redial_seconds(1_000_000) == pytest.approx(3000)


def test_the_page_shows_what_is_computed() -> None:
    """Both tables of `docs/explanation/capacity.md`."""
    page = PAGE.read_text()

    assert quota_table() in page
    assert fleet_table() in page
    assert f"at {dials_a_second():.0f} robots a second." in page


def advised(robots: int) -> int:
    """Return the `throttle_rate` that the page advises for so many robots."""
    found = re.search(
        rf"^\| {robots:,} \| .*?`throttle_rate` to ([\d,]+)", PAGE.read_text(), re.MULTILINE
    )
    assert found is not None, robots
    return int(found[1].replace(",", ""))


@pytest.mark.parametrize("robots", [10_000, 100_000, 1_000_000])
def test_the_throttle_that_the_page_advises_serves_the_fleet(robots: int) -> None:
    """With its redials at the quota's pace on top: more than the default, below the account's."""
    quotas = {quota.name: quota.default for quota in QUOTAS}
    dialing = quotas["connections"] * len(DIAL)

    assert advised(robots) > THROTTLE_RATE
    assert advised(robots) >= max(estimate_load(robots)["throttle"], dialing)


def test_the_page_names_every_metric() -> None:
    """An operator sees a quota run out before it does."""
    page = OPERATE.read_text()

    for name, directive in DIRECTIVES.items():
        dimensions = "; ".join(", ".join(each) for each in directive["Dimensions"])
        assert f"| `{name}` | {dimensions} |" in page, name
