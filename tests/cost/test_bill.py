import json
import re
import shlex
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from robosignal.cost.bill import make_bill
from robosignal.cost.command import add_arguments, run
from robosignal.cost.events import Event
from robosignal.cost.prices import Price, PricesRefused, Tier, list_prices, read_prices
from robosignal.cost.usage import Fleet, count_messages, estimate_usage, robot_passwords

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "cost.md"

FLEET = Fleet(robots=10, hours=730, sessions=20, drivers=12)


def printed(arguments: str) -> str:
    """Return what the command prints."""
    parser = ArgumentParser()
    add_arguments(parser)
    said: list[str] = []
    assert run(parser.parse_args(shlex.split(arguments)), said.append) == 0
    return "\n".join(said)


def price(**changes: Any) -> Price:
    """Return a price of a dollar for each ten, with these changes."""
    about = {"service": "s", "meter": "m", "source": "https://example.org", "as_of": "2026-11"}
    plain: dict[str, Any] = {"usd": 1.0, "per": 10, "confidence": "unverified", **about}
    return Price(**{**plain, **changes})


def test_a_quantity_is_paid_by_the_unit() -> None:
    """Ten for a dollar: five cost half of one."""
    assert price().cost(5) == pytest.approx(0.5)


def test_only_what_is_above_a_mark_gets_its_price() -> None:
    """The first hundred cost the first price, the next hundred the second, the rest the third."""
    tiered = price(beyond=(Tier(100, 0.5), Tier(200, 0.1)))

    assert tiered.cost(100) == pytest.approx(10)
    assert tiered.cost(300) == pytest.approx(10 + 5 + 1)


def test_every_price_tells_where_it_is_from() -> None:
    """An AWS page, a month, and how sure we are."""
    for name, each in list_prices().prices.items():
        assert each.source.startswith("https://aws.amazon.com/"), name
        assert re.fullmatch(r"20\d\d-\d\d", each.as_of), name
        assert each.usd > 0, name


def test_every_quantity_has_a_price_and_every_price_a_quantity() -> None:
    """What one side names, the other knows."""
    assert set(estimate_usage(FLEET)) == set(list_prices().prices)


def test_a_message_is_metered_in_pieces_of_32_kb_in_both_directions() -> None:
    """A large offer is two messages in, and each of its posts two out; its reply is one."""
    assert (
        count_messages(Event(received=40_000, replied=100, posts=2, posted=80_000)) == 2 + 1 + 2 * 2
    )


def test_a_silent_event_is_no_message() -> None:
    """`$connect` and `$disconnect` carry no frame."""
    assert count_messages(Event(route="$connect", calls=1)) == 0


def test_a_month_of_one_idle_robot_by_hand() -> None:
    """Its socket's minutes, and two messages each 120 s: worked out without the model."""
    quantities = estimate_usage(Fleet(robots=1, hours=730, sessions=0, drivers=1))
    redials = 730

    assert quantities["websocket_minutes"] == 730 * 60
    # Ping and pong; at each redial ready, register, their replies, a push and the notice.
    assert quantities["websocket_messages"] == 730 * 30 * 2 + redials * 6


def test_twice_the_robots_double_what_depends_on_them() -> None:
    """What a fleet shares, such as alarms, stays."""
    one, two = (
        estimate_usage(FLEET),
        estimate_usage(Fleet(robots=20, hours=730, sessions=20, drivers=24)),
    )
    shared = {"metric_months", "alarm_months", "dashboard_months", "secret_months"}
    shared |= {"snapstart_cache_gb_seconds"}

    assert {name for name in one if one[name] == two[name]} == shared
    for name in set(one) - shared:
        assert two[name] == pytest.approx(2 * one[name]), name


def test_a_secret_is_paid_only_where_there_are_turn_servers() -> None:
    """The option is named like the setting that makes the stack keep one."""
    asked = "--robots 1 --sessions 1 --json"
    without, kept = json.loads(printed(asked)), json.loads(printed(f"{asked} --turn-urls"))

    assert without["services"]["Secrets Manager"] == 0
    assert kept["services"]["Secrets Manager"] > 0
    assert kept["fleet"] == without["fleet"] | {"turn_urls": True}


