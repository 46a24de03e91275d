"""Synthesises the stack in this process, for any settings, with cdk.json's own context.

The function's code is one small file: what it holds is another test's subject.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from stacks.context import read_settings
from stacks.signaling_stack import SignalingStack

Template = dict[str, Any]

ROOT = Path(__file__).parents[2]
CONTEXT: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]


@dataclass(frozen=True, slots=True)
class Assembly:
    """A synthesised stack: where it is, and its template."""

    directory: Path
    template: Template

    def acknowledged(self) -> Counter[str]:
        """Return the findings of AwsSolutions that are acknowledged, with how often."""
        (metadata,) = self.directory.glob("*.metadata.json")
        entries = chain.from_iterable(json.loads(metadata.read_text()).values())
        return Counter(
            rule.removeprefix("Annotation::")
            for entry in entries
            if entry["type"] == "aws:cdk:acknowledged-rules"
            for rule in entry["data"]
            if "AwsSolutions" in rule
        )


@dataclass
class Workshop:
    """A directory of assemblies, each made once."""

    directory: Path
    made: dict[str, Assembly] = field(default_factory=dict)

    def template(self, **settings: str) -> Template:
        """Return the template of these settings; cdk-nag's findings, if any, are raised."""
        return self.assembly(**settings).template

    def assembly(self, **settings: str) -> Assembly:
        """Return the assembly of these settings; cdk-nag's findings, if any, are raised."""
        name = json.dumps(settings, sort_keys=True)
        if name not in self.made:
            self.made[name] = self._made(settings)
        return self.made[name]

    def _made(self, settings: dict[str, str]) -> Assembly:
        place = self.directory / str(len(self.made))
        asset = place / "code"
        asset.mkdir(parents=True)
        (asset / "handler.py").write_text("# in place of the function's code\n")
        app = App(context=CONTEXT | settings, outdir=str(place / "out"))
        stack = SignalingStack(app, settings=read_settings(CONTEXT | settings), asset=asset)
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        app.synth()
        template = json.loads((place / "out" / stack.template_file).read_text())
        return Assembly(place / "out", template)


def resources(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of every resource of this type, by its logical id."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def the_only(template: Template, kind: str) -> tuple[str, dict[str, Any]]:
    """Return the one resource of this type: its logical id and properties."""
    (found,) = resources(template, kind).items()
    return found


def table_named(template: Template, key: str) -> tuple[str, dict[str, Any]]:
    """Return the table with this partition key: its logical id and properties."""
    (found,) = (
        (name, table)
        for name, table in resources(template, "AWS::DynamoDB::Table").items()
        if table["KeySchema"][0]["AttributeName"] == key
    )
    return found
