"""Makes recordings: runs an event of `tests/scenarios/test_calls.py` on moto, and notes it."""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmarks.dynamodb import emulate_dynamodb
from benchmarks.gateway_events import GatewayEventsWorld
from benchmarks.recording import DYNAMODB, MANAGEMENT, Call, Recording, answer_key
from robosignal.protocol.ids import ConnectionId
from robosignal.server.aws.dynamodb import DynamoStore
from robosignal.server.limits.bounded import Recent
from tests.scenarios.test_calls import Act, Stage
from tests.tables import CONNECTIONS, ROBOTS
from tests.tokens import signer
from tests.world import Outbox

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def record(begin: Callable[[Stage], Act]) -> Recording:
    """Run an event of the scenarios on a warm handler, and return its recording.

    Raise ValueError if two of its calls cannot be told apart.
    """
    with emulate_dynamodb() as client:
        recorder = Recorder(client)
        # Who watches is looked up for every event: what a handler remembers of it, for seconds,
        # would differ from one repetition to the next.
        store = DynamoStore(client, CONNECTIONS, ROBOTS, unwatched=Recent(0, 1))
        outbox = RecordingOutbox(recorder)
        world = GatewayEventsWorld(store, outbox, time.time_ns() // 1_000_000)
        act = begin(Stage(world, client))
        recorder.start()
        act()
        return _finish(recorder, world, client)


def _finish(recorder: "Recorder", world: GatewayEventsWorld, client: "DynamoDBClient") -> Recording:
    event, calls = world.last_event, list(recorder.calls)
    # A handler that has just started reads the sender's row once, so its answer is recorded too.
    sender = event["requestContext"]["connectionId"]
    client.get_item(TableName=CONNECTIONS, Key={"connectionId": {"S": sender}}, ConsistentRead=True)
    return Recording(event, calls, recorder.answers, {"keys": [signer().public]})


class Recorder:
    """Notes the calls of a DynamoDB client, and its answers, from `start` on."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.calls: list[Call] = []
        self.answers: dict[str, str] = {}
        self._events = client.meta.events

    def start(self) -> None:
        """Forget what was noted, and note what is called from now on."""
        self.calls.clear()
        self._events.register(f"before-call.{DYNAMODB}", self._note_call)
        self._events.register(f"after-call.{DYNAMODB}", self._note_answer)

    def _note_call(self, model: Any, params: Any, **_: Any) -> None:
        # This protocol's body is the parameters, as they were given.
        self.calls.append(Call(DYNAMODB, model.name, json.loads(params["body"])))

    def _note_answer(self, model: Any, http_response: Any, **_: Any) -> None:
        call = self.calls[-1]
        key = answer_key(model.name, call.parameters["TableName"])
        body = http_response.text
        if self.answers.setdefault(key, body) != body:
            raise ValueError(f"{key} has two answers: a replay could not tell which one is due")

    def note_post(self, connection: ConnectionId, frame: bytes) -> None:
        """Note a post to a connection."""
        parameters = {"ConnectionId": connection, "Data": frame.decode()}
        self.calls.append(Call(MANAGEMENT, "PostToConnection", parameters))


class RecordingOutbox(Outbox):
    """An outbox whose posts are noted."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def post(self, connection: ConnectionId, frame: bytes) -> bool:
        """Note a post, then deliver it."""
        self._recorder.note_post(connection, frame)
        return super().post(connection, frame)
