"""The DynamoDB adapter's calls: what is asked of AWS, and what its failures become."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from robosignal.protocol.errors import TryAgain
from robosignal.protocol.ids import ConnectionId, RobotId
from robosignal.protocol.limits import WATCHERS
from robosignal.server.aws.dynamodb import DynamoStore
from robosignal.server.core.steps import ConditionFailed, Written
from robosignal.server.core.writes import codes, connections, presence
from robosignal.server.deadline import EVENT_SECONDS, PARTS, Deadline
from robosignal.server.ports import Store
from tests.server.aws.items import ANN, C1, C2, R1, claim, row
from tests.tables import CONNECTIONS, ROBOTS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Call = tuple[str, dict[str, Any]]
"""An operation's name and its parameters."""


def call_of(request: AWSPreparedRequest) -> Call:
    """Return what a request asks for."""
    target = request.headers["X-Amz-Target"]
    name = (target.decode() if isinstance(target, bytes) else str(target)).rpartition(".")[2]
    body: Any = request.body
    return name, json.loads(body)


@pytest.fixture
def calls(dynamodb: "DynamoDBClient") -> Iterator[list[Call]]:
    """Every call that is made from now on."""
    made: list[Call] = []

    def note(request: AWSPreparedRequest, **_: Any) -> None:
        made.append(call_of(request))

    dynamodb.meta.events.register_first("before-send.dynamodb", note)
    yield made
    dynamodb.meta.events.unregister("before-send.dynamodb", note)


class Raw:
    """A response's body, as urllib3 would hand it over."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterator[bytes]:
        """Yield the body."""
        yield self._body


def answer(status: int, body: dict[str, Any]) -> AWSResponse:
    """Return a response of DynamoDB's."""
    raw: Any = Raw(json.dumps(body).encode())
    return AWSResponse("http://dynamodb", status, HTTPHeaders(), raw)


def refusing(status: int, code: str) -> Callable[[Call], AWSResponse]:
    """Return a DynamoDB that refuses every call so."""
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no"}
    return lambda _: answer(status, body)


@contextmanager
def answering(respond: Callable[[Call], AWSResponse]) -> Iterator[DynamoStore]:
    """Yield a store whose DynamoDB answers so; nothing goes over the network."""
    client = boto3.client(
        "dynamodb",
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
    )

    def intercept(request: AWSPreparedRequest, **_: Any) -> Any:
        return respond(call_of(request))

    client.meta.events.register_first("before-send.dynamodb", intercept)
    yield DynamoStore(client, CONNECTIONS, ROBOTS)
    client.close()


EVERY_METHOD: dict[str, Callable[[Store], object]] = {
    "sender": lambda store: store.sender(C1),
    "connection": lambda store: store.connection(C1),
    "add_connection": lambda store: store.add_connection(row()),
    "remove_connection": lambda store: store.remove_connection(C1),
    "write_connection": lambda store: store.write_connection(C1, connections.switch_to_v1(C1)),
    "robot": lambda store: store.robot(R1),
    "robots": lambda store: store.robots([R1]),
    "check_robot": lambda store: store.check_robot(R1, presence.record_loss(C1)),
    "write_robot": lambda store: store.write_robot(R1, presence.record_loss(C1)),
    "remove_robot": lambda store: store.remove_robot(R1, presence.is_unchanged_since(1)),
    "code": lambda store: store.code("hash"),
    "write_code": lambda store: store.write_code("hash", codes.complete_use(R1, "kid")),
    "invitation": lambda store: store.invitation("hash"),
    "write_invitation": lambda store: store.write_invitation("hash", codes.complete_use(ANN, "a")),
    "watchers": lambda store: store.watchers("ann"),
    "list_owned": lambda store: store.list_owned(ANN, None, 5),
    "note_share": lambda store: store.note_share(R1, ANN),
    "drop_share": lambda store: store.drop_share(R1, ANN),
    "count_offers": lambda store: store.count_offers(ANN, 5),
    "note_group_watch": lambda store: store.note_group_watch(C1, "crew", 5),
    "drop_group_watch": lambda store: store.drop_group_watch(C1, "crew"),
    "list_shared": lambda store: store.list_shared(ANN, None, 5),
    "list_fleet": lambda store: store.list_fleet("0", None, 5),
}


def test_every_method_of_the_store_is_examined() -> None:
    """A new method needs its row above."""
    assert set(EVERY_METHOD) == {name for name in vars(Store) if not name.startswith("_")}


