"""Writes web/console/config.json, which tells the console where to connect and sign in.

It takes the file of outputs that `cdk deploy` has written. The configuration holds no secret,
because every visitor of the page reads it.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

PAGE = Path(__file__).parent.parent / "web" / "console" / "config.json"

NAMES = {
    "webSocketUrl": "WebSocketUrl",
    "region": "Region",
    "userPoolId": "UserPoolId",
    "userPoolClientId": "UserPoolClientId",
}
"""What the page calls each of the stack's outputs."""

SIGN_IN = ("signInDomain", "SignInDomain")
"""Only where the stack has sign-in pages of its own."""


def page_config(outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the page's configuration. Raise KeyError naming an output that is missing."""
    config = {ours: outputs[theirs] for ours, theirs in NAMES.items()}
    ours, theirs = SIGN_IN
    return config | ({ours: outputs[theirs]} if theirs in outputs else {})


def main(arguments: list[str]) -> int:
    """Write the page's configuration from a file of outputs, to where a second argument says.

    Return 0; 1 with a sentence when the file is not one stack's outputs.
    """
    source, *rest = arguments
    page = Path(rest[0]) if rest else PAGE
    try:
        (outputs,) = json.loads(Path(source).read_text()).values()
        config = page_config(outputs)
    except (OSError, ValueError, AttributeError, KeyError) as error:
        sys.stderr.write(f"robosignal: {source} has no outputs of one stack: {error!r}\n")
        return 1
    page.write_text(json.dumps(config, indent=2) + "\n")
    sys.stdout.write(f"The page now connects to {config['webSocketUrl']}: {page}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
