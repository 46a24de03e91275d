"""How text becomes values: what each reader takes, and what it says of the rest."""

from argparse import ArgumentTypeError
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosignal.cli import arguments
from robosignal.cli.arguments import Refused

READERS: list[Callable[[str], object]] = [
    arguments.whole(1),
    arguments.whole(0, 9),
    arguments.number(9),
    arguments.positive,
    arguments.seconds(),
    arguments.seconds(9),
    arguments.port,
    arguments.host,
    arguments.directory,
    arguments.word,
    arguments.identifier,
    arguments.user,
    arguments.websocket_url,
    arguments.jwks_url,
]


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (arguments.whole(1, 9), "1", 1),
        (arguments.whole(1, 9), "09", 9),
        (arguments.whole(0), "0", 0),
        (arguments.number(9), "9", 9),
        (arguments.number(9), "0", 0),
        (arguments.positive, "0.5", 0.5),
        (arguments.seconds(60), "60", 60),
        (arguments.seconds(), "1e6", 1e6),
        (arguments.port, "65535", 65535),
        (arguments.host, "::1", "::1"),
        (arguments.identifier, "Rover-1_a.b", "Rover-1_a.b"),
        (arguments.user, "ann@example.org", "ann@example.org"),
        (arguments.websocket_url, "wss://a.example/prod", "wss://a.example/prod"),
        (arguments.jwks_url, "https://i.example/jwks", "https://i.example/jwks"),
        (arguments.jwks_url, "http://127.0.0.1:1/jwks", "http://127.0.0.1:1/jwks"),
    ],
)
def test_text_within_the_limits_is_read(
    read: Callable[[str], object], text: str, value: object
) -> None:
    """The limits themselves included."""
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text", "told"),
    [
        (arguments.whole(1, 9), "0", "must be a whole number from 1 to 9, not '0'"),
        (arguments.whole(1, 9), "10", "must be a whole number from 1 to 9, not '10'"),
        (arguments.whole(1), "-1", "must be a whole number of at least 1, not '-1'"),
        (arguments.whole(1), "1_0", "of at least 1"),
        (arguments.whole(1), "9" * 5000, "of at least 1"),
        (arguments.number(9), "9.1", "must be a number from 0 to 9, not '9.1'"),
        (arguments.number(9), "nan", "from 0 to 9"),
        (arguments.positive, "0", "must be a number above 0, not '0'"),
        (arguments.positive, "inf", "must be a number above 0, not 'inf'"),
        (arguments.positive, "nan", "must be a number above 0, not 'nan'"),
        (arguments.seconds(), "x", "must be a number of seconds above 0, not 'x'"),
        (arguments.seconds(), "0", "above 0, not '0'"),
        (arguments.seconds(), "inf", "above 0, not 'inf'"),
        (arguments.seconds(60), "61", "above 0, at most 60, not '61'"),
        (arguments.port, "65536", "must be a whole number from 0 to 65535, not '65536'"),
        (arguments.host, "a..b", "must be an address or a name of this machine, not 'a..b'"),
        (arguments.host, " ", "must not be empty"),
        (arguments.identifier, "a b", "must be 1 to 64 of the characters"),
        (arguments.identifier, "a" * 65, "must be 1 to 64 of the characters"),
        (arguments.identifier, "a\n", r"not 'a\\n'"),
        (arguments.user, "#ann", "the first one no #, not '#ann'"),
        (arguments.websocket_url, "http://a.example", "must be a WebSocket URL, such as ws://"),
        (arguments.websocket_url, "ws://a:port/", "must be a WebSocket URL"),
        (arguments.jwks_url, "http://i.example/jwks", "must be an https URL"),
        (arguments.jwks_url, "https://i.example:x/", "must be an https URL"),
    ],
)
def test_other_text_is_refused_with_the_limit_and_what_was_given(
    read: Callable[[str], object], text: str, told: str
) -> None:
    """What follows the option's name is a sentence."""
    with pytest.raises(ArgumentTypeError, match=told):
        read(text)


@given(st.sampled_from(READERS), st.text())
def test_any_text_is_read_or_refused_in_one_line(read: Callable[[str], object], text: str) -> None:
    """No reader fails in any other way, and no text forges a line."""
    try:
        read(text)
    except ArgumentTypeError as refused:
        assert str(refused).startswith("must ")  # noqa: PT017 - most text is refused, not all
        assert str(refused).isprintable()  # noqa: PT017


@pytest.mark.parametrize("read", [arguments.websocket_url, arguments.jwks_url])
def test_a_refused_address_is_not_shown(read: Callable[[str], object]) -> None:
    """It may hold a password, or a token in its query."""
    with pytest.raises(ArgumentTypeError) as refused:
        read("http://a:secret@host.example/?token=secret")

    assert "secret" not in str(refused.value)


def test_a_token_of_the_arguments_goes_before_the_environments() -> None:
    """The variable is for when there is no option; without either there is no token."""
    env = {"V": " e\n"}

    assert arguments.token("--token", "a", "V", env) == "a"
    assert arguments.token("--token", None, "V", env) == "e"
    assert arguments.token("--token", None, "V", {}) is None


@pytest.mark.parametrize(
    ("argument", "named"), [("secret secret", "--token holds"), (None, "V holds")]
)
def test_text_that_is_no_token_is_refused_by_the_name_of_its_place(
    argument: str | None, named: str
) -> None:
    """And never shown: a part of it may be one."""
    with pytest.raises(Refused) as refused:
        arguments.token("--token", argument, "V", {"V": "secret,secret"})

    assert str(refused.value).startswith(named)
    assert "secret" not in str(refused.value)
