"""The Lambda's environment, read once into one frozen value.

Fails with every variable that is missing or wrong, not with the first: whoever deploys mends
them in one go. Nothing else reads the environment but `warm`, which asks whose start
this is.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, structs

from robosignal.protocol import limits
from robosignal.server.core.request import Rules
from robosignal.server.ice.static import check_servers, check_url
from robosignal.server.identity.carriers import NO_ORIGIN, canonical_origin
from robosignal.server.identity.jwks_fetch import checked_url

Value = TypeVar("Value")


class Options(Struct, frozen=True, kw_only=True):
    """What may be configured, on AWS and on one machine alike."""

    ice_servers: list[dict[str, Any]]
    origins: frozenset[str] | None
    limited: bool
    rules: Rules
    turn_urls: tuple[str, ...] = ()
    """TURN servers that share a secret with us."""
    turn_secret: str | None = None
    """That secret itself, on one machine; on AWS the settings say where it is kept."""


class Settings(Struct, frozen=True, kw_only=True):
    """What a deployment on AWS configures."""

    connections_table: str
    robots_table: str
    management_endpoint: str
    token_issuer: str
    token_audiences: frozenset[str]
    token_jwks_url: str
    stage: str
    """The deployment's own name, such as dev or prod: its metrics bear it."""
    turn_secret_arn: str | None = None
    """Where Secrets Manager keeps what is shared with the TURN servers; None: there are none."""
    options: Options


class BadEnvironment(Exception):
    """The environment cannot be used. The text names every variable and what is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the Lambda's settings. Raise BadEnvironment naming every variable that is wrong."""
    read = _Reader(environment)
    settings = Settings(
        connections_table=read.needed("CONN_TABLE", str),
        robots_table=read.needed("ROBOT_PRESENCE_TABLE", str),
        management_endpoint=read.needed("WS_MGMT_ENDPOINT", _url),
        token_issuer=read.needed("TOKEN_ISSUER", str),
        token_audiences=read.needed("TOKEN_AUDIENCES", _words),
        token_jwks_url=read.given("TOKEN_JWKS_URL", checked_url, None)
        or read.given("TOKEN_ISSUER", _jwks_url, PLACEHOLDER),
        stage=read.given("STAGE", _name, "dev"),
        turn_secret_arn=read.given("TURN_SECRET_ARN", str, None),
        options=_options(read),
    )
    read.together("TURN_URLS", "TURN_SECRET_ARN")
    read.finish()
    return settings


def read_options(environment: Mapping[str, str]) -> Options:
    """Return what may be configured on one machine, the secret of its TURN servers included.

    Raise BadEnvironment naming every variable that is wrong.
    """
    read = _Reader(environment)
    options = structs.replace(_options(read), turn_secret=read.given("TURN_SECRET", str, None))
    read.together("TURN_URLS", "TURN_SECRET")
    read.finish()
    return options


def _options(read: "_Reader") -> Options:
    heartbeat = read.given(
        "HEARTBEAT_SECONDS", _whole(10, limits.LONGEST_HEARTBEAT_SECONDS), limits.HEARTBEAT_SECONDS
    )
    return Options(
        ice_servers=read.given("ICE_SERVERS", _ice_servers, []),
        origins=read.given("ALLOWED_ORIGINS", _origins, None),
        limited=read.given("LIMITS", _switch, default=True),
        rules=Rules(
            viewers=read.given("MAX_VIEWERS", _whole(0, 50), limits.VIEWERS),
            heartbeat_seconds=heartbeat,
            provisioned=read.given("CLAIM_POLICY", _claim_policy, default=False),
        ),
        turn_urls=read.given("TURN_URLS", _turn_urls, ()),
    )


_NAME = re.compile(limits.ID_PATTERN)

PLACEHOLDER = "https://missing.invalid"
"""Stands in for a variable that is missing, until `finish` raises."""


class _Reader:
    """Reads variables and gathers what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def needed(self, name: str, read: Callable[[str], Value]) -> Value:
        """Return a variable that must be there. After a problem, the value means nothing."""
        if not self._environment.get(name, "").strip():
            self.problems.append(f"{name} is missing")
        return self.given(name, read, read(PLACEHOLDER))

    def given(self, name: str, read: Callable[[str], Value], default: Value) -> Value:
        """Return a variable, or its default when it is not set."""
        text = self._environment.get(name, "").strip()
        if not text:
            return default
        try:
            return read(text)
        except ValueError as error:
            self.problems.append(f"{name} {error}")
            return default

    def together(self, *names: str) -> None:
        """Note which of these is missing, if another of them is there: none serves alone."""
        given = [name for name in names if self._environment.get(name, "").strip()]
        for name in names:
            if given and name not in given:
                self.problems.append(f"{name} is missing, and {given[0]} needs it")

    def finish(self) -> None:
        """Raise BadEnvironment if anything was wrong."""
        if self.problems:
            raise BadEnvironment(self.problems)


def _url(text: str) -> str:
    if urlsplit(text).scheme not in ("https", "http") or not urlsplit(text).hostname:
        raise ValueError("must be an https URL, or an emulator's http URL")
    return text.rstrip("/")


def _jwks_url(issuer: str) -> str:
    return checked_url(issuer.rstrip("/") + "/.well-known/jwks.json")


def _name(text: str) -> str:
    if not _NAME.search(text):
        raise ValueError("must be 1 to 64 of the characters A-Z a-z 0-9 _ . -")
    return text


def _words(text: str) -> frozenset[str]:
    words = frozenset(word.strip() for word in text.split(",")) - {""}
    if not words:
        raise ValueError("must be a list separated by commas")
    return words


def _origins(text: str) -> frozenset[str]:
    """Return origins as browsers send them; none at all for the one word `none`."""
    words = _words(text)
    if words == {NO_ORIGIN}:
        return frozenset()
    return frozenset(map(canonical_origin, words))


ICE_SERVERS_BYTES = 8_192
"""`welcome` and `registered` contain the list, and each must fit well within one frame."""


def _ice_servers(text: str) -> list[dict[str, Any]]:
    if len(text.encode()) > ICE_SERVERS_BYTES:
        raise ValueError(f"must have at most {ICE_SERVERS_BYTES:,} bytes")
    try:
        servers = msgspec.json.decode(text, type=list[dict[str, Any]])
    except ValueError as error:
        raise ValueError("must be a JSON list of RTCIceServer objects") from error
    check_servers(servers)
    return servers


def _turn_urls(text: str) -> tuple[str, ...]:
    urls = tuple(word for word in (part.strip() for part in text.split(",")) if word)
    if not urls or not all(url.startswith(("turn:", "turns:")) for url in urls):
        raise ValueError(_TURN_URLS)
    for url in urls:
        try:
            check_url(url)
        except ValueError as error:
            raise ValueError(f"{_TURN_URLS}: {error}") from error
    return urls


_TURN_URLS = "must be turn: or turns: URLs separated by commas, such as turn:turn.example.org:3478"


def _switch(text: str) -> bool:
    if text.lower() not in ("on", "off"):
        raise ValueError("must be on or off")
    return text.lower() == "on"


def _claim_policy(text: str) -> bool:
    if text not in ("first-come", "provisioned"):
        raise ValueError("must be first-come or provisioned")
    return text == "provisioned"


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
            raise ValueError(f"must be a whole number from {lowest} to {highest}")
        return int(text)

    return read
