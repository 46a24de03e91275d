"""What must hold of every template, each rule a function from a template to what breaks it.

cdk-nag's AwsSolutions asks for other things, and for none of these.
"""

from collections.abc import Callable, Iterator
from typing import Any

from tests.stacks.policies import allowed, granted, listed, role_of_function, text
from tests.stacks.synthesis import Template, resources, table_named, the_only

Rule = Callable[[Template], Iterator[str]]

API_SECONDS = 29
LOGGED = {"requestId", "routeKey", "status", "connectionId"}
ROUTES = {"$connect", "$disconnect", "$default"}
DYNAMODB = {
    f"dynamodb:{name}"
    for name in ("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")
}


def no_action_is_a_pattern(template: Template) -> Iterator[str]:
    """Every action is named."""
    for action, _ in granted(template):
        if "*" in action or "?" in action:
            yield f"the function may do {action}"


def the_tables_are_never_scanned(template: Template) -> Iterator[str]:
    """Only single items, batches of them by key, and queries."""
    for action, _ in granted(template):
        if action.startswith("dynamodb:") and action not in DYNAMODB:
            yield f"the function may do {action}"


def no_resource_is_a_pattern(template: Template) -> Iterator[str]:
    """Every resource is named, but the connections, whose ids are not known before."""
    (api,) = resources(template, "AWS::ApiGatewayV2::Api")
    here = "arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>"
    open_ended = {f"{here}:<{api}>/prod/{method}/@connections/*" for method in ("POST", "DELETE")}
    for action, resource in granted(template):
        if ("*" in resource or "?" in resource) and resource not in open_ended:
            yield f"the function may do {action} on {resource}"


def no_statement_is_open(template: Template) -> Iterator[str]:
    """No statement says what it is not about."""
    for statement in allowed(template, role_of_function(template)):
        if "NotAction" in statement or "NotResource" in statement:
            yield "a statement allows all but what it names"


def every_route_reaches_the_function(template: Template) -> Iterator[str]:
    """The function verifies the token in `$connect`, so nothing else may answer there."""
    alias, live = the_only(template, "AWS::Lambda::Alias")
    function, handler = the_only(template, "AWS::Lambda::Function")
    routes = resources(template, "AWS::ApiGatewayV2::Route").values()
    if {route["RouteKey"] for route in routes} != ROUTES:
        yield "the routes are not those that the function answers"
    if handler["Handler"] != "signaling.handler.handler" or live["FunctionName"] != {
        "Ref": function
    }:
        yield "the alias is not the verifying function's"
    for route in routes:
        if not _reaches(template, route, alias):
            yield f"{route['RouteKey']} does not reach the verifying function"


def _reaches(template: Template, route: dict[str, Any], alias: str) -> bool:
    integrations = resources(template, "AWS::ApiGatewayV2::Integration")
    name = text(route["Target"]).removeprefix("integrations/").strip("<>")
    integration = integrations.get(name, {})
    uri = text(integration.get("IntegrationUri", ""))
    is_proxy = integration.get("IntegrationType") == "AWS_PROXY"
    return is_proxy and uri.endswith(f"/functions/<{alias}>/invocations")


def the_function_ends_before_the_api_gives_up(template: Template) -> Iterator[str]:
    """The function's own timeout is the one that is met."""
    _, function = the_only(template, "AWS::Lambda::Function")
    for integration in resources(template, "AWS::ApiGatewayV2::Integration").values():
        waits = integration.get("TimeoutInMillis", API_SECONDS * 1000)
        if not function["Timeout"] * 1000 < waits < API_SECONDS * 1000:
            yield f"the API waits {waits} ms for a function of {function['Timeout']} s"


def connections_expire_and_robots_do_not(template: Template) -> Iterator[str]:
    """Items of connections and of codes have a `ttl`; those of robots have none, and stay."""
    _, connections = table_named(template, "connectionId")
    if connections.get("TimeToLiveSpecification") != {"AttributeName": "ttl", "Enabled": True}:
        yield "the connections table has no TTL"
    _, robots = table_named(template, "robotId")
    if robots.get("TimeToLiveSpecification") != {"AttributeName": "ttl", "Enabled": True}:
        yield "the robots table forgets robots, or keeps codes"


def the_stage_is_throttled_and_traces_nothing(template: Template) -> Iterator[str]:
    """No stage takes the account's whole rate, and no frame is logged."""
    _, stage = the_only(template, "AWS::ApiGatewayV2::Stage")
    settings = stage.get("DefaultRouteSettings", {})
    if not settings.get("ThrottlingRateLimit") or not settings.get("ThrottlingBurstLimit"):
        yield "the stage is not throttled"
    if settings.get("DataTraceEnabled") is not False or settings.get("LoggingLevel") != "OFF":
        yield "the stage traces data"
    for route in stage.get("RouteSettings", {}).values():
        if route.get("DataTraceEnabled") or route.get("LoggingLevel", "OFF") != "OFF":
            yield "a route traces data"


def the_access_log_names_no_user(template: Template) -> Iterator[str]:
    """No address, query, header or identity is in it."""
    _, stage = the_only(template, "AWS::ApiGatewayV2::Stage")
    words = stage.get("AccessLogSettings", {}).get("Format", "")
    fields = {part.partition('"')[0] for part in words.split("$context.")[1:]}
    if fields != LOGGED:
        yield f"the access log has {sorted(fields)}"


