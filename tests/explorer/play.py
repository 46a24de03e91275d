"""Plays one noted schedule again and prints its trace: `python -m tests.explorer.play LINE`."""

import sys

from tests.explorer.explorer import Explorer
from tests.explorer.noted import read


def main(line: str) -> int:
    """Print the trace; return 1 if the schedule breaks a rule."""
    noted = read(line)
    explorer = Explorer(noted.situation, warm=noted.warm, doubtful=noted.doubtful)
    told = explorer.again(noted)
    sys.stdout.write(told + "\n")
    return int(bool(explorer.broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
