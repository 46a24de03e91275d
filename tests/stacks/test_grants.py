"""What the handler may do is what it does: neither one more, nor one fewer.

The shipped handler's calls are recorded on their way to AWS while the scenarios below run.
When it learns to do more, a scenario here and a line in `stacks/grants.py` follow.
"""

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from robosignal.server.aws.dynamodb import DynamoStore
from robosignal.server.aws.turn_secret import SecretsManager, StoredSecret
from tests.stacks.calls import Posts, Use, Uses
from tests.stacks.policies import granted
from tests.stacks.synthesis import Template, Workshop, resources, table_named
from tests.tables import CONNECTIONS, ROBOTS, drop_tables, make_tables
from tests.tokens import NOW, signer
from tests.world import World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


def drive(world: World) -> None:
    """A robot registers, is driven, and both leave."""
    robot, driver = world.robot("r1"), world.connect("owner")
    driver.send(type="ready")
    session = driver.offer("r1")["sessionId"]
    robot.ask(type="answer", sessionId=session, payload={"sdp": "a"})
    driver.disconnect()
    robot.disconnect()


def speak_the_old_dialect(world: World) -> None:
    """A seed client's row is read for each message, since its dialect may change."""
    world.robot("r1", v1=False)
    world.connect("owner", v1=False).send(type="offer", to="r1", sdp="o")


def list_robots(world: World) -> None:
    """What is owned, what is shared, and every robot there is."""
    world.robot("r1")
    world.share("r1", "ann")
    world.connect("owner").ask(type="robots")
    world.connect("ann").ask(type="robots")
    world.connect("boss", groups=["ADMINS"]).ask(type="robots", all=True)


def watch(world: World) -> None:
    """Changes are pushed to every watcher."""
    world.connect("owner").ask(type="watch")
    world.robot("r1")


def take_over(world: World) -> None:
    """The lease moves, and is handed on."""
    world.robot("r1")
    world.connect("owner").offer("r1")
    world.connect("owner").ask(type="takeover", robotId="r1")


def lose_a_socket(world: World) -> None:
    """A post finds no connection."""
    world.robot("r1").vanish()
    world.connect("owner").offer("r1")


def forget_a_robot(world: World) -> None:
    """All trace of it goes."""
    world.robot("r1")
    world.connect("owner").ask(type="forget", robotId="r1")


def keep_seeds_alive(world: World) -> None:
    """A schedule runs over the fleet; one robot turns out to be gone."""
    world.robot("r1", v1=False)
    world.robot("r2", v1=False).vanish()
    world.connect("owner", v1=False).send(type="offer", to="r1", sdp="o")
    assert world.run_schedule()["statusCode"] == 200


def outstay_a_token(world: World) -> None:
    """A connection whose token has expired is closed."""
    late = world.connect("owner", ttl_s=10)
    world.pass_seconds(11)
    late.send(type="ping")


SCENARIOS: tuple[Callable[[World], None], ...] = (
    drive,
    speak_the_old_dialect,
    list_robots,
    watch,
    take_over,
    lose_a_socket,
    forget_a_robot,
    keep_seeds_alive,
    outstay_a_token,
)

HOUSEKEEPING = {"logs:CreateLogStream", "logs:PutLogEvents"}
"""What Lambda itself does with the function's role."""


@pytest.fixture
def used(moto_client: "DynamoDBClient") -> set[Use]:
    """What the handler used while every scenario ran, each on tables of its own."""
    uses = Uses()
    for scenario in SCENARIOS:
        make_tables(moto_client)
        uses.watch(moto_client)
        world = World(DynamoStore(moto_client, CONNECTIONS, ROBOTS), signer())
        world.outbox = Posts(uses)
        world.run_on(world.store)
        scenario(world)
        uses.forget(moto_client)
        drop_tables(moto_client)
    return uses.seen


@pytest.fixture
def used_with_turn(moto_client: "DynamoDBClient") -> set[Use]:  # noqa: ARG001 - moto is on
    """What the handler uses besides, when it needs the secret of the TURN servers."""
    keeper = boto3.client("secretsmanager", region_name="eu-central-1")
    arn = keeper.create_secret(Name="turn", SecretString="north")["ARN"]
    seen: set[Use] = set()

    def note(model: Any, params: Any, **_: Any) -> None:
        named = json.loads(params["body"]).get("SecretId")
        seen.add((f"secretsmanager:{model.name}", "secret" if named == arn else "another"))

    def connect() -> SecretsManager:
        client: Any = boto3.client("secretsmanager", region_name="eu-central-1")
        client.meta.events.register("before-call.secrets-manager", note)
        made: SecretsManager = client
        return made

    assert StoredSecret(arn, connect)(NOW) == "north"
    keeper.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)
    return seen


def granted_to_handler(template: Template) -> set[Use]:
    """Return what the template's policies allow, in the words of the recorded calls."""
    tables = {
        table_named(template, "connectionId")[0]: "connections",
        table_named(template, "robotId")[0]: "robots",
    }
    secrets = {f"<{name}>": "secret" for name in resources(template, "AWS::SecretsManager::Secret")}
    return {
        (action, secrets.get(resource) or _named(resource, tables))
        for action, resource in granted(template)
        if action not in HOUSEKEEPING
    }


def _named(resource: str, tables: dict[str, str]) -> str:
    if table := re.fullmatch(r"<(\w+)\.Arn>(.*)", resource):
        return tables[table[1]] + table[2]
    method = re.fullmatch(r"arn:.*/prod/(\w+)/@connections/\*", resource)
    return method[1] if method else resource


def test_granted_is_what_is_used(dev: Template, used: set[Use]) -> None:
    """Every permission is used, and nothing is used without one."""
    grants = granted_to_handler(dev)

    assert grants - used == set()
    assert used - grants == set()


def test_production_grants_the_same(dev: Template, prod: Template) -> None:
    """No stage lets the function do more than another."""
    assert granted_to_handler(prod) == granted_to_handler(dev)


def test_a_schedule_adds_nothing_that_the_handler_may_do(workshop: Workshop, dev: Template) -> None:
    """It reads and posts as every message does."""
    assert granted_to_handler(workshop.template(seed_keepalive="on")) == granted_to_handler(dev)


def test_turn_servers_add_their_secret_and_nothing_else(
    workshop: Workshop, dev: Template, used_with_turn: set[Use]
) -> None:
    """That one secret may be read; without TURN servers no secret may."""
    more = granted_to_handler(workshop.template(turn_urls="turn:a.example"))
    least = granted_to_handler(dev)

    assert more - least == used_with_turn == {("secretsmanager:GetSecretValue", "secret")}
    assert least - more == set()
