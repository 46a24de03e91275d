"""What the template says, compared with what the rest of the project relies on."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from robosignal.server.aws.metrics import DIRECTIVES, NAMESPACE
from robosignal.server.settings import read_settings
from stacks.context import read_settings as read_context
from tests.stacks.emulator import DIFFERENCES
from tests.stacks.policies import text
from tests.stacks.synthesis import Template, Workshop, resources, table_named, the_only
from tests.tables import CONNECTIONS, ROBOTS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OUTPUTS = {
    "WebSocketUrl",
    "ManagementEndpoint",
    "UserPoolId",
    "UserPoolClientId",
    "Region",
    "ConnectionsTableName",
    "RobotPresenceTableName",
    "LogGroupName",
}


def environment(template: Template) -> dict[str, str]:
    """Return the function's environment, references by their names."""
    _, function = the_only(template, "AWS::Lambda::Function")
    return {name: text(value) for name, value in function["Environment"]["Variables"].items()}


def test_the_outputs_are_those_that_others_rely_on(prod: Template) -> None:
    """Neither one more nor one fewer, where no page may sign in."""
    assert set(prod["Outputs"]) == OUTPUTS


def test_a_stack_with_pages_says_where_they_sign_in(dev: Template) -> None:
    """The sandbox has the sign-in domain besides."""
    assert set(dev["Outputs"]) == OUTPUTS | {"SignInDomain"}


def test_the_path_that_clients_connect_to_is_prod_in_every_stage(dev: Template) -> None:
    """The deployment's stage names the stack, never the address."""
    url = text(dev["Outputs"]["WebSocketUrl"]["Value"])

    assert url.startswith("wss://<")
    assert url.endswith("/prod")


def test_a_stage_of_any_name_is_a_stack_by_itself(workshop: Workshop, dev: Template) -> None:
    """Its name is the stack's, the function's, the API's, and that of all metrics and alarms."""
    assembly = workshop.assembly(STAGE="Pr-123")
    template = assembly.template
    whole = json.dumps(template).replace(r"\\", "").replace("\\", "")
    _, api = the_only(template, "AWS::ApiGatewayV2::Api")
    _, api_stage = the_only(template, "AWS::ApiGatewayV2::Stage")
    alarms = resources(template, "AWS::CloudWatch::Alarm").values()
    own = [alarm for alarm in alarms if alarm.get("Namespace") == "robosignal"]

    assert [path.name for path in assembly.directory.glob("*.template.json")] == [
        "robosignal-Pr-123.template.json"
    ]
    assert environment(template)["STAGE"] == "Pr-123"
    assert (api["Name"], api_stage["StageName"]) == ("robosignal-Pr-123", "prod")
    assert own
    assert {text(each["Value"]) for alarm in own for each in alarm["Dimensions"]} == {"Pr-123"}
    assert all("robosignal (Pr-123): " in alarm["AlarmDescription"] for alarm in alarms)
    assert 'Stage="Pr-123"' in whole
    assert set(template["Outputs"]) == set(dev["Outputs"])
    _, domain = the_only(template, "AWS::Cognito::UserPoolDomain")
    assert domain["Domain"]["Fn::Join"][1][0] == "robosignal-pr-123-"


def test_the_handler_can_start_with_its_environment(dev: Template) -> None:
    """The handler's own reader accepts all that the template sets."""
    settings = read_settings(environment(dev) | {"TOKEN_ISSUER": "https://issuer.example/pool"})

    assert settings.stage == "dev"
    assert settings.management_endpoint.endswith("/prod")


def test_tokens_are_those_of_the_pool_and_client(dev: Template) -> None:
    """The issuer is made of Region and pool: no token and no event has a say in it."""
    pool, _ = the_only(dev, "AWS::Cognito::UserPool")
    client, _ = the_only(dev, "AWS::Cognito::UserPoolClient")

    variables = environment(dev)

    host = "https://issuer-cognito-idp.<AWS::Region>.<AWS::URLSuffix>"
    assert variables["TOKEN_ISSUER"] == f"{host}/<{pool}>"
    assert variables["TOKEN_AUDIENCES"] == f"<{client}>"
    assert "TOKEN_JWKS_URL" not in variables


