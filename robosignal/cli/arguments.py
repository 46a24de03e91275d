"""How the text of arguments becomes values: one reader for each kind, for all commands."""

import argparse
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from robosignal.protocol import limits
from robosignal.protocol.device_keys import normalize_code
from robosignal.protocol.parsing import ID_RULE

URL_VARIABLE = "ROBOSIGNAL_URL"
TOKEN_VARIABLE = "ROBOSIGNAL_TOKEN"  # noqa: S105 - the name of one, not one
STATE = ".robosignal"
IN_MEMORY = ":memory:"
MOST_PORT = 65535

_ID = re.compile(limits.ID_PATTERN)
_USER = re.compile(limits.USER_PATTERN)


TIMEOUT_SECONDS, MOST_TIMEOUT_SECONDS = 10, 60
"""How long `--timeout` waits by default, and at most."""


UNREACHABLE = 3
"""The exit code if the server cannot be reached: the same command may succeed later."""


class Refused(Exception):
    """The command cannot run. The text says why, and what to do; it ends with `exit_code`."""

    def __init__(self, text: str, exit_code: int = 1) -> None:
        super().__init__(text)
        self.exit_code = exit_code


# Readers, for argparse's `type`. Each raises ArgumentTypeError, whose text follows the option.


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return a reader of whole numbers within these bounds, both included."""
    rule = f"of at least {least}" if most is None else f"from {least} to {most}"
    # int() refuses longer texts than this with a ValueError of its own.
    longest = 4000 if most is None else len(str(most))

    def read(text: str) -> int:
        digits = text.lstrip("0") or "0"
        if text.isascii() and text.isdigit() and len(digits) <= longest:
            found = int(digits)
            if least <= found and (most is None or found <= most):
                return found
        raise _refuse(f"must be a whole number {rule}", text)

    return read


def number(most: float) -> Callable[[str], float]:
    """Return a reader of numbers from 0 to `most`, both included."""

    def read(text: str) -> float:
        found = _float(text)
        if 0 <= found <= most:
            return found
        raise _refuse(f"must be a number from 0 to {most:g}", text)

    return read


def positive(text: str) -> float:
    """Read a number above 0."""
    found = _float(text)
    if 0 < found < math.inf:
        return found
    raise _refuse("must be a number above 0", text)


def seconds(most: float | None = None) -> Callable[[str], float]:
    """Return a reader of lengths of time above 0, `most` included."""
    rule = "" if most is None else f", at most {most:g}"

    def read(text: str) -> float:
        found = _float(text)
        if 0 < found < math.inf and (most is None or found <= most):
            return found
        raise _refuse(f"must be a number of seconds above 0{rule}", text)

    return read


_LENGTH = re.compile(r"(\d{1,9})(s|m|h|d)?")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def length(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of lengths of time such as `8h`, in seconds from `least` to `most`."""

    def read(text: str) -> int:
        found = _LENGTH.fullmatch(text)
        if found and text.isascii():
            seconds = int(found[1]) * _UNIT_SECONDS[found[2] or "s"]
            if least <= seconds <= most:
                return seconds
        bounds = f"from {format_length(least)} to {format_length(most)}"
        raise _refuse(f"must be a length of time such as 90m, 8h or 7d, {bounds}", text)

    return read


def format_length(seconds: int) -> str:
    """Return a length of time in its largest whole unit, such as `7d`."""
    unit, size = next(each for each in reversed(_UNIT_SECONDS.items()) if seconds % each[1] == 0)
    return f"{seconds // size}{unit}"


def port(text: str) -> int:
    """Read a TCP port; 0 means any free one."""
    return whole(0, MOST_PORT)(text)


def host(text: str) -> str:
    """Read an address or a name. Whether it is this machine's shows when it is used."""
    try:
        text.encode("idna")
    except UnicodeError:
        raise _refuse("must be an address or a name of this machine", text) from None
    return _require_text(text)


