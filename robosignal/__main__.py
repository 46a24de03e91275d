"""`python -m robosignal`."""

import sys

from robosignal.cli.main import main

sys.exit(main())
