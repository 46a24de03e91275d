"""`python -m robosignal`."""

import sys

from robosignal.cli.start import start

sys.exit(start())
