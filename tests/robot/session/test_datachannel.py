import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosignal.robot.drive import Drive
from robosignal.robot.session.datachannel import Command, Done, Ping, Pong, Refused, encode, parse


def test_command_says_where_to() -> None:
    """Both axes are numbers from -1 to 1."""
    text = '{"type":"command","n":7,"drive":{"x":-1,"y":0.5}}'

    assert parse(text) == Command(7, Drive(-1.0, 0.5))


def test_ping_bears_its_number() -> None:
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
