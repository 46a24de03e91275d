"""`robosignal token`: prints one token that the local gateway accepts, and nothing else.

Owns the arguments; must never know what a token holds.
"""

import argparse
from pathlib import Path

from robosignal.cli import arguments
from robosignal.cli.arguments import Refused


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which arguments `run` takes."""
    add = parser.add_argument
    add("user", type=arguments.user, metavar="USER", help="the user's id, the claim `sub`")
    add(
        "--group",
        type=arguments.word,
        action="append",
        default=[],
        help="a group of the user's, such as ADMINS; repeat it for more",
    )
    add("--ttl", type=_ttl, metavar="S", help="lifetime in seconds, 86400 at most (default: 43200)")
    add(
        "--state",
        type=arguments.directory,
        default=arguments.STATE,
        metavar="DIR",
        help="directory of the signing key (default: %(default)s)",
    )


def run(asked: argparse.Namespace) -> int:
    """Print the token, and return the exit code. Raise Refused, whose text says why."""
    from robosignal.gateway.keys import TOKEN_SECONDS, KeyRefused, LocalKey  # noqa: PLC0415
    from robosignal.gateway.state import StateUnreadable  # noqa: PLC0415

    if asked.state == arguments.IN_MEMORY:
        raise Refused("--state :memory: keeps no key: give the directory of the gateway's state")
    directory = Path(asked.state)
    try:
        key = LocalKey.load(directory)
    except (KeyRefused, StateUnreadable) as error:
        raise Refused(str(error)) from error
    except OSError as error:
        raise Refused(str(StateUnreadable.to_us(directory, error))) from error
    print(key.sign(asked.user, asked.group, asked.ttl or TOKEN_SECONDS))  # noqa: T201 - it is what was asked for
    return 0


def _ttl(text: str) -> int:
    # Imported here: only who gives a lifetime pays for the library of tokens this early.
    from robosignal.server.identity.tokens import LIFETIME_SECONDS  # noqa: PLC0415

    return arguments.whole(1, LIFETIME_SECONDS)(text)
