"""Reads the settings from environment variables.

Every variable that is missing or wrong is reported at once, so that all can be corrected together.
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
from robosignal.server.identity.carriers import NO_ORIGIN, canonicalize_origin
from robosignal.server.identity.jwks_fetch import check_jwks_url
from robosignal.server.identity.tokens import GROUP_CHARACTERS

Value = TypeVar("Value")


class Options(Struct, frozen=True, kw_only=True):
    """The settings that AWS and the local gateway have in common."""

    ice_servers: list[dict[str, Any]]
    origins: frozenset[str] | None
    limited: bool
    rules: Rules
    turn_urls: tuple[str, ...] = ()
    """TURN servers that share a secret with this server."""
    device_audiences: frozenset[str] = frozenset()
    """What `aud` of a robot's assertion may be; empty: no robot connects by a key of its own."""
    turn_secret: str | None = None
    """That secret, for the local gateway. On AWS, `turn_secret_arn` says where it is."""


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of a deployment on AWS."""

    connections_table: str
    robots_table: str
    management_endpoint: str
    token_issuer: str
    token_audiences: frozenset[str]
    token_jwks_url: str
    stage: str
    """The deployment's name, such as dev or prod, which is a dimension of its metrics."""
    turn_secret_arn: str | None = None
    """Where Secrets Manager keeps the TURN servers' secret; None: there are no TURN servers."""
    options: Options


class BadEnvironment(Exception):
    """The environment cannot be used. The text names each wrong variable, and says why."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the Lambda's settings. Raise BadEnvironment naming every variable that is wrong."""
    reader = _Reader(environment)
    settings = Settings(
        connections_table=reader.require("CONN_TABLE", str),
        robots_table=reader.require("ROBOT_PRESENCE_TABLE", str),
        management_endpoint=reader.require("WS_MGMT_ENDPOINT", _url),
        token_issuer=reader.require("TOKEN_ISSUER", str),
        token_audiences=reader.require("TOKEN_AUDIENCES", _words),
        token_jwks_url=reader.read("TOKEN_JWKS_URL", check_jwks_url, None)
        or reader.read("TOKEN_ISSUER", _jwks_url, PLACEHOLDER),
        stage=reader.read("STAGE", _name, "dev"),
        turn_secret_arn=reader.read("TURN_SECRET_ARN", str, None),
        options=_options(reader),
    )
    reader.require_together("TURN_URLS", "TURN_SECRET_ARN")
    reader.finish()
    return settings


def read_options(environment: Mapping[str, str]) -> Options:
    """Return the local gateway's settings, with the secret of its TURN servers.

    Raise BadEnvironment naming every variable that is wrong.
    """
    reader = _Reader(environment)
    options = structs.replace(_options(reader), turn_secret=reader.read("TURN_SECRET", str, None))
    reader.require_together("TURN_URLS", "TURN_SECRET")
    reader.finish()
    return options


def _options(reader: "_Reader") -> Options:
    heartbeat = reader.read(
        "HEARTBEAT_SECONDS",
        _whole_number(10, limits.LONGEST_HEARTBEAT_SECONDS),
        limits.HEARTBEAT_SECONDS,
    )
    return Options(
        ice_servers=reader.read("ICE_SERVERS", _ice_servers, []),
        origins=reader.read("ALLOWED_ORIGINS", _origins, None),
        limited=reader.read("LIMITS", _switch, default=True),
        rules=Rules(
            viewers=reader.read("MAX_VIEWERS", _whole_number(0, 50), limits.VIEWERS),
            heartbeat_seconds=heartbeat,
            provisioned=reader.read("CLAIM_POLICY", _claim_policy, default=False),
            provisioners=reader.read("PROVISIONERS_GROUP", _group, None),
        ),
        device_audiences=reader.read("DEVICE_AUDIENCES", _addresses, frozenset()),
        turn_urls=reader.read("TURN_URLS", _turn_urls, ()),
    )


_NAME = re.compile(limits.ID_PATTERN)

PLACEHOLDER = "https://missing.invalid"
"""The value of a missing variable until `finish` raises. It parses as an address."""


class _Reader:
    """Reads variables and collects what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def require(self, name: str, read: Callable[[str], Value]) -> Value:
        """Return a variable that must be set. If it is not, `finish` will raise."""
        if not self._environment.get(name, "").strip():
            self.problems.append(f"{name} is missing")
        return self.read(name, read, read(PLACEHOLDER))

    def read(self, name: str, read: Callable[[str], Value], default: Value) -> Value:
        """Return a variable, or its default if it is not set."""
        text = self._environment.get(name, "").strip()
        if not text:
            return default
        try:
            return read(text)
        except ValueError as error:
            self.problems.append(f"{name} {error}")
            return default

    def require_together(self, *names: str) -> None:
        """Report which of these variables is missing if another one is set."""
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
    return check_jwks_url(issuer.rstrip("/") + "/.well-known/jwks.json")


def _name(text: str) -> str:
    if not _NAME.search(text):
        raise ValueError("must be 1 to 64 of the characters A-Z a-z 0-9 _ . -")
    return text


def _words(text: str) -> frozenset[str]:
    words = frozenset(word.strip() for word in text.split(",")) - {""}
    if not words:
        raise ValueError("must be a list separated by commas")
    return words


def _addresses(text: str) -> frozenset[str]:
    return frozenset(map(check_address, _words(text)))


def check_address(text: str) -> str:
    """Return a WebSocket address. Raise ValueError unless it is one, as clients write it."""
    parts = urlsplit(text)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be WebSocket addresses, such as wss://robots.example.org/prod")
    return text


def _group(text: str) -> str:
    if len(text) > GROUP_CHARACTERS:
        raise ValueError(f"must be a group's name, of at most {GROUP_CHARACTERS} characters")
    return text


def _origins(text: str) -> frozenset[str]:
    """Return origins as browsers send them; an empty set for the word `none`."""
    words = _words(text)
    if words == {NO_ORIGIN}:
        return frozenset()
    return frozenset(map(canonicalize_origin, words))


ICE_SERVERS_BYTES = 8_192
"""`welcome` and `registered` contain the list, and must each fit into one frame."""


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


def _whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
            raise ValueError(f"must be a whole number from {lowest} to {highest}")
        return int(text)

    return read
