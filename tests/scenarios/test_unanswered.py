"""A seed's offer whose write DynamoDB carries out without an answer to any of its tries."""

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

from robosignal.server.aws.dynamodb import DynamoStore
from robosignal.server.deadline import TRIES
from tests.server.aws.test_dynamodb import call_of
from tests.tables import CONNECTIONS, ROBOTS
from tests.tokens import signer
from tests.world import Peer, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient


class LostAnswers:
    """Lets none of the tries be answered of the next write to a robot's item that succeeds."""

    def __init__(self, client: "DynamoDBClient") -> None:
        self.left = 0
        self.before_last: Callable[[], object] = lambda: None
        """Runs before the last try fails."""
        self._aside = boto3.client("dynamodb", region_name=client.meta.region_name)

    def lose(self) -> None:
        """Lose the answers to the next write."""
        self.left = TRIES["decide"]

    def before_send(self, request: AWSPreparedRequest, **_: Any) -> None:
        """Carry the first try out behind the client's back, and fail each."""
        name, parameters = call_of(request)
        if not self.left or (name, parameters["TableName"]) != ("UpdateItem", ROBOTS):
            return
        if self.left == TRIES["decide"]:
            try:
                self._aside.update_item(**parameters)
            except self._aside.exceptions.ConditionalCheckFailedException:
                return  # refused: the client may hear so
        self.left -= 1
        if not self.left:
            self.before_last()
        raise ReadTimeoutError(endpoint_url=request.url)


@pytest.fixture
def client(dynamodb: "DynamoDBClient") -> "DynamoDBClient":
    """A client that tries each call once, as the handler's does."""
    once = Config(retries={"total_max_attempts": 1})
    return boto3.client("dynamodb", region_name=dynamodb.meta.region_name, config=once)


@pytest.fixture
def answers(client: "DynamoDBClient") -> LostAnswers:
    """Answers of the table of robots that get lost, none yet."""
    losing = LostAnswers(client)
    client.meta.events.register_first("before-send.dynamodb", losing.before_send)
    return losing


@pytest.fixture
def backend(client: "DynamoDBClient") -> World:
    """A backend on DynamoDB with a robot that is shared with olga."""
    world = World(DynamoStore(client, CONNECTIONS, ROBOTS), signer())
    world.robot()
    world.share("r1", "olga")
    return world


def lost_offer(backend: World, answers: LostAnswers, *, v1: bool = False, **more: Any) -> Peer:
    """Send an offer of a seed client's whose write is carried out and never answered."""
    client = backend.connect("olga", v1=v1)
    answers.lose()
    assert client.refused(type="offer", robotId="r1", sdp="o", **more) == (503, "try_again")
    assert answers.left == 0
    return client


@pytest.mark.parametrize("role", ["controller", "viewer"])
def test_a_seed_that_was_never_answered_does_not_hold_on(
    backend: World, answers: LostAnswers, role: str
) -> None:
    """It leaves without another word: the robot is free at once, not when its token ends."""
    before = backend.item().epoch
    lost_offer(backend, answers, role=role).disconnect()
    item = backend.item()

    assert item.all_sessions() == ()
    assert item.epoch == before + (2 if role == "controller" else 0)
    assert backend.connect("owner").offer()["role"] == "controller"


def test_everyone_is_told_that_control_is_free(backend: World, answers: LostAnswers) -> None:
    """The robot, which moves its fence, and the viewers."""
    viewer = backend.connect("owner")
    viewer.offer(role="viewer")
    robot = next(peer for peer in backend.peers if peer.types() == ["offer"])
    robot.take()
    lost_offer(backend, answers)
    epoch = backend.item().epoch

    assert [(each["type"], each["epoch"]) for each in robot.take()] == [("peer-left", epoch)]
    assert [(each["type"], each["epoch"]) for each in viewer.take()] == [("control", epoch)]


def test_who_was_displaced_for_nothing_is_told(backend: World, answers: LostAnswers) -> None:
    """Of the epoch at which the other held, as if its offer had failed later."""
    driver, boss = backend.connect("olga"), backend.connect("boss", v1=False, groups=["ADMINS"])
    driver.offer()
    held = backend.item().epoch
    driver.take()
    answers.lose()

    assert boss.refused(type="takeover", robotId="r1") == (503, "try_again")
    assert backend.item().controller is None
    assert [(each["type"], each["epoch"]) for each in driver.take()] == [("control-lost", held + 1)]


def test_what_was_used_since_stays(backend: World, answers: LostAnswers) -> None:
    """Another offer of the same page is acknowledged just before the first one fails."""
    client, acked = backend.connect("olga", v1=False), []
    answers.before_last = lambda: acked.append(client.offer())
    answers.lose()
    refused = client.refused(type="offer", robotId="r1", sdp="o")
    row = backend.store.connection(client.connection_id)
    held = backend.item().controller

    assert (refused, acked[0]["type"]) == ((503, "try_again"), "ack")
    assert held is not None
    assert row is not None
    assert (held.connection_id, row.sessions) == (
        client.connection_id,
        frozenset({held.session_id}),
    )


def test_a_session_that_its_row_does_not_note_is_noted_by_the_next_offer(
    backend: World, answers: LostAnswers
) -> None:
    """Where the first was not undone either, as by a Lambda that died: its end is heard of."""
    client = backend.connect("olga", v1=False)
    answers.before_last = lambda: backend.share("r1", "eve")  # another write comes between
    answers.lose()
    client.refused(type="offer", robotId="r1", sdp="o")
    unsure = backend.item().controller
    again = client.offer()
    client.disconnect()
    backend.pass_seconds(31)

    assert unsure is not None
    assert again["type"] == "ack"
    assert backend.connect("owner").offer()["role"] == "controller"


def test_a_v1_client_keeps_what_it_may_be_acknowledged_still(
    backend: World, answers: LostAnswers
) -> None:
    """Its lease lapses by itself a minute later."""
    client = lost_offer(backend, answers, v1=True)
    held = backend.item().controller
    backend.pass_seconds(61)

    assert held is not None
    assert held.connection_id == client.connection_id
    assert backend.connect("owner").offer()["role"] == "controller"
