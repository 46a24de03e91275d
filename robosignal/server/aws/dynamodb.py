"""The store on DynamoDB: two tables, conditional writes, consistent reads.

This process remembers items of connections whose dialect cannot change any more, up to a number,
and for a few seconds which users have no watching connection. It never remembers that an item is
missing.
"""

from collections.abc import Iterator, Sequence
from os import urandom
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from robosignal.protocol.errors import TryAgain
from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.protocol.limits import ROW_SECONDS, SECOND_LOOK_SECONDS, WATCHERS
from robosignal.server.aws.calls import call_aws, pause_between_tries
from robosignal.server.aws.expressions import Rendered, marshal, unmarshal_item
from robosignal.server.core.conditional_writes import Condition, Put, Write, apply
from robosignal.server.core.records import (
    Code,
    Connection,
    Invitation,
    Robot,
    code_key,
    group_key,
    offer_key,
    robot_from_item,
)
from robosignal.server.core.steps import ConditionFailed, Page, Watcher, Written
from robosignal.server.core.writes.attributes import STAMP, add_stamp
from robosignal.server.core.writes.connections import WATCHER, connection_item
from robosignal.server.deadline import allowance
from robosignal.server.limits.bounded import Bounded, Recent

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Used = TypeVar("Used", Code, Invitation)

KNOWN = 10_000
BATCH_TRIES = 8
"""More than an event has time for: the rest of a batch is asked for until its time is over."""
STAMP_BYTES = 9

INDEX_LAG_SECONDS = 2
"""How far the index of watchers may lag. AWS: "within a fraction of a second, under normal
conditions" (DynamoDB developer guide, "Using Global Secondary Indexes")."""

UNWATCHED_SECONDS = SECOND_LOOK_SECONDS - INDEX_LAG_SECONDS
"""How long it is believed that a user has no watching connection.

A client lists a second time `SECOND_LOOK_SECONDS` after `watch`. Every change after that list is
pushed, because no answer from before the index had the connection is believed by then.
"""


def connection_from_item(item: dict[str, Any]) -> Connection:
    """Return the record of a connection's item."""
    return msgspec.convert(item, Connection)


