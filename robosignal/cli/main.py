"""The command line: `robosignal serve`, `token`, `robot`, `probe`, `bench` and `cost`.

Only the module of the command that runs is imported: `robosignal token` loads no video library.
"""

import argparse
import io
import logging
import sys
from collections.abc import Sequence
from importlib import import_module

from robosignal.cli.arguments import Refused
from robosignal.cli.logs import Lines

COMMANDS = {
    "serve": ("robosignal.cli.serve", "run the backend on this machine"),
    "token": ("robosignal.cli.token", "print a token that signs a user in locally"),
    "robot": ("robosignal.cli.robot", "run a robot with a moving test picture"),
    "probe": ("robosignal.probe.command", "check a deployment, as robot and as client"),
    "bench": ("robosignal.loadtest.command", "measure a deployment, with many robots and clients"),
    "cost": ("robosignal.cost.command", "estimate what a fleet costs on AWS"),
}
"""Each command's module, which has `add_arguments` and `run`, and what the command is for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    asked = _make_parser(words).parse_args(words)
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
    """Return a parser that knows every command, and the arguments of the one in these words."""
    parser = argparse.ArgumentParser(
        prog="robosignal", description="Signaling for people who drive robots over WebRTC."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    # The command is the first word that is no option: the program itself has none with a value.
    chosen = next((word for word in words if not word.startswith("-")), None)
    for name, (module, purpose) in COMMANDS.items():
        command_parser = commands.add_parser(name, help=purpose)
        if name == chosen:
            command = import_module(module)
            command.add_arguments(command_parser)
            command_parser.set_defaults(run=command.run)
    return parser
