"""The Lambda's environment: what it may say, and how it is refused."""

from typing import Any

import pytest

from robosignal.server.settings import (
    BadEnvironment,
    Options,
    Settings,
    read_options,
    read_settings,
)

LEAST = {
    "CONN_TABLE": "connections",
    "ROBOT_PRESENCE_TABLE": "robots",
    "WS_MGMT_ENDPOINT": "https://abc.execute-api.eu-central-1.amazonaws.com/prod",
    "TOKEN_ISSUER": "https://cognito-idp.eu-central-1.amazonaws.com/pool",
    "TOKEN_AUDIENCES": "client-1",
}


def problems(**changes: str) -> list[str]:
    """Return what is wrong with an environment that is good but for these changes."""
    with pytest.raises(BadEnvironment) as refused:
        read_settings(LEAST | changes)
    return refused.value.problems


def test_the_least_environment_is_enough() -> None:
    """Five variables; all others have their defaults."""
    settings = read_settings(LEAST)

    assert settings == Settings(
        connections_table="connections",
        robots_table="robots",
        management_endpoint=LEAST["WS_MGMT_ENDPOINT"],
        token_issuer=LEAST["TOKEN_ISSUER"],
        token_audiences=frozenset({"client-1"}),
        token_jwks_url=LEAST["TOKEN_ISSUER"] + "/.well-known/jwks.json",
        stage="dev",
        options=read_options({}),
    )


def test_the_defaults_are_the_protocols() -> None:
    """Limits on, any origin, ten viewers, a heartbeat of two minutes, first come."""
    options = read_options({})

    assert (options.limited, options.origins, options.ice_servers) == (True, None, [])
    assert (options.rules.viewers, options.rules.heartbeat_seconds) == (10, 120)
    assert options.rules.provisioned is False


def chosen(name: str, value: str) -> Options:
    """Return the options with one variable set."""
    return read_options({name: value})


@pytest.mark.parametrize(
    ("name", "value", "read", "expected"),
    [
        (
            "ALLOWED_ORIGINS",
            "https://a, https://b,",
            lambda o: o.origins,
            {"https://a", "https://b"},
        ),
        ("ALLOWED_ORIGINS", "https://D.example:443/", lambda o: o.origins, {"https://d.example"}),
        ("ALLOWED_ORIGINS", "none", lambda o: o.origins, frozenset()),
        ("LIMITS", "off", lambda o: o.limited, False),
        ("LIMITS", "On", lambda o: o.limited, True),
        ("ICE_SERVERS", '[{"urls":["stun:s"]}]', lambda o: o.ice_servers, [{"urls": ["stun:s"]}]),
        ("MAX_VIEWERS", "0", lambda o: o.rules.viewers, 0),
        ("MAX_VIEWERS", "50", lambda o: o.rules.viewers, 50),
        ("HEARTBEAT_SECONDS", "10", lambda o: o.rules.heartbeat_seconds, 10),
        ("CLAIM_POLICY", "provisioned", lambda o: o.rules.provisioned, True),
        ("CLAIM_POLICY", "first-come", lambda o: o.rules.provisioned, False),
        ("MAX_VIEWERS", "  ", lambda o: o.rules.viewers, 10),
    ],
)
def test_each_option_is_read(name: str, value: str, read: Any, expected: object) -> None:
    """One variable, one value of the options; blank counts as not set."""
    assert read(chosen(name, value)) == expected


def test_audiences_are_a_list() -> None:
    """Separated by commas, blanks around them."""
    settings = read_settings(LEAST | {"TOKEN_AUDIENCES": " a ,b"})

    assert settings.token_audiences == {"a", "b"}


def test_the_keys_address_can_be_another_than_the_issuers() -> None:
    """Then the issuer may be any name."""
    keys = {"TOKEN_JWKS_URL": "http://127.0.0.1:9/keys", "TOKEN_ISSUER": "robosignal-local"}
    settings = read_settings(LEAST | keys)

    assert settings.token_jwks_url == "http://127.0.0.1:9/keys"
    assert settings.token_issuer == "robosignal-local"


