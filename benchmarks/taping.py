"""Notes what the handler does about one event: the event, and each call to AWS with its answer.

The events are those of `tests/scenarios/test_calls.py`, on moto. Owns the noting; must never
know what is measured with it.
"""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmarks.emulated import dynamodb
from benchmarks.shaped import ShapedWorld
from benchmarks.tape import DYNAMODB, MANAGEMENT, Call, Tape, answer_key
from robosignal.protocol.ids import ConnectionId
from robosignal.server.aws.dynamodb import DynamoStore
from tests.scenarios.test_calls import Act, Stage
from tests.tables import CONNECTIONS, ROBOTS
from tests.tokens import signer
from tests.world import Outbox

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def taped(begin: Callable[[Stage], Act]) -> Tape:
    """Run an event of the scenarios on a warm handler, and return what was noted.

    Raise ValueError if two of its calls cannot be told apart.
    """
    with dynamodb() as client:
        recorder = Recorder(client)
        store, outbox = DynamoStore(client, CONNECTIONS, ROBOTS), TapedOutbox(recorder)
        world = ShapedWorld(store, outbox, time.time_ns() // 1_000_000)
        act = begin(Stage(world, client))
        recorder.begin()
        act()
        return _tape(recorder, world, client)


def _tape(recorder: "Recorder", world: ShapedWorld, client: "DynamoDBClient") -> Tape:
    event, calls = world.last, list(recorder.calls)
    # A handler that has just started reads the sender's row once; that is asked for here.
    sender = event["requestContext"]["connectionId"]
    client.get_item(TableName=CONNECTIONS, Key={"connectionId": {"S": sender}}, ConsistentRead=True)
    return Tape(event, calls, recorder.answers, {"keys": [signer().public]})


class Recorder:
    """Notes the calls of a client of DynamoDB, and its answers, from `begin` on."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.calls: list[Call] = []
        self.answers: dict[str, str] = {}
        self._events = client.meta.events

    def begin(self) -> None:
        """Note what comes from here on."""
        self.calls.clear()
        self._events.register(f"before-call.{DYNAMODB}", self._before)
        self._events.register(f"after-call.{DYNAMODB}", self._after)

    def _before(self, model: Any, params: Any, **_: Any) -> None:
        # This protocol's body is the parameters, as they were given.
        self.calls.append(Call(DYNAMODB, model.name, json.loads(params["body"])))

    def _after(self, model: Any, http_response: Any, **_: Any) -> None:
        call = self.calls[-1]
        key = answer_key(model.name, call.parameters["TableName"])
        body = http_response.text
        if self.answers.setdefault(key, body) != body:
            raise ValueError(f"{key} is answered in two ways: no stand-in could tell which")

    def post(self, connection: ConnectionId, frame: bytes) -> None:
        """Note a post."""
        parameters = {"ConnectionId": connection, "Data": frame.decode()}
        self.calls.append(Call(MANAGEMENT, "PostToConnection", parameters))


class TapedOutbox(Outbox):
    """An outbox whose posts are noted."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def post(self, connection: ConnectionId, frame: bytes) -> bool:
        """Note a post, then deliver it."""
        self._recorder.post(connection, frame)
        return super().post(connection, frame)
