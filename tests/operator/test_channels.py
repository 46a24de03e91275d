"""What a robot says on the data channels, and the values that an operator gives."""

import json
import math

import pytest

from robosignal.operator.channels import (
    Capabilities,
    Heartbeat,
    encode_values,
    name_values,
    read_controls,
    read_message,
)
from robosignal.robot import Axis, Button, Choice

CONTROLS = (Axis("pan", least=-90, most=90, holds=True), Axis("lift"), Button("horn"))
GEAR = Choice("gear", ["slow", "fast"])


def test_values_go_in_the_order_of_the_declaration() -> None:
    """What rests, and all that is left out, is not asked for anything."""
    assert encode_values((*CONTROLS, GEAR), {"gear": "fast", "pan": 0}) == (0.0, None, None, "fast")
    assert encode_values(CONTROLS, {"lift": 0.0, "horn": False}) == ()
    assert encode_values(CONTROLS, {"pan": 500, "horn": True}) == (90.0, None, True)


def test_a_control_of_a_later_version_keeps_its_place() -> None:
    """It is left alone."""
    written = [{"type": "matrix", "name": "arms"}, {"type": "button", "name": "horn"}]
    declared = {"type": "capabilities", "version": 3, "freshMs": 900, "watchdogMs": 400}
    read = read_message(json.dumps(declared | {"video": None, "controls": written}))

    assert isinstance(read, Capabilities)
    assert encode_values(read_controls(read), {"horn": True}) == (None, True)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"tilt": 1}, "'tilt' is not declared by the robot: pan, lift, horn, gear"),
        ({"lift": math.nan}, "lift takes a finite number"),
        ({"lift": "up"}, "lift takes a number"),
        ({"horn": 1}, "horn takes true or false"),
        ({"gear": "third"}, "gear takes one of its options"),
    ],
)
def test_a_value_that_cannot_be_is_refused(values: dict[str, object], says: str) -> None:
    """The error names the control and what it takes."""
    with pytest.raises(ValueError, match=says):
        encode_values((*CONTROLS, GEAR), values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        b"\xff",
        '{"type": "capabilities", "version": 1, "freshMs": 1, "watchdogMs": 1, "video": null}',
        '{"type": "heartbeat", "t": 1}',
        '{"type": "song"}',
    ],
)
def test_what_is_not_ours_is_ignored(text: str | bytes) -> None:
    """A robot may echo any text."""
    assert read_message(text) is None


def test_a_heartbeat_is_read_with_what_is_left_out() -> None:
    """As the reference has it, without a driver and without controls that hold."""
    counts = {"stale": 0, "superseded": 0, "refused": 3}
    text = {"type": "heartbeat", "t": 5, "n": None, "epoch": 7, "armed": False, "refused": counts}
    read = read_message(json.dumps(text))

    assert isinstance(read, Heartbeat)
    assert (read.refused.refused, read.driver, read.held) == (3, None, [])


def test_values_have_the_names_of_their_fields() -> None:
    """There are none for what is null, or missing at the end."""
    assert name_values(["x", "y", "z"], [1.5, None]) == {"x": 1.5}
