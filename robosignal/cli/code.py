"""`robosignal code`: a code with which robots enrol themselves, and the line to type on them."""

import argparse
import asyncio
import os
import shlex
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

from robosignal.cli import arguments, lines, server
from robosignal.cli.arguments import Refused
from robosignal.cli.progress import Progress
from robosignal.cli.server import Done, Outcome, Server
from robosignal.cli.tables import format_table
from robosignal.history.times import format_time
from robosignal.protocol.limits import CODE_SECONDS, CODE_USES, LONGEST_CODE_SECONDS

SHORTEST_SECONDS = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `run`."""
    server.add_arguments(parser, positional_url=True)
    which = parser.add_mutually_exclusive_group(required=True).add_argument
    which("--robot", type=arguments.identifier, metavar="ID", help="the robot that it enrols")
    which(
        "--pattern",
        type=arguments.id_pattern,
        metavar="PATTERN",
        help="the robots that it enrols, such as 'rover-*'",
    )
    which("--file", metavar="FILE", help="a code for each id in this file; - reads input")
    add = parser.add_argument
    add(
        "--uses",
        type=arguments.whole(1, CODE_USES),
        default=1,
        metavar="N",
        help=f"with --pattern: how many robots it enrols, at most {CODE_USES} (default: 1)",
    )
    add(
        "--ttl",
        type=arguments.length(SHORTEST_SECONDS, LONGEST_CODE_SECONDS),
        default=CODE_SECONDS,
        metavar="TIME",
        help="how long it lasts, such as 8h, at most 30d (default: 1d)",
    )
    add("--approve", action="store_true", help="keys that come by it wait for your approval")
    add(
        "--owner",
        type=arguments.user,
        metavar="USER",
        help="who owns the robots; for admins (default: you)",
    )


def run(asked: argparse.Namespace, say: Callable[[str], object] = print) -> int:
    """Print the code, or each; return 0, or 1 if some were refused. Raise Refused."""
    if asked.uses > 1 and asked.pattern is None:
        raise Refused("--uses goes with --pattern: a code for one robot has one use")
    messages = _messages(asked)
    access = server.read_access(asked, os.environ)
    with closing(Progress(sys.stderr)) as progress:
        outcome = asyncio.run(ask_all(access, messages, progress))
    if asked.file is not None and outcome.done and not asked.json:
        say("\n".join(format_codes(outcome)))

    def describe(done: Done) -> str:
        return "1 done" if asked.file is not None else _describe(done, access.url)

    return lines.report(outcome, describe, say, as_json=asked.json)


def _messages(asked: argparse.Namespace) -> list[dict[str, Any]]:
    terms: dict[str, Any] = {"type": "create-code", "ttlSeconds": asked.ttl}
    terms |= {"approve": True} if asked.approve else {}
    terms |= {"ownerUserId": asked.owner} if asked.owner is not None else {}
    if asked.pattern is not None:
        return [{**terms, "pattern": asked.pattern, "uses": asked.uses}]
    if asked.robot is not None:
        return [{**terms, "robotId": asked.robot}]
    found = lines.read_lines(asked.file, {"ROBOT": arguments.identifier})
    return [{**terms, "robotId": each["ROBOT"]} for each in found]


async def ask_all(
    access: server.Access, messages: list[dict[str, Any]], progress: Progress
) -> Outcome:
    """Make every code, and show how far that is."""

    def show(done: int, refused: int) -> None:
        progress.show(f"code: {done + refused} of {len(messages)}, {refused} refused")

    async with Server(access) as asking:
        return await asking.ask_all(messages, show)


def format_codes(outcome: Outcome) -> list[str]:
    """Return a table of the codes for single robots, line by line."""
    rows = [
        (each.message["robotId"], each.reply["code"], format_time(each.reply["expiresAt"]))
        for each in outcome.done
    ]
    return format_table(("ROBOT", "CODE", "ENDS"), rows)


def _describe(done: Done, url: str) -> str:
    message, code = done.message, done.reply["code"]
    pattern, uses = message.get("pattern"), message.get("uses", 1)
    robots = f"{uses} robots" if uses > 1 else "one robot"
    which = f"{robots} of {pattern}" if pattern else str(message["robotId"])
    line = f"robosignal robot enroll {shlex.quote(url)} {code}"
    said = [
        f"code  {code}",
        f"for   {which}",
        f"ends  {format_time(done.reply['expiresAt'])}",
        "",
        "On each robot, type:" if uses > 1 else "On the robot, type:",
        f"    {line} --robot-id ID" if pattern else f"    {line}",
    ]
    if message.get("approve"):
        said += ["", "Then compare the fingerprint that it shows, and let its key in:"]
        said += [f"    robosignal approve-key {message.get('robotId', 'ID')} FINGERPRINT"]
    return "\n".join(said)
