"""cdk-nag's AwsSolutions, as it judges each shape that the stack can take."""

import json
from collections import Counter
from pathlib import Path

import pytest
from aws_cdk import App, Stack, Validations
from aws_cdk import aws_sns as sns
from aws_cdk.cloudformation_include import CfnInclude
from cdk_nag import AwsSolutionsChecks

from tests.stacks.synthesis import Template, Workshop

SHAPES: dict[str, dict[str, str]] = {
    "dev": {},
    "prod": {"STAGE": "prod"},
    "provisioned": {"capacity": "provisioned"},
    "with seeds": {"seed_keepalive": "on"},
    "with TURN": {"STAGE": "prod", "turn_urls": "turn:a.example"},
    "with pages": {"STAGE": "prod", "page_urls": "https://drive.example/"},
    "with another's pool": {"user_pool_id": "eu-central-1_Abc123"},
    "with the account's role": {"cloudwatch_role": "create"},
    "with all that alarms": {"alarm_email": "ops@example.org", "reserved_concurrency": "50"},
    "in an emulator": {"lambda_runtime": "python3.12", "route_response": "off"},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_no_finding_is_unacknowledged(workshop: Workshop, shape: str) -> None:
    """Synthesis raises every finding that is not acknowledged where it is."""
    template = workshop.template(**SHAPES[shape])

    assert template["Resources"]


def test_a_finding_fails_the_synthesis(tmp_path: Path) -> None:
    """So the test above can fail: a topic without TLS is found."""
    app = App(outdir=str(tmp_path))
    sns.Topic(Stack(app, "naive"), "Topic")
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))

    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()

    assert "AwsSolutions-SNS3" in (tmp_path / "validation-report.json").read_text()


@pytest.mark.parametrize("shape", ["dev", "with TURN", "with the account's role"])
def test_nothing_is_acknowledged_that_is_not_found(
    workshop: Workshop, tmp_path: Path, shape: str
) -> None:
    """Judged without a word of ours, the same template has exactly those findings."""
    assembly = workshop.assembly(**SHAPES[shape])

    assert assembly.acknowledged() == found(assembly.template, tmp_path)


def test_acknowledgements_are_few(workshop: Workshop) -> None:
    """In prod no more than four kinds of them, each of which has its reason in the code."""
    kinds = {rule.partition("[")[0] for rule in workshop.assembly(STAGE="prod").acknowledged()}

    assert kinds == {"AwsSolutions-APIG4", "AwsSolutions-COG8", "AwsSolutions-IAM5"}


def found(template: Template, place: Path) -> Counter[str]:
    """Return what AwsSolutions finds in a bare template, with how often."""
    bare = {name: template[name] for name in ("Resources", "Outputs")}
    (place / "bare.json").write_text(json.dumps(bare))
    app = App(outdir=str(place / "out"))
    CfnInclude(Stack(app, "Bare"), "All", template_file=str(place / "bare.json"))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    report = json.loads((place / "out" / "validation-report.json").read_text())
    return Counter(
        {
            one["ruleName"]: len(one["violatingConstructs"])
            for plugin in report["pluginReports"]
            for one in plugin["violations"]
        }
    )