def test_the_own_pool_signs_as_the_issuer_that_aws_recommends(prod: Template) -> None:
    """Its keys are served by several Regions; it takes a plan above Lite."""
    _, pool = the_only(prod, "AWS::Cognito::UserPool")

    assert pool["IssuerConfiguration"] == {"Type": "UPDATED"}
    assert pool["UserPoolTier"] == "ESSENTIALS"


def test_users_cannot_change_the_names_by_which_others_know_them(dev: Template) -> None:
    """One who is called as another would be asked for control in the other's place."""
    _, client = the_only(dev, "AWS::Cognito::UserPoolClient")

    names = {"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username"}
    assert "email" in client["WriteAttributes"]
    assert names.isdisjoint(client["WriteAttributes"])


@pytest.mark.parametrize(
    ("pool", "issuer"),
    [
        ("us-west-2_Xyz789", "https://cognito-idp.us-west-2.amazonaws.com/us-west-2_Xyz789"),
        ("cn-north-1_Xyz789", "https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Xyz789"),
    ],
)
def test_a_named_pool_is_in_its_own_region(workshop: Workshop, pool: str, issuer: str) -> None:
    """Wherever the stack is: the issuer, and with it its keys, and what the page is told."""
    template = workshop.template(user_pool_id=pool, user_pool_client_id="abc")
    outputs = {name: each["Value"] for name, each in template["Outputs"].items()}
    variables = environment(template)
    settings = read_settings(variables)

    assert settings.token_issuer == issuer
    assert settings.token_jwks_url == f"{issuer}/.well-known/jwks.json"
    assert (outputs["UserPoolId"], outputs["Region"]) == (pool, pool.partition("_")[0])


@pytest.mark.parametrize("name", [CONNECTIONS, ROBOTS])
def test_the_tests_tables_are_laid_out_as_the_stacks(
    dev: Template, dynamodb: "DynamoDBClient", name: str
) -> None:
    """Keys, indexes and what these bear are the same."""
    ours: Any = dynamodb.describe_table(TableName=name)["Table"]

    _, theirs = table_named(dev, ours["KeySchema"][0]["AttributeName"])

    assert shape(theirs) == shape(ours)


def shape(table: dict[str, Any]) -> dict[str, Any]:
    """Return what matters of a table's layout, in an order of its own."""
    return {
        "key": table["KeySchema"],
        "attributes": sorted(table["AttributeDefinitions"], key=str),
        "indexes": sorted(map(index_shape, table["GlobalSecondaryIndexes"]), key=str),
    }


def index_shape(index: dict[str, Any]) -> tuple[str, str, str]:
    """Return what matters of an index's layout."""
    return index["IndexName"], str(index["KeySchema"]), str(sorted(index["Projection"].items()))


def alarmed(template: Template) -> list[dict[str, Any]]:
    """Return every alarm."""
    return list(resources(template, "AWS::CloudWatch::Alarm").values())


def test_alarms_watch_what_goes_wrong(dev: Template) -> None:
    """Errors, throttles, the slowest, refused tokens, our own errors, and every table's calls."""
    found = {(alarm["Namespace"], alarm["MetricName"]) for alarm in alarmed(dev)}

    assert found == {
        ("AWS/Lambda", "Errors"),
        ("AWS/Lambda", "Throttles"),
        ("AWS/Lambda", "Duration"),
        ("AWS/DynamoDB", "ThrottledRequests"),
        ("robosignal", "InternalErrors"),
        ("robosignal", "TokensRefused"),
    }


def test_alarms_watch_metrics_that_the_handler_writes(dev: Template) -> None:
    """By the very dimensions that it keeps them by: else they would be silent for ever."""
    kept = {
        (name, tuple(dimensions))
        for name, directive in DIRECTIVES.items()
        for dimensions in directive["Dimensions"]
    }
    watched = {
        (alarm["MetricName"], tuple(one["Name"] for one in alarm["Dimensions"]))
        for alarm in alarmed(dev)
        if alarm["Namespace"] == NAMESPACE
    }

    assert watched
    assert watched <= kept


