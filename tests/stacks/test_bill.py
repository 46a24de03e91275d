"""What `robosignal cost` counts of the stack is what the stack has."""

import re
from dataclasses import fields

import pytest

from robosignal.cost.capacity import THROTTLE_RATE
from robosignal.cost.usage import ASSUMED, Fleet, estimate_usage
from stacks.settings import Settings
from tests.stacks.synthesis import Template, Workshop, resources, the_only

FLEET = Fleet(robots=10, hours=730, sessions=20, drivers=12)
WITH_TURN = Fleet(robots=10, hours=730, sessions=20, drivers=12, turn_urls=True)

# As API Gateway's developer guide shows them for a WebSocket API.
LOGGED = {
    "requestId": "JKJaXmPLvHcESHA=",
    "routeKey": "$default",
    "status": "200",
    "connectionId": "JKJaXeI5IAMCKgw=",
}


def made(template: Template) -> dict[str, int]:
    """Return how many of what is paid by the month the stack makes, by the prices' names."""
    kinds = {
        "alarm_months": "AWS::CloudWatch::Alarm",
        "dashboard_months": "AWS::CloudWatch::Dashboard",
        "secret_months": "AWS::SecretsManager::Secret",
    }
    return {name: len(resources(template, kind)) for name, kind in kinds.items()}


def test_alarms_and_dashboards_and_secrets_are_those_of_the_stack(prod: Template) -> None:
    """Each is paid by the month, whether a robot is online or not."""
    assert estimate_usage(FLEET).items() >= made(prod).items()


def test_a_secret_is_counted_where_the_stack_makes_one(workshop: Workshop) -> None:
    """With the setting that the command's option is named like."""
    template = workshop.template(STAGE="prod", turn_urls="turn:turn.example.com")

    assert estimate_usage(WITH_TURN).items() >= made(template).items()
    assert {each.name for each in fields(Fleet)} & set(Settings.__struct_fields__) == {"turn_urls"}


def test_the_function_is_priced_as_it_is_deployed(prod: Template) -> None:
    """Its memory, its processor, its snapshot."""
    _, function = the_only(prod, "AWS::Lambda::Function")

    assert function["MemorySize"] == ASSUMED.memory_gb * 1024
    assert function["Architectures"] == ["arm64"]
    assert function["SnapStart"] == {"ApplyOn": "PublishedVersions"}


def test_lambda_writes_no_line_of_its_own_about_what_went_well(prod: Template) -> None:
    """Its start and its report are info, so the bill counts none."""
    _, function = the_only(prod, "AWS::Lambda::Function")

    assert function["LoggingConfig"]["LogFormat"] == "JSON"
    assert function["LoggingConfig"]["SystemLogLevel"] == "WARN"


def test_a_line_of_the_access_log_is_as_long_as_assumed(prod: Template) -> None:
    """Within a tenth, since routes differ in length."""
    _, stage = the_only(prod, "AWS::ApiGatewayV2::Stage")
    line = re.sub(
        r"\$context\.(\w+)", lambda found: LOGGED[found[1]], stage["AccessLogSettings"]["Format"]
    )

    assert ASSUMED.access_log_bytes == pytest.approx(len(line), rel=0.1)


def test_tables_are_priced_as_they_are_deployed(prod: Template) -> None:
    """By the request, and with point-in-time recovery."""
    for table in resources(prod, "AWS::DynamoDB::Table").values():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_capacity_is_computed_with_the_throttle_that_the_stack_sets(prod: Template) -> None:
    """Its default; a deployment may raise it."""
    _, stage = the_only(prod, "AWS::ApiGatewayV2::Stage")

    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == THROTTLE_RATE
