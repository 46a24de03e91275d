"""The history of a deployment: real audit lines in CloudWatch Logs, read by real queries.

moto keeps the log and answers the queries, but applies neither their filter nor more than 10,000
lines; what it ignores is filtered by the reader too. How AWS judges the query is checked by the
fields that it names: each must be in a real line.
"""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from robosignal.gateway.store import LocalStore
from robosignal.history.found import Found, Question, SourceFailed
from robosignal.history.log_group import LONGEST_MS, read_audit, read_log_group
from robosignal.protocol.ids import RobotId
from robosignal.server.audit import audit_log
from robosignal.server.aws.insights import AuditLog, InsightsFailed, make_query
from robosignal.server.clock import epoch_ms
from tests.tokens import signer
from tests.world import World

GROUP = "/robosignal/test"
HOUR_MS = 3600 * 1000
PAGE = Path(__file__).parents[3] / "docs" / "howto" / "history.md"


class AsLambda(logging.Handler):
    """Writes records as Lambda's runtime does in its JSON format, and keeps them with their time.

    Source: docs.aws.amazon.com, "Using Lambda advanced logging controls with Python".
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._plain = frozenset(vars(logging.makeLogRecord({})))
        self.events: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        own = {name: each for name, each in vars(record).items() if name not in self._plain}
        said = {
            "timestamp": "2027-01-15T08:00:00Z",
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": "6a1b5c3e",
            **own,
        }
        self.events.append({"timestamp": self._world.now, "message": json.dumps(said)})


@pytest.fixture
def logged(local_store: LocalStore) -> Iterator[tuple[World, AsLambda]]:
    """A world whose audit lines are kept as AWS would."""
    world = World(local_store, signer())
    # CloudWatch Logs takes no events of the future, nor any older than two weeks.
    world.now = epoch_ms() - 48 * HOUR_MS
    handler = AsLambda(world)
    level = audit_log.level
    audit_log.setLevel(logging.INFO)
    audit_log.addHandler(handler)
    yield world, handler
    audit_log.removeHandler(handler)
    audit_log.setLevel(level)


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """CloudWatch Logs on moto, with the group."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        client = boto3.client("logs")
        client.create_log_group(logGroupName=GROUP)
        client.create_log_stream(logGroupName=GROUP, logStreamName="s")
        yield client
        # moto forgets it only if no other fixture of this process uses moto meanwhile.
        client.delete_log_group(logGroupName=GROUP)


def play(world: World) -> tuple[int, int]:
    """Drive, view, take over, lapse; return a time in the first drive, and one in the second."""
    world.robot("r1", "owner")
    world.robot("r2", "owner")
    owner, boss = world.connect("owner"), world.connect("boss", groups=["ADMINS"])
    owner.offer()
    world.connect("ann", groups=["ADMINS"]).offer("r2")
    world.pass_seconds(20)
    first = world.now
    boss.offer(role="viewer")
    world.pass_seconds(20)
    boss.ask(type="takeover", robotId="r1")
    world.pass_seconds(10)
    second = world.now
    boss.disconnect()
    return first, second


def put(client: Any, handler: AsLambda) -> None:
    """Write the lines, and what else a function logs."""
    others = [{**each, "message": "START RequestId: 6a1b"} for each in handler.events]
    events = sorted([*handler.events, *others], key=lambda each: each["timestamp"])
    client.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=events)


def find(world: World, at: int, robot: str = "r1", **more: Any) -> Found:
    """Return who was there at a time, by way of AWS."""
    question = Question(RobotId(robot), at, at, world.now, **more)
    return read_log_group(GROUP, None, question, lambda _: None)


def told(found: Found) -> list[tuple[str, str, str | None]]:
    """Return who, in which role, and why it ended."""
    return [(each.user_id, each.role, each.reason) for each in found.intervals]


def test_who_drove_at_a_time_is_in_the_log(logged: tuple[World, AsLambda], logs: Any) -> None:
    """The driver, the viewer, and no one of another robot."""
    world, handler = logged
    first, second = play(world)
    world.pass_seconds(60)
    put(logs, handler)

    assert told(find(world, first + 1)) == [
        ("owner", "controller", "takeover"),
        ("boss", "viewer", "promoted"),
    ]
    assert told(find(world, second)) == [("boss", "controller", "lapsed")]
    assert told(find(world, first, role="viewer", robot="r2")) == []


def test_a_beginning_of_hours_ago_is_found(logged: tuple[World, AsLambda], logs: Any) -> None:
    """The span that is read grows until the session's first line is in it."""
    world, handler = logged
    world.robot("r1", "owner")
    owner = world.connect("owner", ttl_s=80_000)
    session = owner.offer()["sessionId"]
    began = world.now
    for _ in range(5):
        world.pass_seconds(3600)
        owner = world.connect("owner", ttl_s=80_000)
        owner.ask(type="resume", sessionId=session)
    put(logs, handler)

    (interval,) = find(world, world.now - 60_000).intervals

    assert (interval.since, interval.since_known, interval.until) == (began, True, None)
    assert world.now - began > LONGEST_MS


def test_an_end_of_hours_later_is_found(logged: tuple[World, AsLambda], logs: Any) -> None:
    """It is not said to last still because its end was not read."""
    world, handler = logged
    world.robot("r1", "owner")
    owner = world.connect("owner", ttl_s=80_000)
    session = owner.offer()["sessionId"]
    at = world.now + 1000
    for _ in range(5):
        world.pass_seconds(3600)
        owner = world.connect("owner", ttl_s=80_000)
        owner.ask(type="resume", sessionId=session)
    owner.ask(type="bye", sessionId=session)
    ended = world.now
    world.pass_seconds(20 * 3600)
    put(logs, handler)

    (interval,) = find(world, at).intervals

    assert (interval.until, interval.reason) == (ended, "left")


