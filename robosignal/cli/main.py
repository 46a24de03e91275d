"""The command line: `robosignal serve`, `token`, `robot`, `robots`, `history`, `probe` and others.

Only the module of the command that runs is imported: `robosignal token` loads no video library.
"""

import argparse
import io
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Protocol

from robosignal.cli.arguments import Refused
from robosignal.cli.logs import Lines
from robosignal.extras import MissingExtra, explain

COMMANDS = {
    "serve": ("robosignal.cli.serve", "run the backend on this machine"),
    "token": ("robosignal.cli.token", "print a token that signs a user in locally"),
    "robot": ("robosignal.cli.robot", "run a robot with a moving test picture"),
    "robots": ("robosignal.cli.robots", "list your robots, with when each was last seen"),
    "code": ("robosignal.cli.code", "make a code with which robots enrol themselves"),
    "keys": ("robosignal.cli.keys", "list a robot's keys"),
    "approve-key": ("robosignal.cli.changes:approve_key", "let in a key that waits for approval"),
    "revoke-key": ("robosignal.cli.changes:revoke_key", "end a robot's key for good"),
    "share": ("robosignal.cli.changes:share", "let another user drive or view a robot"),
    "invite": ("robosignal.cli.invitations:invite", "make a code by which users get a share"),
    "accept": ("robosignal.cli.invitations:accept", "accept an invitation to a robot"),
    "unshare": ("robosignal.cli.changes:unshare", "end a user's share of a robot, or of all"),
    "transfer": ("robosignal.cli.changes:transfer", "give a robot to another owner"),
    "forget": ("robosignal.cli.changes:forget", "remove all trace of a robot"),
    "history": ("robosignal.history.command", "show who drove and who viewed a robot"),
    "probe": ("robosignal.probe.command", "check a deployment, as robot and as client"),
    "bench": ("robosignal.loadtest.command", "measure a deployment, with many robots and clients"),
    "cost": ("robosignal.cost.command", "estimate what a fleet costs on AWS"),
}
"""Each command's module, or an object in one, which has `add_arguments` and `run`; and what the
command is for."""


UNREAD = 128 + signal.SIGPIPE
"""The exit code if nothing reads the output any more, as shells have it for the signal of that."""


class Command(Protocol):
    """What runs one command."""

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None:
        """Declare the arguments of `run`."""

    def run(self, asked: argparse.Namespace, /) -> int:
        """Run the command, and return its exit code. Raise Refused."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        parser = _make_parser(words)
    except MissingExtra as missing:
        sys.stderr.write(f"robosignal: {missing}\n")
        return 1
    asked = parser.parse_args(words)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Lines appear as they are printed, also when they go to a file or a pipe.
        sys.stdout.reconfigure(line_buffering=True)
    lines = logging.StreamHandler(sys.stdout)
    lines.setFormatter(Lines("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[lines])
    try:
        code: int = asked.run(asked)
    except Refused as refused:
        sys.stderr.write(f"robosignal: {refused}\n")
        return refused.exit_code
    except BrokenPipeError:
        # What reads the output, such as head, has ended. Python writes what is left at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    return code


def _make_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser of every command, and of the arguments of the one in these words.

    Raise MissingExtra if that command's libraries are not installed.
    """
    parser = argparse.ArgumentParser(
        prog="robosignal", description="Signaling for people who drive robots over WebRTC."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    # The command is the first word that is no option: the program itself has none with a value.
    chosen = next((word for word in words if not word.startswith("-")), None)
    for name, (_, purpose) in COMMANDS.items():
        command_parser = commands.add_parser(name, help=purpose)
        if name == chosen:
            command = import_command(name)
            command.add_arguments(command_parser)
            command_parser.set_defaults(run=command.run)
    return parser


def import_command(name: str) -> Command:
    """Return what runs the command of this name. Raise MissingExtra without its libraries."""
    module, _, member = COMMANDS[name][0].partition(":")
    try:
        found: Any = import_module(module)
    except ModuleNotFoundError as missing:
        # A robot's own extra is named by `robosignal.robot`.
        raise explain(f"robosignal {name}", "gateway", missing) from missing
    command: Command = getattr(found, member) if member else found
    return command