@pytest.mark.parametrize("ask", EVERY_METHOD.values(), ids=EVERY_METHOD)
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ThrottlingException"),
        (400, "ProvisionedThroughputExceededException"),
        (400, "RequestLimitExceeded"),
        (400, "TransactionConflictException"),
        (500, "InternalServerError"),
        (503, "ServiceUnavailable"),
    ],
)
def test_what_aws_says_to_try_later_is_try_again(
    ask: Callable[[Store], object], status: int, code: str
) -> None:
    """Whatever was asked, once botocore's own retries are spent."""
    with answering(refusing(status, code)) as store, pytest.raises(TryAgain):
        ask(store)


@pytest.mark.parametrize("ask", EVERY_METHOD.values(), ids=EVERY_METHOD)
@pytest.mark.parametrize(
    "error",
    [ConnectTimeoutError(endpoint_url="https://d"), ReadTimeoutError(endpoint_url="https://d")],
    ids=["connecting", "reading"],
)
def test_a_timeout_is_try_again(ask: Callable[[Store], object], error: Exception) -> None:
    """What became of the call is unknown: the client asks again."""

    def late(_: Call) -> AWSResponse:
        raise error

    with answering(late) as store, pytest.raises(TryAgain):
        ask(store)


def test_a_server_error_without_a_name_is_try_again() -> None:
    """A 502 of some proxy has no DynamoDB code in it."""
    with answering(lambda _: answer(502, {})) as store, pytest.raises(TryAgain):
        store.robot(R1)


@pytest.mark.parametrize(
    "code", ["ValidationException", "AccessDeniedException", "ResourceNotFoundException"]
)
def test_our_own_mistake_is_no_try_again(code: str) -> None:
    """It would fail for ever, and must raise an alarm."""
    with answering(refusing(400, code)) as store, pytest.raises(ClientError, match=code):
        store.robot(R1)


def test_reads_are_consistent(dynamo_store: DynamoStore, calls: list[Call]) -> None:
    """Of a row, of a robot, of a code, of several robots."""
    dynamo_store.connection(C1)
    dynamo_store.sender(C1)
    dynamo_store.robot(R1)
    dynamo_store.code("hash")
    dynamo_store.robots([R1])

    assert [name for name, _ in calls] == [*["GetItem"] * 4, "BatchGetItem"]
    asked = [call if name == "GetItem" else call["RequestItems"][ROBOTS] for name, call in calls]
    assert all(each["ConsistentRead"] is True for each in asked)


def test_a_refusal_is_explained_by_the_call_that_was_refused(
    dynamo_store: DynamoStore, calls: list[Call]
) -> None:
    """The old item comes with the refusal: one call, no read."""
    won = dynamo_store.write_robot(R1, presence.register_process(claim()))
    calls.clear()

    outcome = dynamo_store.write_robot(R1, presence.record_loss(C2))

    assert isinstance(won, Written)
    assert outcome == ConditionFailed(won.after)
    assert [name for name, _ in calls] == ["UpdateItem"]


def test_a_won_write_is_one_call(dynamo_store: DynamoStore, calls: list[Call]) -> None:
    """What the item was and what it became come from one answer."""
    dynamo_store.write_robot(R1, presence.register_process(claim()))

    assert [name for name, _ in calls] == ["UpdateItem"]


def test_nothing_scans_a_table(dynamo_store: DynamoStore, calls: list[Call]) -> None:
    """Every method of the store, each with what it costs: one call at most here."""
    for ask in EVERY_METHOD.values():
        before = len(calls)
        ask(dynamo_store)
        assert len(calls) <= before + 1

    assert {name for name, _ in calls} == {
        "BatchGetItem",
        "DeleteItem",
        "GetItem",
        "PutItem",
        "Query",
        "UpdateItem",
    }


def test_a_settled_sender_is_asked_for_once(dynamo_store: DynamoStore, calls: list[Call]) -> None:
    """Who they are cannot change: the next message costs no read."""
    dynamo_store.add_connection(row(dialect="v1"))
    calls.clear()

    found = [dynamo_store.sender(C1) for _ in range(3)]

    assert found == [row(dialect="v1")] * 3
    assert [name for name, _ in calls] == ["GetItem"]


def test_an_absent_sender_is_asked_for_each_time(
    dynamo_store: DynamoStore, calls: list[Call]
) -> None:
    """An absence is never remembered."""
    assert dynamo_store.sender(C1) is None
    dynamo_store.add_connection(row())

    assert dynamo_store.sender(C1) == row()
    assert [name for name, _ in calls] == ["GetItem", "PutItem", "GetItem"]