def test_a_missing_group_says_where_its_name_is(logs: Any) -> None:
    """Nothing of the error's own text, which names no remedy."""
    assert logs is not None
    question = Question(RobotId("r1"), 0, 1000, 1000)

    with pytest.raises(SourceFailed, match="the stack's output LogGroupName"):
        read_log_group("/none", None, question, lambda _: None)


class Paged:
    """Answers as Logs Insights does for more than 10,000 lines, after a while."""

    def __init__(self, events: list[dict[str, Any]], status: str = "Complete") -> None:
        self._events = events
        self._status = status
        self._asked: list[dict[str, Any]] = []
        self._waits = 2

    def start_query(self, **asked: Any) -> dict[str, Any]:
        """Keep what is asked."""
        self._asked.append(asked)
        return {"queryId": str(len(self._asked) - 1)}

    def get_query_results(self, *, queryId: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        """Return the first lines of the span, once it is done."""
        self._waits -= 1
        if self._waits > 0:
            return {"status": "Running", "results": [], "statistics": {"bytesScanned": 5e6}}
        asked = self._asked[int(queryId)]
        rows = [
            [{"field": "@message", "value": each["message"]}]
            for each in self._events
            if asked["startTime"] * 1000 <= each["timestamp"] <= asked["endTime"] * 1000
        ]
        return {"status": self._status, "results": rows[: asked["limit"]]}

    def describe_log_groups(self, **_: Any) -> dict[str, Any]:
        """Return the group's retention."""
        return {"logGroups": [{"logGroupName": GROUP, "retentionInDays": 30}]}


def test_more_lines_than_one_query_returns_are_read(logged: tuple[World, AsLambda]) -> None:
    """The next query goes on in the second at which the last one ended."""
    world, handler = logged
    play(world)
    events = [
        {**each, "message": each["message"].replace('"r1', f'"s{number}'), "timestamp": at}
        for number in range(1500)
        for each in handler.events
        for at in [json.loads(each["message"])["at"]]
    ]
    events.sort(key=lambda each: each["timestamp"])
    said: list[str] = []
    log = AuditLog(Paged(events), GROUP, said.append, lambda _: None)

    lines = log.read(None, 0, world.now)

    assert len(events) > 10_000
    assert {json.dumps(each["message"]) for each in events}
    assert len({(line.robot, line.rev, line.write) for line in lines}) == len(
        {
            tuple(json.loads(each["message"])[name] for name in ("robot", "rev", "write"))
            for each in events
        }
    )
    assert said == ["Logs Insights: running, 5 MB scanned"]


def test_a_query_that_fails_says_so() -> None:
    """And what to try."""
    log = AuditLog(Paged([], "Timeout"), GROUP, lambda _: None, lambda _: None)

    with pytest.raises(InsightsFailed, match="ended as Timeout: try again, or give a shorter span"):
        log.read(None, 0, 1000)


def test_the_group_says_since_when_lines_are_kept() -> None:
    """Its retention; what is before cannot be read, and the reader is told."""
    log = AuditLog(Paged([]), GROUP, lambda _: None, lambda _: None)
    now = 40 * 24 * HOUR_MS

    found = read_audit(log, Question(RobotId("r1"), 0, 1, now))

    assert found.kept_since == 10 * 24 * HOUR_MS


FIELD = re.compile(r"[a-zA-Z@][\w.@]*")
WORDS = frozenset(
    [
        "fields",
        "filter",
        "sort",
        "limit",
        "asc",
        "desc",
        "and",
        "or",
        "in",
        "not",
        "like",
        "as",
        "by",
        "stats",
        "display",
        "is",
        "present",
        "ispresent",
        "latest",
    ]
)


def fields_in(query: str) -> set[str]:
    """Return the fields that a query names: what is neither a word of the language nor text."""
    bare = re.sub(r'"[^"]*"', "", query)
    return {name for name in FIELD.findall(bare) if name.lower() not in WORDS} - {""}


def flattened(value: object, name: str = "") -> Iterator[str]:
    """Yield the names by which Logs Insights knows the parts of a JSON line: `sessions.0.user`."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else None
    )
    if inner is None:
        yield name
        return
    for key, each in inner:
        yield from flattened(each, f"{name}.{key}" if name else str(key))


def queries() -> list[str]:
    """Return the queries of the page, and the command's own."""
    return [
        *re.findall(r"```text\n(fields .*?)```", PAGE.read_text(), re.DOTALL),
        make_query(RobotId("r1")),
    ]


def test_the_queries_name_fields_that_real_lines_have(logged: tuple[World, AsLambda]) -> None:
    """A field that no line has would match nothing, and say nothing."""
    world, handler = logged
    play(world)
    names = {name for each in handler.events for name in flattened(json.loads(each["message"]))}

    assert len(queries()) >= 3
    for query in queries():
        assert fields_in(query) - {"@timestamp", "@message"} <= names, query


def test_a_query_has_the_commands_that_logs_insights_knows() -> None:
    """Each line after the first begins with a bar and one of its commands."""
    for query in queries():
        first, *rest = query.strip().splitlines()
        assert first.startswith("fields ")
        assert all(re.match(r"\| (filter|sort|limit|stats|display) ", each) for each in rest), query
