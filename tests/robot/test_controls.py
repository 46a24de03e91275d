"""What declared controls make of a page's values; `spec/vectors/controls.json` has it for both."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from robosignal.robot import Axis, BadDeclaration, Button, Channel, Choice, Field, Received, Robot
from robosignal.robot.controls import Control, Controls
from robosignal.robot.session.datachannel import Telemetry, encode
from robosignal.robot.telemetry import Fields

VECTORS = json.loads(
    (Path(__file__).parents[2] / "spec" / "vectors" / "controls.json").read_text(encoding="utf-8")
)
CONTROLS = Controls(msgspec.convert(VECTORS["controls"], list[Control]))


@pytest.mark.parametrize("case", VECTORS["commands"], ids=lambda case: str(case["name"]))
def test_the_values_of_a_page_are_told_to_the_program(case: dict[str, Any]) -> None:
    """Each control that is left out rests, or stays where it is."""
    asked = CONTROLS.read(case["values"])
    command = CONTROLS.describe(CONTROLS.resolve(asked, CONTROLS.start), is_stop=asked == ())
    told = {name: dict(getattr(command, name)) for name in ("axes", "buttons", "choices")}

    assert (told, command.is_stop) == (case["told"], case["isStop"])


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: str(case["name"]))
def test_a_value_that_its_control_cannot_have_is_refused(case: dict[str, Any]) -> None:
    """No part of such a command is obeyed."""
    with pytest.raises(ValueError, match=r"takes|there are 4 controls"):
        CONTROLS.read(case["values"])


def test_a_stop_leaves_what_holds_and_takes_the_rest_to_its_rest() -> None:
    """Wherever they are: pan and gear stay, belt rests, the horn is released."""
    assert CONTROLS.resolve((), (42.0, -1.0, 1.0, 1.0)) == (42.0, 0.5, 0.0, 1.0)
    assert CONTROLS.find_held((42.0, -1.0, 1.0, 1.0)) == (42.0, None, None, "fast")


def test_an_axis_changes_by_its_rate_at_most() -> None:
    """60 degrees a second: 1.2 in 20 ms, either way, and no further than the target."""
    pan = Axis("pan", least=-90, most=90, rate=60)

    assert pan.approach(0, 90, 0.02) == pytest.approx(1.2)
    assert pan.approach(0, -90, 0.02) == pytest.approx(-1.2)
    assert pan.approach(89.9, 90, 0.02) == 90


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "name": (lambda: Button("the horn"), r"name 'the horn' must be 1 to 40 of"),
    "long name": (lambda: Button("h" * 41), "must be 1 to 40 of"),
    "range": (lambda: Axis("pan", least=1, most=1), "pan: least must be below most, which is 1"),
    "rest": (lambda: Axis("pan", rest=2), "pan: rest must be from least to most, -1 to 1, not 2"),
    "rate": (lambda: Axis("pan", rate=0), "pan: rate must be above 0, not 0"),
    "huge": (lambda: Axis("pan", most=10**400), "pan: most must be a finite number, not 1000"),
    "nan": (lambda: Axis("pan", most=float("nan")), "pan: most must be a finite number, not nan"),
    "unit": (lambda: Axis("pan", unit="d" * 13), "pan: unit must be at most 12 printable"),
    "one option": (lambda: Choice("gear", ["slow"]), "gear: options must be at least 2"),
    "options": (
        lambda: Choice("gear", ["a", "a"]),
        "gear: options: the name 'a' must not occur tw",
    ),
    "empty": (lambda: Choice("gear", ["", "a"]), "gear: an option must have 1 to 40 printable"),
    "many": (lambda: Controls(Button(f"b{n}") for n in range(33)), "must be at most 32, not 33"),
    "twice": (lambda: Controls([Button("a"), Axis("a")]), "controls: the name 'a' must not occur"),
    "fields": (lambda: Fields([Field("a"), Field("a")]), "telemetry: the name 'a' must not occur"),
    "field": (lambda: Field("a b"), "name 'a b' must be"),
    "channel": (lambda: Channel("a b"), "name 'a b' must be"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_declaration_names_the_field_and_the_limit(case: str) -> None:
    """At once, where it is written."""
    declare, text = BAD[case]

    with pytest.raises(BadDeclaration, match=text):
        declare()


BAD_ROBOTS: dict[str, tuple[dict[str, Any], str]] = {
    "no handler": ({"controls": [Button("a")]}, "controls and on_command belong together"),
    "no controls": ({"on_command": print}, "controls and on_command belong together"),
    "two videos": ({"video": "a.mp4", "cameras": {"front": "b.mp4"}}, "either video, or cameras"),
    "rate": (
        {"controls": [Button("a")], "on_command": print, "command_hz": 101},
        "command_hz must be from 1 to 100, not 101",
    ),
    "cameras": ({"cameras": dict.fromkeys("abcde", "a.mp4")}, "cameras must be at most 4, not 5"),
    "channels": ({"channels": [Channel(f"c{n}") for n in range(9)]}, "channels must be at most 8"),
}


@pytest.mark.parametrize("case", BAD_ROBOTS)
def test_a_robot_that_cannot_be_is_refused_at_once(case: str) -> None:
    """Before it dials."""
    fields, text = BAD_ROBOTS[case]

    with pytest.raises((TypeError, ValueError), match=text):
        Robot("ws://127.0.0.1:1/", "r", token="t", **fields)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"speed": 1}, "the field 'speed' is not declared in telemetry: battery"),
        ({"battery": float("inf")}, "battery must be a finite number"),
        ({"battery": None}, "battery must be a finite number"),
        ({"battery": 10**400}, "battery must be a finite number"),
        ({"battery": "\ud800"}, "battery: a text must be Unicode without lone surrogates"),
        ({"battery": "x" * 201}, "a text must have at most 200 characters, not 201"),
    ],
)
def test_telemetry_that_cannot_be_is_refused(values: dict[str, Any], text: str) -> None:
    """The error names the field, what is wrong, and the limit."""
    robot = Robot("ws://127.0.0.1:1/", "r", token="t", telemetry=[Field("battery", "V")])

    with pytest.raises(ValueError, match=text):
        robot.publish(values)


def test_an_axis_takes_the_numbers_of_other_libraries() -> None:
    """What pages are told of it, and of where it is, can be written."""
    axis = Axis("pan", most=np.float64(90), rest=np.float64(1), rate=np.float64(2), holds=True)

    assert msgspec.json.encode((axis, axis.read(100), axis.start)).endswith(b",90.0,1.0]")


class Word(str):
    """A text as a library may have it."""

    __slots__ = ()


def test_telemetry_takes_the_numbers_and_texts_of_other_libraries() -> None:
    """As sensors' libraries return them; what is published can be written."""
    fields = Fields([Field(name) for name in "abcde"])
    values: dict[str, Any] = {"a": np.float64(1.5), "b": np.float32(0.5), "c": np.int16(7)}
    published = fields.arrange(values | {"d": Word("x"), "e": True})

    assert published == (1.5, 0.5, 7, "x", True)
    assert encode(Telemetry(n=1, values=published)).endswith('[1.5,0.5,7,"x",true]}')


def test_a_channel_takes_no_coroutine_function() -> None:
    """It would never be awaited, and each message lost."""

    async def take(_received: Received) -> None:
        """Take nothing."""

    with pytest.raises(TypeError, match="chat: on_message must be a plain function"):
        Channel("chat", on_message=take)  # type: ignore[arg-type]


def test_a_message_that_cannot_be_sent_is_refused() -> None:
    """An unknown channel, what is no message, and one that is too long."""
    robot = Robot("ws://127.0.0.1:1/", "r", token="t", channels=[Channel("chat")])

    with pytest.raises(ValueError, match="'talk' is not declared in channels: chat"):
        robot.send("talk", "hello")
    with pytest.raises(TypeError, match="must be str or bytes, not int"):
        robot.send("chat", 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at most 60000 bytes, not 60002"):
        robot.send("chat", "é" * 30_001)
