"""How many calls to AWS each event takes, counted as `tests/scenarios/test_calls.py` does."""

from benchmarks.dynamodb import emulate_dynamodb
from benchmarks.tables import Table
from robosignal.server.aws.dynamodb import DynamoStore
from tests.scenarios.test_calls import EVENTS, Calls, Stage, measured
from tests.tables import CONNECTIONS, ROBOTS
from tests.tokens import signer
from tests.world import World

TITLE = "Calls to AWS, by event"
NOTE = (
    "Besides, a change of what watchers are told, such as a first offer, queries who watches: "
    "once for each user who may see the robot, once for admins."
)
HEAD = ("event", "calls to DynamoDB, warm", "cold", "posts to connections")


def count() -> Table:
    """Return the calls of every event."""
    with emulate_dynamodb() as client:
        stage = Stage(World(DynamoStore(client, CONNECTIONS, ROBOTS), signer()), client)
        return Table(TITLE, HEAD, tuple(_rows(stage, Calls(client))), NOTE)


def _rows(stage: Stage, calls: Calls) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, (begin, _) in EVENTS.items():
        stage.world.now += 1
        warm, posts = measured(stage, calls, begin, cold=False)
        cold, _ = measured(stage, calls, begin, cold=True)
        rows.append((name, str(warm), str(cold), str(posts)))
    return rows
