"""The CDK application: context → Settings → stack."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from stacks.asset import CannotBundle, Target, assemble, size
from stacks.context import BadSettings, read_settings
from stacks.signaling_stack import SignalingStack

ROOT = Path(__file__).parent
LIBRARIES = ROOT / "build" / "lambda-libraries"


def main() -> None:
    """Write the cloud assembly, after every check of it."""
    app = App()
    # CDK's command line says so where it deploys to; without it this may be any Region.
    settings = read_settings(app.node.get_all_context(), os.environ.get("CDK_DEFAULT_REGION"))
    with TemporaryDirectory() as directory:
        asset = assemble(ROOT / "lambdas", Target.of(settings), LIBRARIES, Path(directory))
        sys.stderr.write(f"function's code: {size(asset)}\n")
        SignalingStack(app, settings=settings, asset=asset)
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))
        app.synth()


if __name__ == "__main__":
    try:
        main()
    except (BadSettings, CannotBundle) as error:
        sys.exit(f"robosignal: {error}")
