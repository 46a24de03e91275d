"""The page of the data channels says what the robot reads and writes."""

import json
from typing import Any, get_args

import msgspec
import pytest

from robosignal.robot import drive
from robosignal.robot.session import datachannel, driving
from tests.docs.pages import examples, kinds, page

PAGE = page("docs/reference/data-channels.md")
TO_ROBOT, FROM_ROBOT = examples(PAGE, "json to-robot"), examples(PAGE, "json from-robot")
ON_DRIVE = examples(PAGE, "json to-robot drive")


def name(example: dict[str, Any]) -> str:
    """Return what a test's name calls an example."""
    return str(example["type"])


def test_every_example_has_a_reader() -> None:
    """Every block of examples is read by a test."""
    assert kinds(PAGE) == {"json to-robot", "json to-robot drive", "json from-robot"}


@pytest.mark.parametrize("example", TO_ROBOT, ids=name)
def test_what_is_said_to_the_demo_robot_is_understood(example: dict[str, Any]) -> None:
    """The robot's own parser reads it, and nothing of it is lost."""
    found = datachannel.parse(json.dumps(example))

    assert msgspec.to_builtins(found) == example


@pytest.mark.parametrize("example", ON_DRIVE, ids=name)
def test_what_is_said_on_drive_is_understood(example: dict[str, Any]) -> None:
    """The same on the other channel."""
    found = datachannel.parse_drive(json.dumps(example))

    assert json.loads(msgspec.json.encode(found)) == example


@pytest.mark.parametrize("example", FROM_ROBOT, ids=name)
def test_what_the_demo_robot_says_is_what_it_writes(example: dict[str, Any]) -> None:
    """The robot's answers look as shown."""
    answer = msgspec.convert(example, datachannel.FromRobot)

    assert json.loads(datachannel.encode(answer)) == example


def test_every_message_has_an_example() -> None:
    """What the robot reads and writes is shown."""
    messages = (*get_args(datachannel.ToRobot), *get_args(datachannel.FromRobot))
    shown = {name(example) for example in [*TO_ROBOT, *FROM_ROBOT]}

    assert shown == {str(kind.__struct_config__.tag) for kind in messages}


def test_the_limits_are_quoted_right() -> None:
    """The watchdog, the pause after a gap, and how often heartbeats come."""
    assert PAGE.count(f"{drive.WATCHDOG_MS} ms") == 1
    assert PAGE.count(f"{driving.IGNORED_MS} ms") == 1
    assert f'"freshMs": {drive.FRESH_MS}, "watchdogMs": {drive.WATCHDOG_MS}' in PAGE
    assert f"{1000 // driving.DRIVER_HEARTBEAT_MS} a second to the driver" in PAGE
    assert f"{1000 // driving.VIEWER_HEARTBEAT_MS} a second to each other" in PAGE
