"""Reads IAM statements out of a template.

It resolves CloudFormation's references, and does not judge permissions.
"""

from collections.abc import Iterator
from typing import Any

from tests.stacks.synthesis import Template, resources

Statement = dict[str, Any]


def listed(value: Any) -> list[Any]:
    """Return a list: IAM takes one thing for a list of it."""
    return value if isinstance(value, list) else [value]


def text(value: Any) -> str:
    """Return a value with every reference by its logical id, as `<Table.Arn>`."""
    match value:
        case str():
            return value
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(text, parts))
    raise ValueError(f"no text in {value!r}")


def allowed(template: Template, function_role: str) -> Iterator[Statement]:
    """Yield every statement that allows this role something."""
    for policy in resources(template, "AWS::IAM::Policy").values():
        if {"Ref": function_role} in policy["Roles"]:
            yield from _allowing(policy["PolicyDocument"])
    role = template["Resources"][function_role]["Properties"]
    for policy in role.get("Policies", []):
        yield from _allowing(policy["PolicyDocument"])


def _allowing(document: dict[str, Any]) -> Iterator[Statement]:
    return (one for one in document["Statement"] if one["Effect"] == "Allow")


def role_of_function(template: Template) -> str:
    """Return the logical id of the function's role."""
    (function,) = resources(template, "AWS::Lambda::Function").values()
    name: str = function["Role"]["Fn::GetAtt"][0]
    return name


def granted(template: Template) -> set[tuple[str, str]]:
    """Return every pair of an action and a resource that the function's role allows."""
    return {
        (action, text(resource))
        for statement in allowed(template, role_of_function(template))
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }
