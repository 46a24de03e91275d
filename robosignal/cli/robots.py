"""`robosignal robots`: a user's robots, or all, with when each was last seen and its keys."""

import argparse
import asyncio
import os
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from robosignal.cli import arguments, server
from robosignal.cli.tables import format_table, show_name
from robosignal.history.times import format_time
from robosignal.server.clock import epoch_ms

HEADS = ("ROBOT", "OWNER", "ONLINE", "LAST SEEN", "DRIVER", "KEYS")
LONGEST_SECONDS = 3650 * 86_400

Entry = Mapping[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `run`."""
    server.add_arguments(parser)
    add = parser.add_argument
    add(
        "--offline-for",
        type=arguments.length(1, LONGEST_SECONDS),
        metavar="TIME",
        help="those alone that have been offline for so long, such as 12h or 7d; a robot that has"
        " never registered is one of them",
    )
    add("--all", action="store_true", help="every robot, of all owners; for admins")


def run(asked: argparse.Namespace, say: Callable[[str], object] = print) -> int:
    """Print the list, and return 0. Raise Refused."""
    entries = asyncio.run(_list(server.read_access(asked, os.environ), all_robots=asked.all))
    now = epoch_ms()
    if asked.offline_for is not None:
        entries = [each for each in entries if _is_offline(each, now - asked.offline_for * 1000)]
    if asked.json:
        say(msgspec.json.format(msgspec.json.encode({"robots": entries})).decode())
    elif entries:
        say("\n".join(format_table(HEADS, [_row(each) for each in entries])))
    else:
        say("No robot." if asked.offline_for is None else "No robot has been offline for so long.")
    return 0


async def _list(access: server.Access, *, all_robots: bool) -> list[dict[str, Any]]:
    async with server.Server(access) as asking:
        return await asking.list_robots(all_robots=all_robots)


def _is_offline(entry: Entry, since: int) -> bool:
    """Say whether a robot was not seen since that time (epoch ms)."""
    return not entry["online"] and entry.get("lastSeenAt", 0) <= since


def _row(entry: Entry) -> tuple[str, ...]:
    return (
        entry["robotId"],
        show_person(entry["owner"]),
        "yes" if entry["online"] else "no",
        _show_seen(entry),
        show_person(entry["controlledBy"]) if "controlledBy" in entry else "",
        _show_keys(entry),
    )


def show_person(person: Entry) -> str:
    """Return a user's id, and the name in quotes that no name can contain."""
    name = person.get("name")
    return f"{person['userId']} “{show_name(name)}”" if name else str(person["userId"])


def _show_seen(entry: Entry) -> str:
    if entry["online"]:
        return "now"
    if "lastSeenAt" in entry:
        return format_time(entry["lastSeenAt"])
    # A server of before tells no time, nor keys. To enrol or to register sets the revision.
    return "not known" if entry["rev"] and "keys" not in entry else "never"


def _show_keys(entry: Entry) -> str:
    if entry["relation"] not in ("owner", "admin"):
        return ""
    keys = entry.get("keys")
    if keys is None:
        return "none"
    used, pending = keys.get("lastUsedAt"), keys.get("pending", 0)
    parts = [str(keys["count"])]
    parts += [f"{pending} waiting"] if pending else []
    parts += [f"used {format_time(used)}"] if used else ["never used"]
    return ", ".join(parts)
