"""cfn-lint, as CloudFormation itself would judge, without asking it."""

import json

import pytest
from cfnlint.api import ManualArgs, lint  # type: ignore[import-untyped]

from tests.stacks.synthesis import Template, Workshop

SHAPES: dict[str, dict[str, str]] = {
    "dev": {"STAGE": "dev"},
    "prod": {"STAGE": "prod"},
    "all that a setting adds": {
        "STAGE": "prod",
        "alarm_email": "ops@example.org",
        "capacity": "provisioned",
        "cloudwatch_role": "create",
        "page_urls": "https://drive.example/",
        "reserved_concurrency": "50",
        "turn_urls": "turns:turn.example:5349",
    },
}

REGIONS = ["eu-central-1", "us-east-1"]

# CDK names the role it depends on twice, once by reference: harmless, and CDK's own.
FROM_CDK = ["W3005"]


def findings(template: Template) -> list[str]:
    """Return what cfn-lint finds, but for what CDK does by itself."""
    config = ManualArgs(regions=REGIONS, ignore_checks=FROM_CDK)
    found = lint(json.dumps(template, indent=1), config=config)
    return [f"{one.rule.id} {one.message}" for one in found]


@pytest.mark.parametrize("shape", SHAPES)
def test_cloudformation_would_take_the_template(workshop: Workshop, shape: str) -> None:
    """No error and no warning."""
    assert findings(workshop.template(**SHAPES[shape])) == []


def test_a_template_that_it_would_not_take_is_found(dev: Template) -> None:
    """So the test above can fail."""
    wrong = {**dev, "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"A": 1}}}}

    assert any(finding.startswith("E3002") for finding in findings(wrong))
