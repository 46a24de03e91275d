"""Reads the audit log of a deployment with CloudWatch Logs Insights.

The handler never does this: a query takes seconds, and costs by the bytes that it scans. The
command line does.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from robosignal.protocol.ids import RobotId
from robosignal.server.audit import audit_log
from robosignal.server.core.intervals import Line

MOST_LINES = 10_000
"""How many lines one query returns at most (CloudWatch Logs quotas, StartQuery)."""

PAUSE_S = 0.5
RUNNING = frozenset({"Scheduled", "Running", "Unknown"})


class InsightsFailed(Exception):
    """The log group could not be read. The text says why, and what to do."""


class Logs(Protocol):
    """The part of boto3's client that this needs."""

    def start_query(self, **asked: Any) -> Mapping[str, Any]:
        """Start a query."""

    def get_query_results(self, *, queryId: str) -> Mapping[str, Any]:  # noqa: N803 - boto3's name
        """Return a query's state, and its results so far."""

    def describe_log_groups(self, **asked: Any) -> Mapping[str, Any]:
        """Return log groups by the beginning of their names."""


def make_logs_client(region: str | None) -> Logs:
    """Return a client of CloudWatch Logs. Raise InsightsFailed without a Region."""
    try:
        config = Config(retries={"mode": "standard", "total_max_attempts": 5})
        client: Logs = boto3.client("logs", region_name=region, config=config)
    except (BotoCoreError, ClientError) as error:
        raise _explain(error) from error
    return client


def make_query(robot_id: RobotId | None) -> str:
    """Return the query for the audit lines of a robot, or of every robot: the oldest first."""
    which = "" if robot_id is None else f" and robot = {json.dumps(robot_id)}"
    return "\n".join(
        (
            "fields @timestamp, @message",
            f"| filter logger = {json.dumps(audit_log.name)}{which}",
            "| sort @timestamp asc",
            f"| limit {MOST_LINES}",
        )
    )


class AuditLog:
    """The audit log of one deployment."""

    def __init__(
        self,
        client: Logs,
        log_group: str,
        say: Callable[[str], object],
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        """`say` is told how far a query is; `pause` waits, in seconds, between two looks at it."""
        self._client = client
        self._log_group = log_group
        self._say = say
        self._pause = pause

    def find_kept_since(self, now: int) -> int | None:
        """Return since when lines are kept (epoch ms); None for ever, or if that is not known."""
        try:
            found = self._client.describe_log_groups(logGroupNamePrefix=self._log_group)
        except (BotoCoreError, ClientError):
            return None  # the right to describe it is not needed to query it
        for group in found.get("logGroups", ()):
            if group.get("logGroupName") == self._log_group and "retentionInDays" in group:
                return now - int(group["retentionInDays"]) * 24 * 60 * 60 * 1000
        return None

    def read(self, robot_id: RobotId | None, since: int, until: int) -> list[Line]:
        """Return a robot's lines in a span (epoch ms), of every robot for None.

        Raise InsightsFailed.
        """
        query = make_query(robot_id)
        start, end = since // 1000, until // 1000 + 1
        lines: list[Line] = []
        while True:
            rows = self._run(query, start, end)
            lines += [line for row in rows if (line := _read_line(row)) is not None]
            if len(rows) < MOST_LINES:
                break
            # What the next page has of the same second is doubled, which is harmless.
            following = max(line.at for line in lines) // 1000
            if following <= start:
                raise InsightsFailed(
                    f"more than {MOST_LINES} audit lines in one second: name one robot"
                )
            start = following
        return [line for line in lines if robot_id is None or line.robot == robot_id]

    def _run(self, query: str, start: int, end: int) -> Sequence[Any]:
        try:
            query_id = self._client.start_query(
                logGroupName=self._log_group,
                startTime=start,
                endTime=end,
                queryString=query,
                limit=MOST_LINES,
            )["queryId"]
            while True:
                answer = self._client.get_query_results(queryId=query_id)
                status = answer["status"]
                if status not in RUNNING:
                    break
                scanned = answer.get("statistics", {}).get("bytesScanned", 0)
                self._say(f"Logs Insights: {status.lower()}, {scanned / 1e6:.0f} MB scanned")
                self._pause(PAUSE_S)
        except (BotoCoreError, ClientError) as error:
            raise _explain(error) from error
        if status != "Complete":
            raise InsightsFailed(f"the query ended as {status}: try again, or give a shorter span")
        results: Sequence[Any] = answer["results"]
        return results


class _Entry(Line, frozen=True, kw_only=True):
    """A line as Lambda's runtime writes it, with the logger's name and fields of its own."""

    logger: str | None = None


def _read_line(row: Sequence[Mapping[str, str]]) -> Line | None:
    """Return the audit line of a result; None if it is none, or one of before `sessions`."""
    message = next((each["value"] for each in row if each.get("field") == "@message"), "")
    try:
        entry = msgspec.json.decode(message, type=_Entry)
    except msgspec.MsgspecError:
        return None
    if entry.logger != audit_log.name:
        return None
    return Line(**{name: getattr(entry, name) for name in Line.__struct_fields__})


def _explain(error: BotoCoreError | ClientError) -> InsightsFailed:
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        if code == "ResourceNotFoundException":
            return InsightsFailed(
                "there is no such log group in this Region: the stack's output LogGroupName has "
                "its name, and --region the Region"
            )
        if "AccessDenied" in code:
            return InsightsFailed(
                "these credentials may not read it: they need logs:StartQuery and "
                "logs:GetQueryResults on the log group"
            )
        return InsightsFailed(f"CloudWatch Logs refused the query ({code}): try again")
    name = type(error).__name__
    if name == "NoRegionError":
        return InsightsFailed("no Region: give --region, or set AWS_REGION")
    if name in ("NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"):
        return InsightsFailed("no AWS credentials: set them up as for the AWS CLI (aws configure)")
    return InsightsFailed(f"CloudWatch Logs was not reached ({name}): check network and --region")
