"""Runs robots and drivers through the real handler on moto, and counts what each event takes.

It meters items as DynamoDB does, and does not use the model that it checks.
Sources: DynamoDB developer guide, "Read and write operations" and "Item sizes and formats".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING, Any

from robosignal.protocol.ids import ConnectionId
from robosignal.server.aws.dynamodb import DynamoStore
from robosignal.server.aws.metrics import EmbeddedMetrics
from robosignal.server.core.request import Rules
from robosignal.server.entry import Signaling
from robosignal.server.ice.turn import TurnServers
from robosignal.server.limits.limiter import Unlimited
from robosignal.server.ports import Store
from tests.tables import CONNECTIONS, ROBOTS
from tests.tokens import signer
from tests.world import ICE, Outbox, Peer, World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEYS = {CONNECTIONS: "connectionId", ROBOTS: "robotId"}
# The attributes that each index holds: its own key, the table's, and what is projected.
INDEXES: dict[str, list[tuple[str, tuple[str, ...]]]] = {
    CONNECTIONS: [("watcherUserId", ("connectionId", "expiresAt"))],
    ROBOTS: [(key, ("robotId",)) for key in ("ownerUserId", "operatorUserId", "fleetShard")],
}
READ_BYTES, WRITE_BYTES = 4096, 1024

Item = Mapping[str, Any]


@dataclass
class Count:
    """What one event took. Units are DynamoDB's; bytes are those of frames."""

    calls: int = 0
    reads: float = 0
    writes: int = 0
    posts: int = 0
    pushes: int = 0
    received: int = 0
    replied: int = 0
    posted: int = 0
    logged: int = 0


class Meter:
    """A DynamoDB client that counts calls and units into `count`."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._client: Any = client
        self.count = Count()

    @property
    def exceptions(self) -> Any:
        """The client's own."""
        return self._client.exceptions

    def get_item(self, **given: Any) -> Any:
        """Read; a strongly consistent read of 4 KB is one unit."""
        found = self._client.get_item(**given)
        self.count.calls += 1
        self.count.reads += _read_units([found.get("Item")], consistent=given["ConsistentRead"])
        return found

    def batch_get_item(self, **given: Any) -> Any:
        """Read several: each item is metered alone."""
        found = self._client.batch_get_item(**given)
        self.count.calls += 1
        for items in found["Responses"].values():
            self.count.reads += sum(_read_units([item], consistent=True) for item in items)
        return found

    def query(self, **given: Any) -> Any:
        """Read an index: eventually consistent, all items of the page metered together."""
        found = self._client.query(**given)
        self.count.calls += 1
        self.count.reads += _read_units(found["Items"], consistent=False)
        return found

    def put_item(self, **given: Any) -> Any:
        """Write a whole item."""
        return self._written(self._client.put_item, given, given["Item"])

    def update_item(self, **given: Any) -> Any:
        """Write to an item; a refused write is metered as well."""
        return self._written(self._client.update_item, given, given["Key"])

    def delete_item(self, **given: Any) -> Any:
        """Delete an item."""
        return self._written(self._client.delete_item, given, given["Key"])

    def _written(self, write: Any, given: Item, key: Item) -> Any:
        table = given["TableName"]
        before = self._item(table, key)
        self.count.calls += 1
        try:
            return write(**given)
        finally:
            after = self._item(table, key)
            self.count.writes += _units(max(size(before), size(after)), WRITE_BYTES)
            self.count.writes += _index_units(table, before, after)

    def _item(self, table: str, key: Item) -> Item | None:
        only = {KEYS[table]: key[KEYS[table]]}
        found: Item | None = self._client.get_item(
            TableName=table, Key=only, ConsistentRead=True
        ).get("Item")
        return found


def size(item: Item | None) -> int:
    """Return an item's size in bytes, as DynamoDB counts it; 0 for none."""
    if item is None:
        return 0
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    kind = next(iter(value))
    held: Any = value[kind]
    match kind:
        case "S":
            return len(held.encode())
        case "N":
            # About a byte for two digits, and one more.
            return len(held.lstrip("-")) // 2 + 1
        case "BOOL" | "NULL":
            return 1
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(v) for name, v in held.items())
        case "L":
            return 3 + sum(1 + _value_size(each) for each in held)
        case "SS":
            return sum(len(each.encode()) for each in held)
        case _:
            raise AssertionError(f"an attribute of type {kind}")


def _units(size_bytes: int, unit_bytes: int) -> int:
    # Something that is not there is metered as the smallest item is.
    return max(1, ceil(size_bytes / unit_bytes))


def _read_units(items: list[Item | None], *, consistent: bool) -> float:
    units = _units(sum(size(item) for item in items), READ_BYTES)
    return units if consistent else units / 2


def _index_units(table: str, before: Item | None, after: Item | None) -> int:
    return sum(_entry_units(before or {}, after or {}, key, rest) for key, rest in INDEXES[table])


def _entry_units(before: Item, after: Item, key: str, rest: tuple[str, ...]) -> int:
    """Return what keeping one index entry up to date takes: a change of key takes two."""
    old, new = _entry(before, key, rest), _entry(after, key, rest)
    if old == new:
        return 0
    moved = old is not None and new is not None and old[key] != new[key]
    return 2 if moved else 1


def _entry(item: Item, key: str, rest: tuple[str, ...]) -> Item | None:
    return {name: item.get(name) for name in (key, *rest)} if key in item else None


class Weighing(Outbox):
    """An outbox that counts posts and their bytes."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def post(self, connection: ConnectionId, frame: bytes) -> bool:
        """Count a post, then deliver it."""
        count = self._meter.count
        count.calls += 1
        count.posts += 1
        count.posted += len(frame)
        count.pushes += json.loads(frame)["type"] == "presence"
        return super().post(connection, frame)


class MeteredWorld(World):
    """A backend on moto where every event meets a Lambda that has seen no user before."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self._meter = Meter(client)
        self._lines: list[str] = []
        super().__init__(self._cold(), signer())
        self.outbox = Weighing(self._meter)

    def _cold(self) -> DynamoStore:
        return DynamoStore(self._meter, CONNECTIONS, ROBOTS)  # type: ignore[arg-type]

    def run_on(self, store: Store) -> None:
        """Serve with this store, and with the metrics that a Lambda writes."""
        self.store = store
        self.signaling = Signaling(
            store=store,
            poster=self.outbox,
            ice=self._ice,
            limiter=Unlimited(),
            issuers=(signer().issuer(),),
            rules=Rules(),
            origins=None,
            clock=lambda: self.now,
            meter=EmbeddedMetrics("prod", self._lines.append),
        )

    def event(self, kind: str, peer: Peer, **fields: Any) -> dict[str, Any]:
        """Handle an event in a cold Lambda, and count what that takes."""
        self.run_on(self._cold())
        self._meter.count = count = Count()
        self._lines.clear()
        result = super().event(kind, peer, **fields)
        assert result["statusCode"] == HTTPStatus.OK, result
        count.received = len(fields.get("body", "").encode())
        count.replied = len(result.get("body", "").encode())
        count.logged = sum(map(len, self._lines))
        return result

    def give_turn(self) -> None:
        """Have TURN servers from now on, with a password for each user."""
        self._ice = TurnServers(("turn:turn.example.org:3478",), lambda _: "secret", ICE)

    @property
    def count(self) -> Count:
        """What the last event took."""
        return self._meter.count