def test_a_slash_at_the_end_of_an_endpoint_is_left_out() -> None:
    """Paths are joined to it."""
    settings = read_settings(LEAST | {"WS_MGMT_ENDPOINT": LEAST["WS_MGMT_ENDPOINT"] + "/"})

    assert settings.management_endpoint == LEAST["WS_MGMT_ENDPOINT"]


@pytest.mark.parametrize("name", LEAST)
@pytest.mark.parametrize("blank", ["", "  "])
def test_each_of_the_five_is_needed(name: str, blank: str) -> None:
    """Blank is missing, and it alone is named."""
    assert problems(**{name: blank}) == [f"{name} is missing"]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("WS_MGMT_ENDPOINT", "wss://abc/prod", "must be an https URL"),
        ("WS_MGMT_ENDPOINT", "abc.execute-api", "must be an https URL"),
        ("WS_MGMT_ENDPOINT", "https://[abc", "Invalid"),
        ("TOKEN_AUDIENCES", " , ", "must be a list separated by commas"),
        ("TOKEN_ISSUER", "cognito", "it needs a host"),
        ("TOKEN_ISSUER", "http://example.org", "use https"),
        ("TOKEN_JWKS_URL", "http://example.org/keys", "use https"),
        ("ICE_SERVERS", "stun:s", "must be a JSON list"),
        ("ICE_SERVERS", '["stun:s"]', "must be a JSON list"),
        ("ICE_SERVERS", '[{"urls":"turn:t.example.org"}]', "entry 1: a TURN server needs username"),
        ("ICE_SERVERS", '[{"urls":"stun:h"},{}]', "entry 2: needs urls"),
        ("ICE_SERVERS", f'[{{"urls":"stun:{"h" * 8192}"}}]', "must have at most 8,192 bytes"),
        ("TURN_URLS", "turn:h:99999", "needs a port from 1 to 65535"),
        ("LIMITS", "no", "must be on or off"),
        ("CLAIM_POLICY", "anyone", "must be first-come or provisioned"),
        ("MAX_VIEWERS", "51", "must be a whole number from 0 to 50"),
        ("MAX_VIEWERS", "-1", "must be a whole number from 0 to 50"),
        ("MAX_VIEWERS", "1e1", "must be a whole number from 0 to 50"),
        ("MAX_VIEWERS", "²", "must be a whole number from 0 to 50"),
        ("HEARTBEAT_SECONDS", "9", "must be a whole number from 10 to 500"),
        ("ALLOWED_ORIGINS", ",", "must be a list separated by commas"),
        ("ALLOWED_ORIGINS", "*", "leave it out to let any page connect"),
        ("ALLOWED_ORIGINS", "d.example", "must be origins such as https://drive.example.com"),
        ("ALLOWED_ORIGINS", "https://d.example,none", "must be origins such as"),
        ("STAGE", "a b", "must be 1 to 64"),
    ],
)
def test_a_bad_value_is_told_with_its_variable(name: str, value: str, told: str) -> None:
    """One sentence, beginning with the variable's name."""
    problem, *others = problems(**{name: value})

    # The secret that TURN_URLS needs besides.
    assert all(other.startswith("TURN_SECRET_ARN ") for other in others)

    assert problem.startswith(f"{name} ")
    assert told in problem


def test_every_problem_is_told_at_once() -> None:
    """One error names them all."""
    with pytest.raises(BadEnvironment) as refused:
        read_settings({"LIMITS": "no", "MAX_VIEWERS": "many"})

    for name in [*LEAST, "LIMITS", "MAX_VIEWERS"]:
        assert name in str(refused.value)
    assert str(refused.value) == "; ".join(refused.value.problems)