def every_log_is_kept_for_a_time(template: Template) -> Iterator[str]:
    """And the function writes to one of these logs, as JSON."""
    groups = resources(template, "AWS::Logs::LogGroup")
    for name, group in groups.items():
        if not group.get("RetentionInDays"):
            yield f"{name} is kept for ever"
    _, function = the_only(template, "AWS::Lambda::Function")
    logging = function.get("LoggingConfig", {})
    if (
        logging.get("LogFormat") != "JSON"
        or text(logging.get("LogGroup", "")).strip("<>") not in groups
    ):
        yield "the function does not log JSON to the stack's own log group"


def no_one_signs_up_alone(template: Template) -> Iterator[str]:
    """Accounts are made by an administrator, with good passwords."""
    for pool in resources(template, "AWS::Cognito::UserPool").values():
        if not pool.get("AdminCreateUserConfig", {}).get("AllowAdminCreateUserOnly"):
            yield "anybody may sign up"
        if pool["Policies"]["PasswordPolicy"]["MinimumLength"] < 12:
            yield "passwords are short"


def the_app_client_is_public_and_silent(template: Template) -> Iterator[str]:
    """It has no secret to leak, no implicit flow, and does not tell who exists."""
    for client in resources(template, "AWS::Cognito::UserPoolClient").values():
        if client.get("GenerateSecret"):
            yield "the page would need a secret"
        if not set(client.get("AllowedOAuthFlows", [])) <= {"code"}:
            yield "tokens would be in addresses"
        if client.get("PreventUserExistenceErrors") != "ENABLED":
            yield "the client tells who exists"
        if "ALLOW_USER_PASSWORD_AUTH" in client["ExplicitAuthFlows"]:
            yield "the client takes passwords as they are"


def alarms_are_heard(template: Template) -> Iterator[str]:
    """Each tells the topic, which CloudWatch may write to, over TLS alone."""
    topic, _ = the_only(template, "AWS::SNS::Topic")
    for name, alarm in resources(template, "AWS::CloudWatch::Alarm").items():
        if alarm.get("AlarmActions") != [{"Ref": topic}]:
            yield f"{name} has no action"
    policies = resources(template, "AWS::SNS::TopicPolicy").values()
    said = [one for policy in policies for one in policy["PolicyDocument"]["Statement"]]
    if not any(_refuses_plain_text(one) for one in said):
        yield "the topic can be written to without TLS"
    if not any(_lets_cloudwatch(one) for one in said):
        yield "CloudWatch may not write to the topic"


def _refuses_plain_text(statement: dict[str, Any]) -> bool:
    plain = statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
    return statement["Effect"] == "Deny" and plain


def _lets_cloudwatch(statement: dict[str, Any]) -> bool:
    by_cloudwatch = statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    publishes = "sns:Publish" in listed(statement["Action"])
    return statement["Effect"] == "Allow" and by_cloudwatch and publishes


ALWAYS: tuple[Rule, ...] = (
    no_action_is_a_pattern,
    the_tables_are_never_scanned,
    no_resource_is_a_pattern,
    no_statement_is_open,
    every_route_reaches_the_function,
    the_function_ends_before_the_api_gives_up,
    connections_expire_and_robots_do_not,
    the_stage_is_throttled_and_traces_nothing,
    the_access_log_names_no_user,
    every_log_is_kept_for_a_time,
    no_one_signs_up_alone,
    the_app_client_is_public_and_silent,
    alarms_are_heard,
)


def the_function_runs_as_decided(template: Template) -> Iterator[str]:
    """The newest Python on arm64, from a snapshot of a published version."""
    _, function = the_only(template, "AWS::Lambda::Function")
    runs = (function["Runtime"], function["Architectures"], function.get("SnapStart"))
    if runs != ("python3.14", ["arm64"], {"ApplyOn": "PublishedVersions"}):
        yield f"the function runs as {runs}"


def what_is_kept_survives_mistakes(template: Template) -> Iterator[str]:
    """Tables, people and logs outlive the stack, and tables can be wound back."""
    for name, table in resources(template, "AWS::DynamoDB::Table").items():
        recovery = table.get("PointInTimeRecoverySpecification", {})
        if not recovery.get("PointInTimeRecoveryEnabled"):
            yield f"{name} cannot be wound back"
        if not table.get("DeletionProtectionEnabled"):
            yield f"{name} can be deleted"
    for pool in resources(template, "AWS::Cognito::UserPool").values():
        if pool.get("DeletionProtection") != "ACTIVE":
            yield "the people can be deleted"
    for name, resource in template["Resources"].items():
        if resource["Type"] in KEPT and resource.get("DeletionPolicy") != "Retain":
            yield f"{name} goes with the stack"


KEPT = {"AWS::DynamoDB::Table", "AWS::Cognito::UserPool", "AWS::Logs::LogGroup"}


def second_factors_are_required(template: Template) -> Iterator[str]:
    """A password alone does not sign a user in."""
    for pool in resources(template, "AWS::Cognito::UserPool").values():
        if pool.get("MfaConfiguration") != "ON":
            yield "a password alone signs in"


IN_PROD: tuple[Rule, ...] = (
    the_function_runs_as_decided,
    what_is_kept_survives_mistakes,
    second_factors_are_required,
)
