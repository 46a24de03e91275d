"""`python -m robosignal`."""

import sys

from robosignal.cli import main

sys.exit(main())
