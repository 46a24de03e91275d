"""The command line: `robosignal serve`, `token`, `robot`, `history`, `probe`, `bench` and `cost`.

Only the module of the command that runs is imported: `robosignal token` loads no video library.
"""

import argparse
import io
import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType

from robosignal.cli.arguments import Refused
from robosignal.cli.logs import Lines
from robosignal.extras import MissingExtra, explain

COMMANDS = {
    "serve": ("robosignal.cli.serve", "run the backend on this machine"),
    "token": ("robosignal.cli.token", "print a token that signs a user in locally"),
    "robot": ("robosignal.cli.robot", "run a robot with a moving test picture"),
    "history": ("robosignal.history.command", "show who drove and who viewed a robot"),
    "probe": ("robosignal.probe.command", "check a deployment, as robot and as client"),
    "bench": ("robosignal.loadtest.command", "measure a deployment, with many robots and clients"),
    "cost": ("robosignal.cost.command", "estimate what a fleet costs on AWS"),
}
"""Each command's module, which has `add_arguments` and `run`, and what the command is for."""


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
        return 1
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
    for name, (module, purpose) in COMMANDS.items():
        command_parser = commands.add_parser(name, help=purpose)
        if name == chosen:
            command = _import_command(name, module)
            command.add_arguments(command_parser)
            command_parser.set_defaults(run=command.run)
    return parser


def _import_command(name: str, module: str) -> ModuleType:
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        # A robot's own extra is named by `robosignal.robot`.
        raise explain(f"robosignal {name}", "gateway", missing) from missing
