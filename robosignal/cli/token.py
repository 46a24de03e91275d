"""`robosignal token`: prints one token that the local gateway accepts, and nothing else."""

import argparse
from pathlib import Path

from robosignal.cli import arguments
from robosignal.cli.arguments import Refused
from robosignal.gateway.keys import TOKEN_SECONDS, KeyRefused, LocalKey
from robosignal.gateway.state import StateUnreadable
from robosignal.server.identity.tokens import LIFETIME_SECONDS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `run`."""
    add = parser.add_argument
    add("user", type=arguments.user, metavar="USER", help="the user's id, the claim `sub`")
    add(
        "--group",
        type=arguments.word,
        action="append",
        default=[],
        help="a group of the user's, such as ADMINS; repeat it for more",
    )
    add(
        "--ttl",
        type=arguments.whole(1, LIFETIME_SECONDS),
        default=TOKEN_SECONDS,
        metavar="S",
        help="lifetime in seconds, 86400 at most (default: 43200)",
    )
    add(
        "--state",
        type=arguments.directory,
        default=arguments.STATE,
        metavar="DIR",
        help="directory of the signing key (default: %(default)s)",
    )


def run(asked: argparse.Namespace) -> int:
    """Print the token, and return 0. Raise Refused if there is no usable key."""
    if asked.state == arguments.IN_MEMORY:
        raise Refused("--state :memory: keeps no key: give the directory of the gateway's state")
    directory = Path(asked.state)
    try:
        key = LocalKey.load(directory)
    except (KeyRefused, StateUnreadable) as error:
        raise Refused(str(error)) from error
    except OSError as error:
        raise Refused(str(StateUnreadable.from_os_error(directory, error))) from error
    print(key.sign(asked.user, asked.group, asked.ttl))  # noqa: T201 - it is what was asked for
    return 0
