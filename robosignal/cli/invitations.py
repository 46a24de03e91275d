"""`robosignal invite` makes codes by which users get a share; `robosignal accept` accepts one."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any

import msgspec

from robosignal.cli import arguments, code, lines, server
from robosignal.cli.arguments import Refused
from robosignal.cli.changes import MAY, add_terms, read_terms
from robosignal.cli.progress import Progress
from robosignal.cli.server import Done, NotDone, Server
from robosignal.history.times import format_time
from robosignal.protocol.limits import INVITATION_SECONDS, LONGEST_CODE_SECONDS, SHARES

SHORTEST_SECONDS = 60


class Invite:
    """Makes an invitation to each robot."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the arguments of `run`."""
        add = parser.add_argument
        add("robots", type=arguments.identifier, nargs="*", metavar="ROBOT", help="each robot's id")
        add("--file", metavar="FILE", help="a file with ROBOT on each line; - reads input")
        add_terms(parser)
        add(
            "--ttl",
            type=arguments.length(SHORTEST_SECONDS, LONGEST_CODE_SECONDS),
            default=INVITATION_SECONDS,
            metavar="TIME",
            help="how long each code lasts, such as 8h, at most 30d (default: 7d)",
        )
        add(
            "--uses",
            type=arguments.whole(1, SHARES),
            default=1,
            metavar="N",
            help=f"how many users each code invites, at most {SHARES} (default: 1)",
        )
        server.add_arguments(parser)

    @staticmethod
    def run(asked: argparse.Namespace, say: Callable[[str], object] = print) -> int:
        """Print each code; return 0, or 1 if some were refused. Raise Refused."""
        messages = _messages(asked)
        access = server.read_access(asked, os.environ)
        with closing(Progress(sys.stderr)) as progress:
            outcome = asyncio.run(code.ask_all(access, messages, progress))
        if len(messages) > 1 and outcome.done and not asked.json:
            say("\n".join(code.format_codes(outcome)))
        return lines.report(outcome, _describe, say, as_json=asked.json)


def _messages(asked: argparse.Namespace) -> list[dict[str, Any]]:
    if bool(asked.robots) == (asked.file is not None):
        raise Refused("give either ROBOT, one or several, or --file")
    robots = list(dict.fromkeys(asked.robots))
    if asked.file is not None:
        found = lines.read_lines(asked.file, {"ROBOT": arguments.identifier})
        robots = [each["ROBOT"] for each in found]
    terms = {**read_terms(asked), "ttlSeconds": asked.ttl, "uses": asked.uses}
    return [{"type": "invite", "robotId": each, **terms} for each in robots]


def _describe(done: Done) -> str:
    message, made = done.message, done.reply["code"]
    until = message.get("until")
    ends = "" if until is None else f", until {format_time(until)}"
    uses = message["uses"]
    return "\n".join(
        (
            f"code  {made}",
            f"for   {uses} users" if uses > 1 else "for   one user",
            f"to    {MAY[message.get('role', 'operator')]} {message['robotId']}{ends}",
            f"ends  {format_time(done.reply['expiresAt'])}",
            "",
            "Send it as you would send a password. To accept it, its user types:",
            f"    robosignal accept {made}",
        )
    )


class Accept:
    """Accepts an invitation."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the arguments of `run`."""
        parser.add_argument(
            "code", type=arguments.code, metavar="CODE", help="the code of the invitation"
        )
        server.add_arguments(parser)

    @staticmethod
    def run(asked: argparse.Namespace, say: Callable[[str], object] = print) -> int:
        """Print what the user may do now, and return 0. Raise Refused."""
        answer = asyncio.run(_accept(server.read_access(asked, os.environ), asked.code))
        if isinstance(answer, NotDone):
            raise Refused(f"{answer.code}: {answer.why}")
        found = {name: answer.reply[name] for name in ("robotId", "role")}
        if asked.json:
            say(msgspec.json.format(msgspec.json.encode(found)).decode())
        else:
            say(f"You may {MAY[found['role']]} {found['robotId']} now.")
        return 0


async def _accept(access: server.Access, typed: str) -> Done | NotDone:
    async with Server(access) as asking:
        return await asking.ask({"type": "accept", "code": typed})


invite = Invite()
accept = Accept()
