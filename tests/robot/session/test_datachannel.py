import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosignal.protocol.ids import SessionId
from robosignal.robot.drive import Drive
from robosignal.robot.frames import PcId
from robosignal.robot.session.datachannel import (
    Command,
    Done,
    FreshCommand,
    Heartbeat,
    Ping,
    Pong,
    Refusals,
    Refused,
    StopRequest,
    drop_superseded,
    encode,
    parse,
    parse_drive,
)
from robosignal.robot.session.events import Message


def test_command_says_where_to() -> None:
    """Both axes are numbers from -1 to 1."""
    text = '{"type":"command","n":7,"drive":{"x":-1,"y":0.5}}'

    assert parse(text) == Command(7, Drive(-1.0, 0.5))


def test_ping_has_its_number() -> None:
    """The number comes back with the pong."""
    assert parse('{"type":"ping","n":1}') == Ping(1)


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"command","n":7,"drive":{"x":1.01,"y":0}}',
        '{"type":"command","n":7,"drive":{"x":NaN,"y":0}}',
        '{"type":"command","n":7,"drive":{"x":1e400,"y":0}}',
        '{"type":"command","n":7,"drive":{"x":0}}',
        '{"type":"command","n":true,"drive":{"x":0,"y":0}}',
        '{"type":"command","drive":{"x":0,"y":0}}',
        '{"type":"fly","n":7}',
        "[" * 100_000,
        "\ud800",
        "",
    ],
)
def test_what_is_no_message_is_none(text: str) -> None:
    """Nothing half understood is ever carried out."""
    assert parse(text) is None


# Letters of which a message is made, so that some are nearly right, and one that is none.
LETTERS = '{}[]":,0123456789.-+eE typecommandrivxyg\\\ud800'


@given(st.text(LETTERS) | st.binary())
def test_any_message_is_read_without_an_error(message: str | bytes) -> None:
    """A peer cannot crash the robot over its data channel."""
    parse(message)
    parse_drive(message)


def test_command_on_drive_proves_that_it_is_fresh() -> None:
    """Without its epoch or its time it is none."""
    text = '{"type":"command","n":13,"epoch":7,"t":123456,"drive":{"x":0.0,"y":1.0}}'

    assert parse_drive(text) == FreshCommand(13, 7, 123456, Drive(0.0, 1.0))
    assert parse_drive('{"type":"stop"}') == StopRequest()
    assert parse_drive('{"type":"command","n":13,"t":1,"drive":{"x":0,"y":1}}') is None
    assert parse_drive('{"type":"ping","n":1}') is None


def test_heartbeat_names_a_driver_only_if_there_is_one() -> None:
    """A page tells "none obeyed yet" from a number by null."""
    beat = Heartbeat(t=5, n=None, epoch=7, armed=False, refused=Refusals(stale=2))
    text = '{"type":"heartbeat","t":5,"n":null,"epoch":7,"armed":false,"refused":'

    assert encode(beat) == text + '{"stale":2,"superseded":0,"refused":0}}'


def test_of_commands_in_one_turn_only_the_newest_of_each_peer_counts() -> None:
    """What else has come stays, in order."""
    command = '{"type":"command","n":1,"drive":{"x":0,"y":1}}'
    came = [
        Message(SessionId(session), PcId("p"), data)
        for session, data in [("a", command), ("b", command), ("a", "x"), ("a", command)]
    ]

    assert drop_superseded(came) == came[1:]


def test_answers_are_written_as_the_page_reads_them() -> None:
    """A refusal of a message without a number has none."""
    answers: list[Pong | Done | Refused] = [
        Pong(1),
        Done(7, 3),
        Refused(n=7, epoch=3),
        Refused(epoch=3),
    ]

    assert [encode(answer) for answer in answers] == [
        '{"type":"pong","n":1}',
        '{"type":"done","n":7,"epoch":3}',
        '{"type":"refused","n":7,"epoch":3}',
        '{"type":"refused","epoch":3}',
    ]


def test_what_looks_like_a_command_on_a_channel_of_the_applications_own_is_a_message() -> None:
    """All of them arrive, and none takes the place of a command."""
    text = '{"type":"command","n":1,"drive":{"x":0,"y":0}}'
    session, pc = SessionId("demo:a"), PcId("p")
    command = Message(session, pc, text)
    messages = [Message(session, pc, text, "app:chat") for _ in range(2)]

    assert drop_superseded([command, *messages]) == [command, *messages]
