"""How long a call to AWS may take, and how often it is made: as its event's time allows."""

import socket
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.config import Config

from robosignal.protocol.errors import TryAgain
from robosignal.server.aws.calls import limit_calls
from robosignal.server.aws.management import ManagementPosts
from robosignal.server.core.steps import Purpose
from robosignal.server.deadline import ANSWER_SECONDS, EVENT_SECONDS, PARTS, TRIES, Deadline
from tests.server.aws.test_management import FRAME, ME, serving

PATIENT_SECONDS = 60


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts every connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/prod"


def patient(endpoint: str) -> Any:
    """Return a client that by itself would wait for long."""
    return boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(read_timeout=PATIENT_SECONDS, retries={"total_max_attempts": 1}),
    )


@pytest.mark.parametrize("use", ["decide", "undo", "notify"])
def test_a_request_takes_no_longer_than_its_step_may(silent: str, use: Purpose) -> None:
    """Whatever the client's own timeout is."""
    posts = ManagementPosts(limit_calls(patient(silent)))
    deadline = Deadline(ANSWER_SECONDS + 0.5)

    with deadline.use_for(use), pytest.raises(TryAgain):
        posts.post(ME, FRAME)

    assert deadline.allows(use).seconds_left > -PATIENT_SECONDS / 2


def test_a_client_of_another_make_keeps_its_own_timeouts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A runtime's newer SDK must not keep the function from starting."""
    strange = SimpleNamespace()

    assert limit_calls(strange) is strange
    assert "the client's own timeouts" in caplog.text


@pytest.mark.parametrize("use", ["decide", "undo", "notify"])
def test_what_is_throttled_is_asked_again_after_pauses_that_grow(use: Purpose) -> None:
    """What decides, or takes back; what only tells is told once."""
    slept: list[float] = []
    deadline = Deadline(clock=lambda: sum(slept), sleep=slept.append)

    with serving(429) as (stage, posts), deadline.use_for(use), pytest.raises(TryAgain):
        posts.post(ME, FRAME)

    assert len(stage.asked) == TRIES[use]
    assert len(slept) == TRIES[use] - 1
    assert all(later >= 2 * earlier for earlier, later in pairwise(slept))


@pytest.mark.parametrize("use", ["decide", "undo", "notify"])
def test_without_time_nothing_is_asked(use: Purpose) -> None:
    """Each kind of step has its own end, and the answer a second after them all."""
    spent = [0.0]
    deadline = Deadline(clock=lambda: spent[0])
    spent[0] = EVENT_SECONDS * PARTS[use]

    with serving(200) as (stage, posts), deadline.use_for(use), pytest.raises(TryAgain):
        posts.post(ME, FRAME)

    assert stage.asked == []


def test_a_function_that_has_less_time_uses_less() -> None:
    """Every part of it, in proportion, and a second is kept for the answer."""
    deadline = Deadline(3.0, clock=lambda: 0.0)

    left = {use: deadline.allows(use).seconds_left for use in PARTS}

    assert left["notify"] == pytest.approx(2.0)
    assert left["decide"] < left["undo"] < left["notify"]
    assert Deadline(30.0, clock=lambda: 0.0).allows("notify").seconds_left == pytest.approx(
        EVENT_SECONDS
    )
    assert Deadline(0.2, clock=lambda: 0.0).allows("notify").seconds_left == 0
