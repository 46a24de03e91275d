"""A sample of the same schedules on DynamoDB's interface: same rules, same final items.

moto says nothing about races. This shows that the store of the explorer and that of AWS behave
alike, one call at a time.
"""

from collections.abc import Callable
from itertools import combinations_with_replacement
from random import Random
from typing import TYPE_CHECKING

from robosignal.protocol.device_keys import hash_code
from robosignal.server.aws.dynamodb import DynamoStore
from robosignal.server.aws.expressions import marshal
from robosignal.server.core.records import Robot
from robosignal.server.core.writes.connections import connection_item
from tests.explorer.amounts import amount
from tests.explorer.cast import CODED, INVITED, KEYED, ROBOT
from tests.explorer.events import INVITED_EVENTS, KEY, KEYED_EVENTS
from tests.explorer.invariants import broken_by
from tests.explorer.running import Running
from tests.explorer.scene import Scene
from tests.explorer.schedules import as_noted, by_chance
from tests.tables import CONNECTIONS, ROBOTS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SEED = 7


def _copied(scene: Scene, client: "DynamoDBClient") -> DynamoStore:
    """Return a store on DynamoDB that holds what the scene's does, and remembers nothing."""
    for peer in scene.cast.peers.values():
        row = scene.store.connection(peer.connection_id)
        key = {"connectionId": marshal(peer.connection_id)}
        client.delete_item(TableName=CONNECTIONS, Key=key)
        if row is not None:
            item = {name: marshal(value) for name, value in connection_item(row).items()}
            client.put_item(TableName=CONNECTIONS, Item=item)
    # A code that an earlier schedule has made would be in the way: each draws the same.
    for old in client.scan(TableName=ROBOTS, ProjectionExpression="robotId")["Items"]:
        client.delete_item(TableName=ROBOTS, Key={"robotId": old["robotId"]})
    held = scene.store.stored(ROBOT)
    if held is not None:
        item = {name: marshal(value) for name, value in held.items()}
        client.put_item(TableName=ROBOTS, Item=item)
    for code_key, code in scene.store.stored_codes().items():
        item = {name: marshal(value) for name, value in code.items()}
        client.put_item(TableName=ROBOTS, Item=item | {"robotId": marshal(code_key)})
    return DynamoStore(client, CONNECTIONS, ROBOTS)


def _end(running: Running, robot: Robot | None) -> object:
    replies = [(each.by.number, each.status, each.frame) for each in running.history.replied]
    return robot, sorted(replies, key=lambda reply: reply[0])


def test_the_same_schedules_end_alike_on_dynamodb(
    dynamodb: "DynamoDBClient", record_property: Callable[[str, object], None]
) -> None:
    """Pairs that touch the lease or the registration, in an order that chance chooses."""
    random = Random(SEED)  # noqa: S311 - schedules are drawn, no secrets
    scenes = [Scene(name) for name in ("watched", "in grace", "robot gone")]
    pairs = list(combinations_with_replacement(KEY, 2))
    played = 0
    for pair in random.sample(pairs, amount(40, len(pairs))):
        for scene in scenes:
            here = by_chance(scene.begin(pair), random)
            expected = _end(here, scene.item)
            scene.put_back()
            store = _copied(scene, dynamodb)
            there = as_noted(scene.begin(pair, store=store), here.history.chosen)
            played += 1

            assert _end(there, store.robot(ROBOT)) == expected, there.history.chosen
            assert broken_by(there.history) == []
    record_property("explorer, on DynamoDB", f"{played} schedules, the same ends")


def test_the_same_schedules_with_keys_end_alike_on_dynamodb(
    dynamodb: "DynamoDBClient", record_property: Callable[[str, object], None]
) -> None:
    """Pairs of what robots and their owners do with keys and codes; the code's item too."""
    random = Random(SEED)  # noqa: S311 - schedules are drawn, no secrets
    played = 0
    for name in KEYED:
        scene = Scene(name)
        events = [event for event in KEYED_EVENTS if event.peer in scene.cast.peers]
        pairs = list(combinations_with_replacement(events, 2))
        code_hash = hash_code(scene.cast.code) if name in CODED else ""
        for pair in random.sample(pairs, amount(12, len(pairs))):
            here = by_chance(scene.begin(pair), random)
            expected = _end(here, scene.item), scene.store.code(code_hash)
            scene.put_back()
            store = _copied(scene, dynamodb)
            there = as_noted(scene.begin(pair, store=store), here.history.chosen)
            played += 1

            assert (_end(there, store.robot(ROBOT)), store.code(code_hash)) == expected, (
                there.history.chosen
            )
            assert broken_by(there.history) == []
    record_property("explorer, keys, on DynamoDB", f"{played} schedules, the same ends")


def test_the_same_schedules_with_invitations_end_alike_on_dynamodb(
    dynamodb: "DynamoDBClient", record_property: Callable[[str, object], None]
) -> None:
    """Pairs of what changes and uses shares; the invitation's item too."""
    random = Random(SEED)  # noqa: S311 - schedules are drawn, no secrets
    pairs = list(combinations_with_replacement(INVITED_EVENTS, 2))
    played = 0
    for name in INVITED:
        scene = Scene(name)
        code_hash = hash_code(scene.cast.code)
        for pair in random.sample(pairs, amount(16, len(pairs))):
            here = by_chance(scene.begin(pair), random)
            expected = _end(here, scene.item), scene.store.invitation(code_hash)
            scene.put_back()
            store = _copied(scene, dynamodb)
            there = as_noted(scene.begin(pair, store=store), here.history.chosen)
            played += 1

            assert (_end(there, store.robot(ROBOT)), store.invitation(code_hash)) == expected, (
                there.history.chosen
            )
            assert broken_by(there.history) == []
    record_property("explorer, invitations, on DynamoDB", f"{played} schedules, the same ends")
