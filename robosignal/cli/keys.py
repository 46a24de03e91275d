"""`robosignal keys`: the keys by which a robot connects."""

import argparse
import asyncio
import os
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from robosignal.cli import arguments, server
from robosignal.cli.arguments import Refused
from robosignal.cli.tables import format_table
from robosignal.history.times import format_time
from robosignal.server.clock import epoch_ms

HEADS = ("FINGERPRINT", "KEY ID", "ADDED", "BY", "LAST USED", "STATE")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `run`."""
    parser.add_argument("robot", type=arguments.identifier, metavar="ROBOT", help="the robot's id")
    server.add_arguments(parser)


def run(asked: argparse.Namespace, say: Callable[[str], object] = print) -> int:
    """Print the keys, and return 0. Raise Refused."""
    reply = asyncio.run(_ask(server.read_access(asked, os.environ), asked.robot))
    keys = reply["keys"]
    if asked.json:
        found = {"robotId": asked.robot, "keys": keys}
        say(msgspec.json.format(msgspec.json.encode(found)).decode())
    elif keys:
        say("\n".join(format_table(HEADS, [_row(each, epoch_ms()) for each in keys])))
    else:
        say(
            f"{asked.robot} has no key: make a code for it with robosignal code --robot "
            f"{asked.robot}; if it had a key before, with --approve"
        )
    return 0


async def _ask(access: server.Access, robot: str) -> Mapping[str, Any]:
    async with server.Server(access) as asking:
        answer = await asking.ask({"type": "keys", "robotId": robot})
    if isinstance(answer, server.NotDone):
        raise Refused(f"{robot}: {answer.code}: {answer.why}")
    return answer.reply


def _row(key: Mapping[str, Any], now: int) -> tuple[str, ...]:
    used = key.get("lastUsedAt")
    return (
        key["fingerprint"],
        key["kid"],
        format_time(key["addedAt"]),
        key.get("addedBy", "the robot"),
        format_time(used) if used else "never",
        _show_state(key, now),
    )


def _show_state(key: Mapping[str, Any], now: int) -> str:
    if key.get("pending"):
        return "waits for approval"
    if "notAfter" not in key:
        return "valid"
    ended = "ended" if key["notAfter"] <= now else "valid until"
    return f"{ended} {format_time(key['notAfter'])}"
