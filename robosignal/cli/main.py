"""The command line: `robosignal serve`, `token`, `robot`, `probe`, `bench` and `cost`.

Owns the list of commands and their exit codes; must never know what a command's arguments are.
Commands import what is heavy when they run: `robosignal token` loads no video library.
"""

import argparse
import io
import logging
import sys
from collections.abc import Sequence

from robosignal.cli import robot, serve, token
from robosignal.cli.arguments import Refused
from robosignal.cli.logs import Lines
from robosignal.cost import command as cost
from robosignal.loadtest import command as bench
from robosignal.probe import command as probe

COMMANDS = {
    "serve": (serve, "run the backend on this machine"),
    "token": (token, "print a token that signs a user in locally"),
    "robot": (robot, "be a robot with a moving test picture"),
    "probe": (probe, "try a deployment, as robot and as client"),
    "bench": (bench, "measure a deployment, with many robots and clients"),
    "cost": (cost, "estimate what a fleet costs on AWS"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    asked = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Lines appear as they are printed, also when they go to a file or a pipe.
        sys.stdout.reconfigure(line_buffering=True)
    lines = logging.StreamHandler(sys.stdout)
    lines.setFormatter(Lines("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[lines])
    try:
        code: int = asked.command(asked)
    except Refused as refused:
        sys.stderr.write(f"robosignal: {refused}\n")
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="robosignal", description="Signaling for people who drive robots over WebRTC."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (command, purpose) in COMMANDS.items():
        its_parser = commands.add_parser(name, help=purpose)
        command.add_arguments(its_parser)
        its_parser.set_defaults(command=command.run)
    return parser
