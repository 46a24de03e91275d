"""`robosignal history`: prints who drove and who viewed a robot, from one of three sources."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from robosignal.cli import arguments, server
from robosignal.cli.arguments import Refused
from robosignal.cli.progress import Progress
from robosignal.extras import explain
from robosignal.history.found import Found, Question, SourceFailed
from robosignal.history.report import format_json, format_text
from robosignal.history.times import read_time
from robosignal.server.clock import epoch_ms

DAYS = 7
NOT_FOUND = 3
"""The exit code if no interval was found."""

Say = Callable[[str], object]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `run`."""
    add = parser.add_argument
    add(
        "robot",
        type=arguments.identifier,
        nargs="?",
        metavar="ROBOT",
        help="the robot's id (default: every robot; with --url it is needed)",
    )
    add("--at", type=read_time, metavar="TIME", help="who was there at this time")
    add(
        "--from",
        dest="since",
        type=read_time,
        metavar="TIME",
        help=f"who was there from this time on (default: {DAYS} days before --until)",
    )
    add("--until", type=read_time, metavar="TIME", help="and up to this time (default: now)")
    add("--user", type=arguments.user, metavar="USER", help="this user alone")
    add("--role", choices=("controller", "viewer"), help="drivers alone, or viewers alone")
    add(
        "--state",
        type=arguments.directory,
        metavar="DIR",
        help=f"read the state directory of a server on this machine (default: {arguments.STATE})",
    )
    add(
        "--log-group",
        type=arguments.word,
        metavar="NAME",
        help="read the audit log of a deployment on AWS, with CloudWatch Logs Insights",
    )
    add("--region", type=arguments.word, help="the log group's Region (default: the environment's)")
    add(
        "--url",
        type=arguments.websocket_url,
        help="ask a running server on one machine, as the robot's owner or as an admin",
    )
    server.add_user(parser)


def run(asked: argparse.Namespace, say: Say = print) -> int:
    """Print what is found; return 0, or 3 if that is no interval. Raise Refused."""
    question = _make_question(asked, epoch_ms())
    with closing(Progress(sys.stderr)) as progress:
        try:
            found = _read(asked, question, progress.show)
        except SourceFailed as failed:
            raise Refused(str(failed)) from failed
    say(format_json(found) if asked.json else format_text(found, question))
    return 0 if found.intervals else NOT_FOUND


def _make_question(asked: argparse.Namespace, now: int) -> Question:
    if asked.at is not None and (asked.since is not None or asked.until is not None):
        raise Refused("--at is one time, --from and --until are a span: give one or the other")
    until = asked.at if asked.at is not None else now if asked.until is None else asked.until
    since = asked.at if asked.at is not None else asked.since
    if since is None:
        since = until - DAYS * 24 * 60 * 60 * 1000
    if since > until:
        raise Refused("--from is after --until: exchange them")
    if since > now:
        raise Refused("that time is in the future: give a time that has passed")
    return Question(asked.robot, since, until, now, user_id=asked.user, role=asked.role)


def _read(asked: argparse.Namespace, question: Question, show: Say) -> Found:
    given = [name for name in ("state", "log_group", "url") if getattr(asked, name) is not None]
    if len(given) > 1:
        raise Refused("--state, --log-group and --url are three sources: give one of them")
    if asked.region is not None and asked.log_group is None:
        raise Refused("--region goes with --log-group: give both")
    if asked.log_group is not None:
        return _read_insights(asked, question, show)
    if asked.url is not None:
        from robosignal.history.server import ask_server  # noqa: PLC0415 - as it is needed

        access = server.read_access(asked, os.environ)
        return asyncio.run(ask_server(access, question, show))
    from robosignal.history.state import read_state  # noqa: PLC0415 - as it is needed

    state = arguments.STATE if asked.state is None else asked.state
    if state == arguments.IN_MEMORY:
        raise Refused("--state :memory: keeps nothing: ask the running server with --url")
    return read_state(Path(state), question)


def _read_insights(asked: argparse.Namespace, question: Question, show: Say) -> Found:
    try:
        from robosignal.history.log_group import read_log_group  # noqa: PLC0415 - as it is needed
    except ModuleNotFoundError as missing:
        raise Refused(str(explain("robosignal history --log-group", "aws", missing))) from missing
    return read_log_group(asked.log_group, asked.region, question, show)
