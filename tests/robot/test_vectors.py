import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from robosignal.protocol.ids import InstanceId, RobotId
from robosignal.robot.channels import Channel, arrange
from robosignal.robot.connection import events as connection_events
from robosignal.robot.connection import machine as connection_machine
from robosignal.robot.connection.state import ConnectionState
from robosignal.robot.controls import Control, Controls
from robosignal.robot.drive import Drive, Settings
from robosignal.robot.session import events
from robosignal.robot.session import machine as session_machine
from robosignal.robot.session.registration import Identity, Registration
from robosignal.robot.session.state import RobotState
from robosignal.robot.telemetry import Field, Fields

VECTORS = Path(__file__).parents[2] / "spec" / "vectors"


def scripts(name: str) -> pytest.MarkDecorator:
    """Return a parameter for each script in a file."""
    found = json.loads((VECTORS / name).read_text())
    return pytest.mark.parametrize("script", found, ids=[script["name"] for script in found])


@scripts("connection.json")
def test_connection_follows_the_script(script: dict[str, Any]) -> None:
    """Each event of the shared script has exactly the outputs that it names."""
    seen = ConnectionState(heartbeats=script.get("kind") != "robot")
    heard = []
    for one in script["steps"]:
        event = msgspec.convert(one["event"], connection_events.Event)
        seen, outputs = connection_machine.step(seen, event, one["at"], script["random"])
        heard.append(msgspec.to_builtins(outputs))

    assert heard == [one["expect"] for one in script["steps"]]


@scripts("robot.json")
def test_robot_follows_the_script(script: dict[str, Any]) -> None:
    """Each event of the script has exactly the actions that it names."""
    identity = Identity(RobotId(script["robotId"]), InstanceId(script["instanceId"]))
    seen = RobotState(Registration(identity), settings_of(script))
    done = []
    for one in script["steps"]:
        seen, asked = session_machine.step(seen, event_of(one["event"]), one["at"])
        done.append(json.loads(msgspec.json.encode(asked)))

    assert [readable(one) for one in done] == [readable(one["expect"]) for one in script["steps"]]


def settings_of(script: dict[str, Any]) -> Settings:
    """Return the settings of a robot that declares what the script says."""
    declares = script.get("declares", {})
    channels = [
        Channel(
            each["name"],
            on_message=lambda _: None,
            viewers_read=each["viewersRead"],
            viewers_write=each["viewersWrite"],
        )
        for each in declares.get("channels", [])
    ]
    return Settings(
        controls=Controls(msgspec.convert(declares.get("controls", []), list[Control])),
        telemetry=Fields(msgspec.convert(declares.get("telemetry", []), list[Field])),
        channels=arrange(channels),
    )


def event_of(found: dict[str, Any]) -> events.Event:
    """Return what an event in a script means."""
    if found["type"] == "publish":
        # A number, a text or neither: no order of types tells msgspec which.
        values = tuple(found["values"])
        return events.Publish(values, is_reliable=found.get("isReliable", False))
    if found["type"] == "own-command":
        drive = msgspec.convert(found["drive"], Drive)
        return events.OwnCommand(drive, tuple(found.get("values", [])), found.get("since"))
    if found["type"] == "post":
        return events.Post(found["channel"], found["data"])
    if found["type"] == "message":
        # Text or bytes: no JSON says which, so msgspec declines to read it.
        channel = found.get("channel", "control")
        return events.Message(found["sessionId"], found["pcId"], found["data"], channel)
    event: events.Event = msgspec.convert(found, OTHER_EVENTS)
    return event


OTHER_EVENTS = (
    events.Frame
    | events.Offline
    | events.Opened
    | events.Answered
    | events.Gathered
    | events.Failed
    | events.Refused
    | events.Tick
    | events.Resumed
    | events.StopMotion
    | events.ClearStop
    | events.Held
    | events.Stop
)


def readable(asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return actions with what is said on a channel as JSON, where it is: its order is free."""
    return [one | {"data": decoded(one["data"])} if "data" in one else one for one in asked]


def decoded(text: str) -> Any:
    """Return the JSON that a text holds, or the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text
