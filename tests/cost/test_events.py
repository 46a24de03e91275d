from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from robosignal.cost.events import EVENTS
from robosignal.cost.usage import Fleet, count_events
from tests.cost.metering import Count, MeteredWorld, size
from tests.cost.month import lived

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

COUNTED = ("calls", "reads", "writes", "posts", "pushes")
WEIGHED = ("received", "replied", "posted", "logged")


@pytest.fixture
def counts(dynamodb: "DynamoDBClient") -> dict[str, Count]:
    """What each event takes of the real handler, on moto."""
    return lived(MeteredWorld(dynamodb))


def test_the_table_has_the_events_that_were_lived(counts: dict[str, Count]) -> None:
    """No event is priced that did not run, and none that ran is missing."""
    assert set(EVENTS) == set(counts)


def test_every_event_of_the_table_happens_in_a_month() -> None:
    """A row that nothing counts would cost nothing, unseen."""
    month = count_events(
        Fleet(robots=1, hours=730, sessions=1, drivers=1, session_minutes=90, turn_urls=True),
    )

    assert set(month) == set(EVENTS)
    assert all(count > 0 for count in month.values())


def test_calls_units_and_posts_are_what_the_handler_takes(counts: dict[str, Count]) -> None:
    """Exactly: a call more is a message's price more."""
    told = {name: {key: getattr(row, key) for key in COUNTED} for name, row in EVENTS.items()}

    assert told == {
        name: {key: getattr(count, key) for key in COUNTED} for name, count in counts.items()
    }


def test_sizes_are_what_the_handler_writes(counts: dict[str, Count]) -> None:
    """Within a tenth, since ids and names differ in length."""
    for name, count in counts.items():
        for key in WEIGHED:
            weighed = pytest.approx(getattr(count, key), rel=0.1)
            assert getattr(EVENTS[name], key) == weighed, (name, key, asdict(count))


def test_an_item_is_weighed_as_dynamodb_does() -> None:
    """Names and texts by their bytes in UTF-8, numbers by their digits, maps with an overhead."""
    item = {
        "robotId": {"S": "r-é"},
        "rev": {"N": "1234"},
        "operators": {"SS": ["ab", "c"]},
        "viewers": {"M": {"s1": {"NULL": True}}},
    }

    assert size(item) == (7 + 4) + (3 + 3) + (9 + 3) + (7 + 3 + 1 + 2 + 1)
