from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosignal.protocol.frames import Control, Error, Person
from robosignal.protocol.ids import RobotId, UserId
from robosignal.robot.frames import (
    Candidate,
    Unreadable,
    display_name,
    parse,
    read,
    read_candidate,
    read_sdp,
    sanitize,
)

keys = st.sampled_from(
    ["type", "sessionId", "epoch", "payload", "sdp", "candidate", "control", "person", "requestId"]
)
values = st.none() | st.booleans() | st.integers() | st.sampled_from(["offer", "control", "x"])
objects: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    keys,
    st.recursive(values, lambda inner: st.dictionaries(keys, inner), max_leaves=4),
)


def test_frame_is_read_as_its_type() -> None:
    """Unknown fields are ignored."""
    found = {"type": "control", "robotId": "demo", "epoch": 3, "weather": "fine"}

    assert parse(found) == Control(robot_id=RobotId("demo"), epoch=3)


def test_error_of_the_gateway_itself_is_a_failure_of_the_server() -> None:
    """API Gateway's own frame has no type, but a request id."""
    found = {"message": "Internal server error", "connectionId": "c=", "requestId": "r"}

    assert parse(found) == Error(code="internal", message="Internal server error")


@given(objects)
def test_any_object_is_a_frame_or_unreadable(found: dict[str, Any]) -> None:
    """A server cannot crash the robot."""
    parse(found)
    read_sdp(found)
    read_candidate(found)


@pytest.mark.parametrize("text", ["[1]", "7", "no json", "\ud800", "[" * 100_000, b"\xff"])
def test_what_is_no_object_is_unreadable(text: str | bytes) -> None:
    """Only JSON objects are frames."""
    assert isinstance(read(text), Unreadable)


@pytest.mark.parametrize(
    "payload",
    [
        {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0},
        {"candidate": {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0}},
    ],
)
def test_candidate_is_read_in_each_spelling(payload: dict[str, Any]) -> None:
    """An object may stand for the payload or within it."""
    assert read_candidate(payload) == Candidate("candidate:1", "0", 0)


@pytest.mark.parametrize("payload", [{"candidate": ""}, {"candidate": None}, {}])
def test_empty_candidate_is_the_end_of_them(payload: dict[str, Any]) -> None:
    """Both spellings of the end are one."""
    assert read_candidate(payload) == Candidate("")


@pytest.mark.parametrize("payload", [{"sdp": "v=0"}, {"sdp": {"type": "offer", "sdp": "v=0"}}])
def test_description_is_read_in_each_spelling(payload: dict[str, Any]) -> None:
    """A text, or a description within."""
    assert read_sdp(payload) == "v=0"


@pytest.mark.parametrize("payload", [{}, {"sdp": ""}, {"sdp": 7}, {"sdp": {"sdp": {"sdp": "v"}}}])
def test_payload_without_a_description_has_none(payload: dict[str, Any]) -> None:
    """Nothing is guessed."""
    assert read_sdp(payload) is None


def test_person_without_a_name_is_called_by_the_user_id() -> None:
    """There is always something to show."""
    assert display_name(Person(UserId("u1"))) == "u1"


def test_name_fits_one_line() -> None:
    """A name that a user chose writes no second line, and no long one."""
    assert sanitize("Eve\r\n\x1b[2J" + "!" * 60) == "Eve[2J" + "!" * 34