def test_memory_hides_no_removal_by_another_lambda(
    dynamodb: "DynamoDBClient", dynamo_store: DynamoStore
) -> None:
    """One remembers the sender, another removes the row: a read tells."""
    dynamo_store.add_connection(row(dialect="v1"))
    dynamo_store.sender(C1)
    DynamoStore(dynamodb, CONNECTIONS, ROBOTS).remove_connection(C1)

    assert dynamo_store.connection(C1) is None
    assert dynamo_store.write_connection(
        C1, connections.note_robot(C1, R1, "v1")
    ) == ConditionFailed(None)


def test_memory_is_bounded(dynamodb: "DynamoDBClient", calls: list[Call]) -> None:
    """The oldest sender gives way to the newest; a Lambda that lives long does not fill up."""
    store = DynamoStore(dynamodb, CONNECTIONS, ROBOTS, known=2)
    newest = ConnectionId("c3=")
    for connection in (C1, C2, newest):
        store.add_connection(row(connection, dialect="v1"))
        store.sender(connection)
    calls.clear()

    store.sender(newest)
    store.sender(C2)
    store.sender(C1)

    assert [call["Key"]["connectionId"]["S"] for _, call in calls] == [C1]


def robot_item(robot: str) -> dict[str, Any]:
    """Return a robot's item as DynamoDB answers with it."""
    return {"robotId": {"S": robot}, "ownerUserId": {"S": "ann"}}


def batches(*rounds: tuple[list[str], list[str]]) -> tuple[list[list[str]], Any]:
    """Return a DynamoDB that hands over and leaves over so, round by round, and what it heard."""
    heard: list[list[str]] = []

    def respond(call: Call) -> AWSResponse:
        asked = call[1]["RequestItems"][ROBOTS]
        heard.append([key["robotId"]["S"] for key in asked["Keys"]])
        found, left = rounds[len(heard) - 1]
        rest = {ROBOTS: {**asked, "Keys": [{"robotId": {"S": robot}} for robot in left]}}
        body = {"Responses": {ROBOTS: [robot_item(robot) for robot in found]}}
        return answer(200, body | {"UnprocessedKeys": rest if left else {}})

    return heard, respond


def test_robots_left_over_are_asked_for_again() -> None:
    """A batch that DynamoDB did not finish is finished, in the order asked."""
    heard, respond = batches((["c"], ["a", "b"]), (["b"], ["a"]), (["a"], []))

    with answering(respond) as store:
        found = store.robots([RobotId(robot) for robot in "abc"])

    assert [robot.robot_id for robot in found] == ["a", "b", "c"]
    assert heard == [["a", "b", "c"], ["a", "b"], ["a"]]


def test_robots_that_are_left_over_for_ever_are_try_again() -> None:
    """After pauses that grow, within the event's time: an incomplete list would pass for whole."""
    heard, respond = batches(*[([], ["a"])] * 9)
    slept: list[float] = []
    deadline = Deadline(clock=lambda: sum(slept), sleep=slept.append)

    with answering(respond) as store, deadline.use_for("decide"), pytest.raises(TryAgain):
        store.robots([RobotId("a")])

    assert len(heard) == len(slept) + 1
    assert len(slept) >= 3
    assert all(later >= 2 * earlier for earlier, later in pairwise(slept))
    assert sum(slept) < EVENT_SECONDS * PARTS["decide"]


def test_robots_left_over_are_not_asked_for_again_without_time() -> None:
    """What tells of a change has no time for that."""
    heard, respond = batches(*[([], ["a"])] * 9)
    slept: list[float] = []
    deadline = Deadline(1.1, clock=lambda: sum(slept), sleep=slept.append)

    with answering(respond) as store, deadline.use_for("decide"), pytest.raises(TryAgain):
        store.robots([RobotId("a")])

    assert (len(heard), slept) == (1, [])


def test_watchers_come_from_as_many_pages_as_it_takes() -> None:
    """But never more than are told."""
    limits: list[int] = []

    def respond(call: Call) -> AWSResponse:
        limits.append(call[1]["Limit"])
        first = 75 * (len(limits) - 1)
        items = [
            {"connectionId": {"S": f"c{first + n}="}, "expiresAt": {"N": "1"}}
            for n in range(min(75, limits[-1]))
        ]
        return answer(200, {"Items": items, "LastEvaluatedKey": {"connectionId": {"S": "x"}}})

    with answering(respond) as store:
        found = store.watchers("ann")

    assert len(found) == WATCHERS == len({each.connection_id for each in found})
    assert limits == [100, 25]
