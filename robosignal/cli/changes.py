"""The commands that change who may do what: `share`, `unshare`, `transfer`, `forget` and the keys'.

Each changes one robot, or with `--file` one a line.
"""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from robosignal.cli import arguments, lines, server
from robosignal.cli.arguments import Refused
from robosignal.cli.progress import Progress
from robosignal.cli.server import Done, NotDone, Outcome, Server
from robosignal.history.times import read_end
from robosignal.protocol.device_keys import KID_PATTERN

_FINGERPRINT = re.compile(r"[0-9a-f]{4}(?::[0-9a-f]{4}){4}")

Message = dict[str, Any]

MAY = {"operator": "drive", "viewer": "view"}
"""What a role lets its user do."""


def _key(text: str) -> str:
    """Read a key's id, or its fingerprint."""
    if not re.search(KID_PATTERN, text) and not _FINGERPRINT.fullmatch(text.lower()):
        raise argparse.ArgumentTypeError(
            "must be a key's fingerprint or id, as robosignal keys ROBOT prints them"
        )
    return text


@dataclass(frozen=True, slots=True)
class Column:
    """An argument, and a column of the file: its name, how it is read, and its message's field."""

    name: str
    field: str
    read: Callable[[str], str]
    help: str


ROBOT = Column("ROBOT", "robotId", arguments.identifier, "the robot's id")
USER = Column("USER", "userId", arguments.user, "the user's id, the claim `sub` of their tokens")
OWNER = Column("USER", "userId", arguments.user, "the next owner's id, the claim `sub`")
KEY = Column("KEY", "kid", _key, "the key's fingerprint or id, as `robosignal keys` prints them")


def add_terms(parser: argparse.ArgumentParser) -> None:
    """Declare the terms of a share."""
    add = parser.add_argument
    add(
        "--role",
        choices=("operator", "viewer"),
        help="operator may drive; viewer may only view (default: operator)",
    )
    add(
        "--until",
        type=read_end,
        metavar="TIME",
        help='when the share ends, such as 7d, or "2027-01-31 14:00" (default: never)',
    )


def read_terms(asked: argparse.Namespace) -> Message:
    """Return the fields of the terms that were given."""
    given = {"role": asked.role, "until": asked.until}
    return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Change:
    """One command. `type` is its message's; `done` says what it did, by the message's fields."""

    type: str
    columns: tuple[Column, ...]
    done: str
    asks: str | None = None
    """What a terminal is asked before: `{}` is which robots. None: it is never asked."""
    asks_for_one: bool = True
    has_file: bool = True
    everywhere: bool = False
    """Whether `--user` does it to every robot of the owner."""
    has_group: bool = False
    """Whether `--group` may be in the user's place."""
    has_all_keys: bool = False
    """Whether `--all` may be in the key's place."""
    has_terms: bool = False
    """Whether it has `--role` and `--until`."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments of `run`."""
        add = parser.add_argument
        nargs = "?" if self.has_file else None
        for each in self.columns:
            add(each.name.lower(), type=each.read, nargs=nargs, metavar=each.name, help=each.help)
        if self.has_group:
            help_ = "a group of users' tokens, in place of USER"
            add("--group", type=arguments.group, metavar="GROUP", help=help_)
        if self.has_all_keys:
            help_ = "every key of the robot, in place of KEY"
            add("--all", dest="all_keys", action="store_true", help=help_)
        if self.has_terms:
            add_terms(parser)
        if self.has_file:
            shape = ",".join(each.name for each in self.columns)
            add("--file", metavar="FILE", help=f"a file with {shape} on each line; - reads input")
        if self.everywhere:
            add(
                "--user",
                dest="everywhere",
                type=arguments.user,
                metavar="USER",
                help="end all shares of this user, of every robot that you own",
            )
            add("--all", action="store_true", help="with --user: of every robot; for admins")
        if self.asks is not None:
            add("--yes", action="store_true", help="do not ask on the terminal")
        server.add_arguments(parser)

    def run(self, asked: argparse.Namespace, say: Callable[[str], object] = print) -> int:
        """Make the change; return 0, or 1 if it was refused for some. Raise Refused."""
        messages = self._read(asked)
        access = server.read_access(asked, os.environ)
        if messages:
            self._confirm(messages, asked)
        with closing(Progress(sys.stderr)) as progress:
            outcome = asyncio.run(self._change(access, messages, asked, progress))
        return lines.report(outcome, self._describe, say, as_json=asked.json)

    def _read(self, asked: argparse.Namespace) -> list[Message]:
        """Return the messages to send; none for `--user`, which needs the list first."""
        columns, terms = self._columns(asked), self._terms(asked)
        given = [getattr(asked, each.name.lower()) for each in columns]
        file = asked.file if self.has_file else None
        everywhere = self.everywhere and asked.everywhere is not None
        if sum((any(given), file is not None, everywhere)) > 1:
            ways = "--file or --user" if self.everywhere else "--file"
            raise Refused(f"give either {_name_all(columns)}, or {ways}")
        if self.everywhere and asked.all and not everywhere:
            raise Refused("--all goes with --user: give both")
        if everywhere:
            return []
        if file is not None:
            read = {each.name: each.read for each in columns}
            found = lines.read_lines(file, read)
            return [self._message(columns, each, terms) for each in found]
        if not all(given):
            raise Refused(f"give {_name_all(columns)}" + (", or --file" if self.has_file else ""))
        names = (each.name for each in columns)
        return [self._message(columns, dict(zip(names, given, strict=True)), terms)]

    def _columns(self, asked: argparse.Namespace) -> tuple[Column, ...]:
        """Return the columns to give: with `--group` there is no user, with `--all` no key."""
        if self.has_all_keys and asked.all_keys:
            if asked.key is not None:
                raise Refused("give either KEY or --all")
            return tuple(each for each in self.columns if each is not KEY)
        if not self.has_group or asked.group is None:
            return self.columns
        if asked.user is not None:
            raise Refused("give either USER or --group")
        if self.everywhere and asked.everywhere is not None:
            raise Refused("give either --group or --user")
        return tuple(each for each in self.columns if each is not USER)

    def _terms(self, asked: argparse.Namespace) -> Message:
        """Return the fields that every message has."""
        found: Message = (
            {"group": asked.group} if self.has_group and asked.group is not None else {}
        )
        found |= {"all": True} if self.has_all_keys and asked.all_keys else {}
        return found | (read_terms(asked) if self.has_terms else {})

    def _message(
        self, columns: Sequence[Column], cells: Mapping[str, str], terms: Message
    ) -> Message:
        fields = {each.field: cells[each.name] for each in columns}
        return {"type": self.type, **fields, **terms}

    def _confirm(self, messages: Sequence[Message], asked: argparse.Namespace) -> None:
        if self.asks is None or (len(messages) == 1 and not self.asks_for_one):
            return
        which = messages[0]["robotId"] if len(messages) == 1 else f"{len(messages)} robots"
        user = messages[0].get("userId") if len(messages) == 1 else "the users of the file"
        what = self.asks.format(which, user=user)
        lines.confirm(what, is_sure=asked.yes, stdin=sys.stdin, stderr=sys.stderr)

    async def _change(
        self,
        access: server.Access,
        messages: list[Message],
        asked: argparse.Namespace,
        progress: Progress,
    ) -> Outcome:
        async with Server(access) as asking:
            if self.everywhere and asked.everywhere is not None:
                listed = await asking.list_robots(all_robots=asked.all)
                messages = [
                    {"type": self.type, "robotId": each["robotId"], "userId": asked.everywhere}
                    for each in listed
                    if each["relation"] in ("owner", "admin")
                ]
            unknown: list[NotDone] = []
            if KEY in self.columns:
                messages, unknown = await _find_keys(asking, messages)

            def show(done: int, refused: int) -> None:
                count = f"{done + refused} of {len(messages)}"
                progress.show(f"{self.type}: {count}, {refused} refused")

            outcome = await asking.ask_all(messages, show)
        return replace(outcome, refused=[*unknown, *outcome.refused])

    def _describe(self, done: Done) -> str:
        said = OFFERED if self.has_terms and _is_offered(done) else self.done
        return lines.tell_untold(done, said.format(**done.message, **_people(done)))