def directory(text: str) -> str:
    """Read a path, or `:memory:`."""
    return _require_text(text)


def path(text: str) -> Path:
    """Read the name of a file."""
    return Path(_require_text(text))


def code(text: str) -> str:
    """Read a code, and return it without hyphens. An error does not repeat it: it is a secret."""
    try:
        return normalize_code(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def word(text: str) -> str:
    """Read any text that is not empty."""
    return _require_text(text)


def identifier(text: str) -> str:
    """Read the id of a robot, or of a run of one."""
    if not _ID.search(text):
        raise _refuse(ID_RULE, text)
    return text


def id_pattern(text: str) -> str:
    """Read the beginning of robots' ids, and an asterisk."""
    if not re.search(limits.PATTERN_PATTERN, text):
        raise _refuse("must be 3 to 63 of the characters A-Z a-z 0-9 _ . - and then *", text)
    return text


def user(text: str) -> str:
    """Read the name of a local user."""
    if not _USER.search(text):
        raise _refuse("must be 1 to 128 characters of printable ASCII, the first one no #", text)
    return text


def group(text: str) -> str:
    """Read the name of a group of users."""
    if not re.search(limits.GROUP_PATTERN, text):
        raise _refuse("must be 1 to 128 characters without control characters", text)
    return text


# An address may hold a password or a token, so errors do not repeat it: they end up in logs.


def websocket_url(text: str) -> str:
    """Read the address of a server."""
    # Imported here, as below: only commands with such an argument need it.
    from websockets.exceptions import InvalidURI  # noqa: PLC0415
    from websockets.uri import parse_uri  # noqa: PLC0415

    try:
        parse_uri(text)
    except (InvalidURI, ValueError):
        raise argparse.ArgumentTypeError(
            "must be a WebSocket URL, such as ws://127.0.0.1:8080/prod"
        ) from None
    return text


def jwks_url(text: str) -> str:
    """Read the address of an issuer's keys."""
    from robosignal.server.identity.jwks_fetch import check_jwks_url  # noqa: PLC0415

    try:
        return check_jwks_url(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            "must be an https URL without a user in it, or an http URL to 127.0.0.1"
        ) from None


def token(option: str, argument: str | None, variable: str, env: Mapping[str, str]) -> str | None:
    """Return the option's token, else the variable's, else None. Raise Refused for other text.

    It is not a reader, because argparse would print a token that it refuses.
    """
    name, found = (option, argument) if argument else (variable, env.get(variable, ""))
    found = found.strip()
    if found and not re.search(limits.TOKEN_PATTERN, found):
        raise Refused(f"{name} holds characters that no token has: pass the whole token, unquoted")
    return found or None


def require_token(argument: str | None, env: Mapping[str, str]) -> str:
    """Return `--token`'s token, else the environment's. Raise Refused when there is none."""
    found = token("--token", argument, TOKEN_VARIABLE, env)
    if found is None:
        raise Refused(
            f"no token: give --token, or set {TOKEN_VARIABLE} (robosignal token USER prints one)"
        )
    return found


# Options that several commands have.


def add_timeout(parser: argparse.ArgumentParser) -> None:
    """Declare `--timeout`: how long to wait for an answer, in s, above 0."""
    parser.add_argument(
        "--timeout",
        type=seconds(MOST_TIMEOUT_SECONDS),
        default=TIMEOUT_SECONDS,
        metavar="S",
        help="how many seconds to wait for an answer (default: %(default)s)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declare `--json`, which replaces the text for people."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def _require_text(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("must not be empty")
    return text


def _float(text: str) -> float:
    """Return the number, or NaN, which is within no bounds."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _refuse(rule: str, text: str) -> argparse.ArgumentTypeError:
    shown = text if len(text) <= limits.NAME_CHARACTERS else f"{text[: limits.NAME_CHARACTERS]}…"
    return argparse.ArgumentTypeError(f"{rule}, not {shown!a}")
