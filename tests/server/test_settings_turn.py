"""What the environment says of TURN servers: their addresses, and the secret they share."""

import pytest

from robosignal.server.settings import BadEnvironment, read_options, read_settings
from tests.server.test_settings import LEAST, problems

URL = "turn:turn.example.org:3478"
ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:turn-AbCdEf"
TOLD = "TURN_URLS must be turn: or turns: URLs separated by commas, such as " + URL


def test_the_lambda_is_told_where_the_secret_is() -> None:
    """Never the secret itself, which anybody who may see the function's settings could read."""
    settings = read_settings(
        LEAST | {"TURN_URLS": URL, "TURN_SECRET_ARN": ARN, "TURN_SECRET": "north"}
    )

    assert settings.turn_secret_arn == ARN
    assert settings.options.turn_urls == (URL,)
    assert settings.options.turn_secret is None


def test_one_machine_is_told_the_secret() -> None:
    """It has no vault to ask."""
    options = read_options({"TURN_URLS": URL, "TURN_SECRET": " north "})

    assert (options.turn_urls, options.turn_secret) == ((URL,), "north")


def test_without_turn_there_is_none() -> None:
    """Neither addresses nor a secret."""
    settings = read_settings(LEAST)

    assert settings.turn_secret_arn is None
    assert (settings.options.turn_urls, settings.options.turn_secret) == ((), None)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"TURN_URLS": URL}, "TURN_SECRET_ARN is missing, and TURN_URLS needs it"),
        ({"TURN_SECRET_ARN": ARN}, "TURN_URLS is missing, and TURN_SECRET_ARN needs it"),
        (
            {"TURN_URLS": URL, "TURN_SECRET_ARN": " ", "TURN_SECRET": "north"},
            "TURN_SECRET_ARN is missing, and TURN_URLS needs it",
        ),
    ],
)
def test_on_aws_neither_serves_alone(given: dict[str, str], told: str) -> None:
    """The one that is missing is named."""
    assert problems(**given) == [told]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"TURN_URLS": URL}, "TURN_SECRET is missing, and TURN_URLS needs it"),
        ({"TURN_SECRET": "north"}, "TURN_URLS is missing, and TURN_SECRET needs it"),
        (
            {"TURN_URLS": URL, "TURN_SECRET_ARN": ARN},
            "TURN_SECRET is missing, and TURN_URLS needs it",
        ),
    ],
)
def test_on_one_machine_neither_serves_alone(given: dict[str, str], told: str) -> None:
    """The one that is missing is named."""
    with pytest.raises(BadEnvironment) as refused:
        read_options(given)

    assert refused.value.problems == [told]


@pytest.mark.parametrize(
    "url",
    [
        "turn:turn.example.org",
        "turn:turn.example.org:3478?transport=udp",
        "turns:turn.example.org:5349?transport=tcp",
        "turn:192.0.2.1:3478",
        "turn:[2001:db8::1]:3478",
    ],
)
def test_urls_of_turn_servers_are_read_as_they_are(url: str) -> None:
    """As RFC 7065 writes them; several are separated by commas."""
    options = read_options({"TURN_URLS": f" {url} ,{URL},", "TURN_SECRET": "north"})

    assert options.turn_urls == (url, URL)


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "turn.example.org",
        "turn:",
        "turn://turn.example.org",
        "stun:turn.example.org",
        "https://turn.example.org",
        "turn:turn.example.org:port",
        "turn:turn.example.org?transport=sctp",
        f"{URL} turn:b.example",
        f"{URL},b.example",
    ],
)
def test_what_no_browser_could_read_is_refused(text: str) -> None:
    """One bad URL would keep every page from opening a connection."""
    (problem,) = problems(TURN_URLS=text, TURN_SECRET_ARN=ARN)

    assert problem.startswith(TOLD)