def test_a_password_is_asked_for_only_where_there_are_turn_servers() -> None:
    """Once for each session, and three times an hour by a robot: two messages and two reads."""
    fleet = Fleet(robots=1, hours=730, sessions=10, drivers=1)
    without, given = estimate_usage(fleet), estimate_usage(replace(fleet, turn_urls=True))
    asked = 10 + 3 * 730

    assert given["websocket_messages"] - without["websocket_messages"] == 2 * asked
    assert given["dynamodb_reads"] - without["dynamodb_reads"] == 2 * asked
    assert given["dynamodb_writes"] == without["dynamodb_writes"]


@pytest.mark.parametrize(("minutes", "asked"), [(1, 0), (10, 2), (60, 3), (120, 5)])
def test_a_robot_asks_again_when_three_quarters_are_over(minutes: float, asked: int) -> None:
    """In an hour: at once, after 45 minutes, and after three quarters of the 15 that are left."""
    assert robot_passwords(minutes) == asked


def test_the_total_is_the_sum_of_the_lines() -> None:
    """In JSON, for programs."""
    found = json.loads(printed("--robots 10 --sessions 20 --drivers 12 --json"))

    lines = sum(line["usd"] for line in found["lines"])
    assert found["usdMonth"] == pytest.approx(lines)
    assert found["usdMonth"] == pytest.approx(sum(found["services"].values()))
    assert found["usdRobotMonth"] == pytest.approx(lines / 10)
    assert lines == pytest.approx(
        sum(line.usd for line in make_bill(estimate_usage(FLEET), list_prices()))
    )


def test_another_regions_prices_replace_those_that_it_names(tmp_path: Path) -> None:
    """The file may hold a part; the rest stays as shipped."""
    path = tmp_path / "eu.json"
    shipped = list_prices()
    dearer = json.loads(PRICES.read_text())["prices"]["websocket_messages"] | {"usd": 1.2}
    path.write_text(
        json.dumps({"region": "eu-central-1", "prices": {"websocket_messages": dearer}})
    )

    found = read_prices(path)
    assert found.region == "eu-central-1"
    assert found.prices["websocket_messages"].usd == 1.2
    assert found.prices["log_gb"] == shipped.prices["log_gb"]


PRICES = Path(__file__).parents[2] / "robosignal" / "cost" / "prices.json"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "truncated"),
        ('{"region": "x", "prices": {"gold": %s}}', "'gold' is no known price"),
        ('{"region": "x", "prices": {}, "extra": 1}', "extra"),
    ],
)
def test_a_price_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """It is named with what is wrong."""
    path = tmp_path / "bad.json"
    any_price = json.dumps(json.loads(PRICES.read_text())["prices"]["log_gb"])
    path.write_text(text.replace("%s", any_price))
    with pytest.raises(PricesRefused) as refused:
        read_prices(path)

    assert str(path) in str(refused.value)
    assert why in str(refused.value)


def test_a_price_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """As a bad one is."""
    with pytest.raises(PricesRefused):
        read_prices(tmp_path / "none.json")


@pytest.mark.parametrize(
    "arguments",
    [
        "--sessions 1",
        "--robots 0 --sessions 1",
        "--robots 1.5 --sessions 1",
        "--robots 1 --sessions nan",
        "--robots 1 --sessions many",
        "--robots 1 --sessions 1 --hours 745",
        "--robots 1 --sessions 1 --drivers -1",
    ],
)
def test_nonsense_is_refused(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No fleet has so many robots, or so long a month."""
    with pytest.raises(SystemExit) as ended:
        printed(arguments)

    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_the_example_in_the_page_is_what_the_command_prints() -> None:
    """`docs/explanation/cost.md` shows one command and its output."""
    found = re.search(r"```\n\$ robosignal cost (.+)\n((?:.*\n)+?)```", PAGE.read_text())
    assert found is not None

    arguments, output = found.groups()
    assert output == printed(arguments) + "\n"


def test_the_page_names_every_assumption_and_no_other() -> None:
    """The page gives each estimate of the model with its value."""
    assumptions = json.loads(printed("--robots 1 --sessions 1 --json"))["assumptions"]
    rows = re.findall(r"^\| `([a-z_]+)` \| ([\d.]+) \|", PAGE.read_text(), re.MULTILINE)

    assert dict(rows) == {name: f"{value:g}" for name, value in assumptions.items()}