def test_the_dashboard_shows_every_metric_of_the_handlers(dev: Template) -> None:
    """None is written without a reader."""
    _, board = the_only(dev, "AWS::CloudWatch::Dashboard")
    body = text(board["DashboardBody"])

    assert json.loads(body)["widgets"]
    assert [name for name in DIRECTIVES if f'"{name}"' not in body.replace("\\", "")] == []


def test_provisioned_tables_grow_with_their_load(workshop: Workshop) -> None:
    """Both tables and each index, for reads and for writes, within the settings' bounds."""
    template = workshop.template(capacity="provisioned", capacity_min="7", capacity_max="70")

    targets = resources(template, "AWS::ApplicationAutoScaling::ScalableTarget").values()

    assert len(targets) == 2 * (2 + 4)
    assert {(target["MinCapacity"], target["MaxCapacity"]) for target in targets} == {(7, 70)}


def test_an_existing_pool_is_used_as_it_is(workshop: Workshop) -> None:
    """No pool is made; a client in it is, unless that is named as well."""
    template = workshop.template(
        user_pool_id="eu-central-1_Abc123",
        user_pool_client_id="page1",
        more_audiences="page2, page3",
    )

    assert resources(template, "AWS::Cognito::UserPool") == {}
    assert resources(template, "AWS::Cognito::UserPoolClient") == {}
    assert environment(template)["TOKEN_AUDIENCES"] == "page1,page2,page3"
    assert template["Outputs"]["UserPoolId"]["Value"] == "eu-central-1_Abc123"


def test_turn_servers_get_a_secret_that_the_function_alone_reads(workshop: Workshop) -> None:
    """Its name and the servers' are in the function's environment; the secret is not."""
    template = workshop.template(turn_urls="turn:turn.example.org:3478?transport=udp")
    secret, _ = the_only(template, "AWS::SecretsManager::Secret")

    variables = environment(template)

    assert variables["TURN_SECRET_ARN"] == f"<{secret}>"
    assert variables["TURN_URLS"] == "turn:turn.example.org:3478?transport=udp"


def test_the_accounts_log_role_is_made_only_when_asked_for(
    workshop: Workshop, dev: Template
) -> None:
    """And then it stays when the stack goes: the whole Region's APIs may rely on it by then."""
    template = workshop.template(cloudwatch_role="create")

    name, _ = the_only(template, "AWS::ApiGateway::Account")

    assert template["Resources"][name]["DeletionPolicy"] == "Retain"
    assert resources(dev, "AWS::ApiGateway::Account") == {}


def test_every_difference_of_the_emulators_is_a_setting() -> None:
    """None is an `if` of the handler's, and each says why it is there."""
    given = {one.setting: one.value for one in DIFFERENCES}

    settings = read_context(given)

    assert {name: getattr(settings, name) for name in given} == given
    assert all(len(one.reason) > len("because") for one in DIFFERENCES)


def test_a_schedule_keeps_seeds_alive_only_if_asked_for(workshop: Workshop, dev: Template) -> None:
    """Twice in what API Gateway takes for idle, by the alias, with EventBridge's own event."""
    on = workshop.template(seed_keepalive="on")
    _, rule = the_only(on, "AWS::Events::Rule")
    (target,) = rule["Targets"]
    (alias,) = resources(on, "AWS::Lambda::Alias")
    invokers = [
        permission["SourceArn"]
        for permission in resources(on, "AWS::Lambda::Permission").values()
        if permission["Principal"] == "events.amazonaws.com"
    ]

    assert resources(dev, "AWS::Events::Rule") == {}
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(5 minutes)", "ENABLED")
    assert text(target["Arn"]) == f"<{alias}>"
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 0}
    assert "Input" not in target
    assert len(invokers) == 1
