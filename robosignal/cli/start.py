"""Where the command `robosignal` begins: where an extra is missing, it says which to install."""

import sys

from robosignal.extras import MissingExtra, explain


def start() -> int:
    """Run the command line and return its exit code; 1 where an extra is missing."""
    try:
        # Imported here: the commands' modules need the extras.
        from robosignal.cli.main import main  # noqa: PLC0415

        return main()
    except ModuleNotFoundError as missing:
        error = explain("this command", "gateway", missing)
        if not isinstance(error, MissingExtra):
            raise
        sys.stderr.write(f"robosignal: {error}\n")
        return 1