class DynamoStore:
    """Implements `robosignal.server.ports.Store`."""

    def __init__(
        self,
        client: "DynamoDBClient",
        connections: str,
        robots: str,
        known: int = KNOWN,
        unwatched: Recent[str] | None = None,
    ) -> None:
        """Use these two tables, and remember at most `known` senders.

        `unwatched` remembers which users have no watching connection: by default at most `known`
        users, for `UNWATCHED_SECONDS`.
        """
        self._client = client
        self._connections = connections
        self._robots = robots
        self._known: Bounded[ConnectionId, Connection] = Bounded(known)
        self._unwatched = unwatched or Recent(UNWATCHED_SECONDS, known)

    # Connections

    def sender(self, connection: ConnectionId) -> Connection | None:
        """Return a connection's item, from memory if its dialect cannot change any more."""
        return self._known.get(connection) or self.connection(connection)

    def connection(self, connection: ConnectionId) -> Connection | None:
        """Return a connection's item, by a consistent read."""
        item = self._get(self._connections, "connectionId", connection)
        return None if item is None else self._remember(connection_from_item(item))

    def _remember(self, row: Connection) -> Connection:
        if row.is_settled:
            self._known.keep(row.connection_id, row)
        else:
            # As after a seed's only session: what was settled by it is so no more.
            self._known.drop(row.connection_id)
        return row

    def add_connection(self, row: Connection) -> None:
        """Store the item of a connection that opens; an existing item stays as it is."""
        item = {name: marshal(value) for name, value in connection_item(row).items()}
        try:
            call_aws(
                self._client.put_item,
                TableName=self._connections,
                Item=item,
                ConditionExpression="attribute_not_exists(connectionId)",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return  # $connect was delivered twice; the item may have changed since

    def remove_connection(self, connection: ConnectionId) -> Connection | None:
        """Delete a connection's item and return it as it was."""
        self._known.drop(connection)
        found = call_aws(
            self._client.delete_item,
            TableName=self._connections,
            Key={"connectionId": marshal(connection)},
            ReturnValues="ALL_OLD",
        )
        item = found.get("Attributes")
        return None if item is None else connection_from_item(unmarshal_item(item))

    def write_connection(
        self, connection: ConnectionId, write: Write
    ) -> Written[Connection] | ConditionFailed[Connection]:
        """Carry out a write to a connection's item."""
        try:
            before, after = self._write(self._connections, "connectionId", connection, write)
        finally:
            for watcher in _new_watchers(write):
                self._unwatched.forget(watcher)
        if after is None:
            return ConditionFailed(
                None if before is None else self._remember(connection_from_item(before))
            )
        row = self._remember(connection_from_item(after))
        return Written(None if before is None else connection_from_item(before), row)

    # Robots

    def robot(self, robot: RobotId) -> Robot | None:
        """Return a robot's item, by a consistent read."""
        item = self._get(self._robots, "robotId", robot)
        return None if item is None else robot_from_item(item)

    def write_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Carry out a write to a robot's item."""
        stamp = None if write.renewal else urandom(STAMP_BYTES).hex()
        stamped = write if stamp is None else add_stamp(write, stamp)
        try:
            before, after = self._write(self._robots, "robotId", robot, stamped)
        except TryAgain as unanswered:
            raise TryAgain(stamp=stamp) from unanswered
        was = None if before is None else robot_from_item(before)
        if after is not None:
            return Written(was, robot_from_item(after))
        if before is not None and stamp is not None and before.get(*STAMP) == stamp:
            return Written(None, robot_from_item(before))
        return ConditionFailed(was)

    def check_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Return what a write to a robot's item would come to, without writing."""
        item = self._get(self._robots, "robotId", robot)
        before = None if item is None else robot_from_item(item)
        after = apply(write, item or {})
        return (
            ConditionFailed(before)
            if after is None
            else Written(before, robot_from_item(_with_key(robot, after)))
        )

    def remove_robot(self, robot: RobotId, when: Condition) -> bool:
        """Delete a robot's item if the condition holds; return whether it did."""
        try:
            call_aws(
                self._client.delete_item,
                TableName=self._robots,
                Key={"robotId": marshal(robot)},
                **Rendered(when).parameters,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def robots(self, robots: Sequence[RobotId]) -> list[Robot]:
        """Return the items of those that exist, in the order asked."""
        asked: Any = {
            self._robots: {
                "Keys": [{"robotId": marshal(robot)} for robot in robots],
                "ConsistentRead": True,
            }
        }
        found: dict[RobotId, Robot] = {}
        pauses = pause_between_tries(allowance(), BATCH_TRIES)
        while True:
            answer = call_aws(self._client.batch_get_item, RequestItems=asked)
            for item in answer["Responses"].get(self._robots, []):
                robot = robot_from_item(unmarshal_item(item))
                found[robot.robot_id] = robot
            asked = answer.get("UnprocessedKeys")
            if not asked:
                return [found[robot] for robot in robots if robot in found]
            # The rest was throttled. DynamoDB asks for growing pauses.
            if not next(pauses, False):
                raise TryAgain

    # Codes

    def code(self, code_hash: str) -> Code | None:
        """Return a code's item, by a consistent read."""
        item = self._get(self._robots, "robotId", code_key(code_hash, Code))
        return None if item is None else msgspec.convert(item, Code)

    def write_code(self, code_hash: str, write: Write) -> Written[Code] | ConditionFailed[Code]:
        """Carry out a write to a code's item."""
        return self._write_used(code_hash, write, Code)

    def invitation(self, code_hash: str) -> Invitation | None:
        """Return an invitation's item, by a consistent read."""
        item = self._get(self._robots, "robotId", code_key(code_hash, Invitation))
        return None if item is None else msgspec.convert(item, Invitation)

    def write_invitation(
        self, code_hash: str, write: Write
    ) -> Written[Invitation] | ConditionFailed[Invitation]:
        """Carry out a write to an invitation's item."""
        return self._write_used(code_hash, write, Invitation)

    def _write_used(
        self, code_hash: str, write: Write, kind: type[Used]
    ) -> Written[Used] | ConditionFailed[Used]:
        before, after = self._write(self._robots, "robotId", code_key(code_hash, kind), write)
        was = None if before is None else msgspec.convert(before, kind)
        if after is None:
            return ConditionFailed(was)
        return Written(was, msgspec.convert(after, kind))

    # Shares

    def note_share(self, robot: RobotId, user: UserId, owner: UserId | None = None) -> None:
        """Put the share's own item, which the index of operators lists.

        An offer's is in the index of owners too, under a key of its own, to be counted.
        """
        values = {":user": marshal(user)}
        counted = ""
        if owner is not None:
            values[":owner"] = marshal(offer_key(owner))
            counted = ", ownerUserId = :owner"
        call_aws(
            self._client.update_item,
            TableName=self._robots,
            Key={"robotId": marshal(_share_key(robot, user))},
            UpdateExpression=f"SET operatorUserId = :user{counted}",
            ExpressionAttributeValues=values,
        )

    def count_offers(self, owner: UserId, limit: int) -> int:
        """Return how many offers an owner's robots have, up to the limit, by the index."""
        found = call_aws(
            self._client.query,
            TableName=self._robots,
            IndexName="owners",
            Select="COUNT",
            KeyConditionExpression="#k = :v",
            ExpressionAttributeNames={"#k": "ownerUserId"},
            ExpressionAttributeValues={":v": marshal(offer_key(owner))},
            Limit=limit,
        )
        return found["Count"]

    def note_group_watch(self, connection: ConnectionId, group: str, expires_at: int) -> None:
        """Put an item that the index of watchers lists, until the connection's item ends."""
        watcher = group_key(group)
        item = {
            "connectionId": _group_watch_key(connection, group),
            "watcherUserId": watcher,
            "expiresAt": expires_at,
            "ttl": expires_at // 1000 + ROW_SECONDS,
        }
        try:
            call_aws(
                self._client.put_item,
                TableName=self._connections,
                Item={name: marshal(value) for name, value in item.items()},
            )
        finally:
            self._unwatched.forget(watcher)

    def drop_group_watch(self, connection: ConnectionId, group: str) -> None:
        """Delete that item."""
        call_aws(
            self._client.delete_item,
            TableName=self._connections,
            Key={"connectionId": marshal(_group_watch_key(connection, group))},
        )

    def drop_share(self, robot: RobotId, user: UserId) -> None:
        """Delete the share's own item."""
        call_aws(
            self._client.delete_item,
            TableName=self._robots,
            Key={"robotId": marshal(_share_key(robot, user))},
        )

    def watchers(self, watcher: str) -> tuple[Watcher, ...]:
        """Return connections that watch, at most `WATCHERS`.

        A user who had none a few seconds ago is not looked up again.
        """
        if self._unwatched.has(watcher):
            return ()
        asked_at = self._unwatched.now()
        found: list[Watcher] = []
        start: Any = {}
        while len(found) < WATCHERS:
            page = call_aws(
                self._client.query,
                TableName=self._connections,
                IndexName="watchers",
                KeyConditionExpression="#k = :v",
                ExpressionAttributeNames={"#k": "watcherUserId"},
                ExpressionAttributeValues={":v": marshal(watcher)},
                Limit=WATCHERS - len(found),
                **start,
            )
            found += (_watcher_from_item(unmarshal_item(item)) for item in page["Items"])
            if "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        if not found:
            self._unwatched.note(watcher, asked_at)
        return tuple(found)

    def list_owned(self, user: UserId, after: str | None, limit: int) -> Page:
        """Return the robots that a user owns."""
        return self._page("owners", "ownerUserId", user, after, limit)

    def list_shared(self, user: UserId, after: str | None, limit: int) -> Page:
        """Return the robots that are shared with a user."""
        share = None if after is None else _share_key(RobotId(after), user)
        return self._page("operators", "operatorUserId", user, share, limit)

    def list_fleet(self, shard: str, after: str | None, limit: int) -> Page:
        """Return every robot of one shard of the fleet."""
        return self._page("fleet", "fleetShard", shard, after, limit)

    # Calls

    def _get(self, table: str, key: str, value: str) -> dict[str, Any] | None:
        found = call_aws(
            self._client.get_item, TableName=table, Key={key: marshal(value)}, ConsistentRead=True
        )
        item = found.get("Item")
        return None if item is None else unmarshal_item(item)

    def _write(
        self, table: str, key: str, value: str, write: Write
    ) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Carry out a write; return the item before, and after: None there when it was refused.

        The old item comes back either way, so a refusal needs no read to be explained. What
        the item became follows from it: the write was atomic.
        """
        try:
            answer = call_aws(
                self._client.update_item,
                TableName=table,
                Key={key: marshal(value)},
                ReturnValues="ALL_OLD",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **Rendered(write).parameters,
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            item: Any = refused.response.get("Item")
            return (unmarshal_item(item) if item else None), None
        old = answer.get("Attributes")
        before = unmarshal_item(old) if old else None
        after = apply(write, before or {})
        return before, None if after is None else {key: value, **after}

    def _page(self, index: str, key: str, value: str, after: str | None, limit: int) -> Page:
        start: Any = {} if after is None else {"ExclusiveStartKey": _start_key(key, value, after)}
        found = call_aws(
            self._client.query,
            TableName=self._robots,
            IndexName=index,
            KeyConditionExpression="#k = :v",
            ExpressionAttributeNames={"#k": key},
            ExpressionAttributeValues={":v": marshal(value)},
            Limit=limit,
            **start,
        )
        ids = tuple(_robot_id_of(unmarshal_item(item)) for item in found["Items"])
        last = found.get("LastEvaluatedKey")
        return Page(ids, None if last is None else _robot_id_of(unmarshal_item(last)))


def _with_key(robot: RobotId, item: dict[str, Any]) -> dict[str, Any]:
    return {"robotId": robot, **item}


def _start_key(key: str, value: str, after: str) -> dict[str, Any]:
    return {key: marshal(value), "robotId": marshal(after)}


def _share_key(robot: RobotId, user: UserId) -> str:
    """Return the key of a share: no robot's id has a `#`."""
    return f"{robot}#{user}"


def _group_watch_key(connection: ConnectionId, group: str) -> str:
    """Return the key of a group's watcher: no connection's id has a `#`."""
    return f"{connection}{group_key(group)}"


def _robot_id_of(item: dict[str, Any]) -> RobotId:
    """Return the robot of a robot's item, or of a share's, whose key is `<robotId>#<userId>`."""
    return RobotId(item["robotId"].partition("#")[0])


def _new_watchers(write: Write) -> Iterator[str]:
    """Yield the user, or `#admins`, for whom a write lets a connection watch."""
    for update in write.then:
        if isinstance(update, Put) and update.path == WATCHER:
            yield update.value


def _watcher_from_item(item: dict[str, Any]) -> Watcher:
    connection = item["connectionId"].partition("#")[0]
    return Watcher(ConnectionId(connection), item["expiresAt"])