def _name_all(columns: Sequence[Column]) -> str:
    return " and ".join(each.name for each in columns)


OFFERED = "{robotId} is offered to {grantee}, who may {may} it once they accept it in the console"
"""What `share` has done for a user who has no share of the robot yet."""


def _is_offered(done: Done) -> bool:
    user = done.message.get("userId")
    shares = done.reply.get("shares") or []
    return any(
        user is not None and each.get("userId") == user and each.get("offered") for each in shares
    )


def _people(done: Done) -> dict[str, str]:
    operators = done.reply.get("operators") or []
    group = done.message.get("group")
    grantee = str(done.message.get("userId")) if group is None else f"the group {group}"
    kid = done.message.get("kid")
    key = "any of its old keys" if kid is None else f"key {kid}"
    may = MAY[done.message.get("role", "operator")]
    return {
        "operators": ", ".join(operators) or "none",
        "grantee": grantee,
        "key": key,
        "may": may,
    }


async def _find_keys(
    asking: Server, messages: Sequence[Message]
) -> tuple[list[Message], list[NotDone]]:
    """Return the messages with keys' ids for their fingerprints, and those that have none."""
    found: list[Message] = []
    unknown: list[NotDone] = []
    for message in messages:
        fingerprint = message.get("kid", "").lower()
        if not _FINGERPRINT.fullmatch(fingerprint):
            found.append(message)
            continue
        answer = await asking.ask({"type": "keys", "robotId": message["robotId"]})
        if isinstance(answer, NotDone):
            unknown.append(NotDone(message, answer.code, answer.why))
            continue
        kids = [each["kid"] for each in answer.reply["keys"] if each["fingerprint"] == fingerprint]
        if kids:
            found.append({**message, "kid": kids[0]})
        else:
            why = f"the robot has no such key: see robosignal keys {message['robotId']}"
            unknown.append(NotDone(message, "no_such_key", why))
    return found, unknown


share = Change(
    "share",
    (ROBOT, USER),
    "{robotId} is shared with {grantee}; operators: {operators}",
    has_group=True,
    has_terms=True,
)
unshare = Change(
    "unshare",
    (ROBOT, USER),
    "{robotId} is not shared with {grantee}; operators: {operators}",
    everywhere=True,
    has_group=True,
)
transfer = Change(
    "transfer",
    (ROBOT, OWNER),
    "{robotId} is {userId}'s now",
    asks="This gives {} to {user}, and ends every session",
)
forget = Change(
    "forget",
    (ROBOT,),
    "{robotId} is forgotten",
    asks="This removes all trace of {}: owner, shares and keys",
)
approve_key = Change(
    "approve-key", (ROBOT, KEY), "{robotId} may connect with key {kid}", has_file=False
)
revoke_key = Change(
    "revoke-key",
    (ROBOT, KEY),
    "{robotId} cannot connect with {key} any more",
    asks="This ends the keys of {} for good",
    asks_for_one=False,
    has_all_keys=True,
)
