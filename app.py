"""The CDK application: context → Settings → stack."""

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from stacks.asset import CannotBundle, Target, assemble, measure_size
from stacks.context import BadSettings, read_settings, without_user_defaults
from stacks.signaling_stack import SignalingStack

ROOT = Path(__file__).parent
LIBRARIES = ROOT / "build" / "lambda-libraries"


def main() -> None:
    """Check the settings, and write the cloud assembly."""
    app = App()
    context = without_user_defaults(
        app.node.get_all_context(),
        project=_context(ROOT / "cdk.json"),
        user=_context(Path.home() / ".cdk.json"),
    )
    # CDK's command line sets this to where it deploys; without it the Region is unknown.
    settings = read_settings(context, os.environ.get("CDK_DEFAULT_REGION"))
    with TemporaryDirectory() as directory:
        asset = assemble(ROOT, Target.of(settings), LIBRARIES, Path(directory))
        sys.stderr.write(f"function's code: {measure_size(asset)}\n")
        SignalingStack(app, settings=settings, asset=asset)
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        app.synth()


def _context(path: Path) -> dict[str, Any]:
    """Return the context in a file of CDK's configuration; none if there is no such file."""
    if not path.exists():
        return {}
    context: dict[str, Any] = json.loads(path.read_text()).get("context", {})
    return context


if __name__ == "__main__":
    try:
        main()
    except (BadSettings, CannotBundle) as error:
        sys.exit(f"robosignal: {error}")
