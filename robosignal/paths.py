"""Where the package's data is, in a checkout and in an installed wheel."""

from pathlib import Path

PACKAGE = Path(__file__).parent


def web_root() -> Path:
    """Return the directory of the console page."""
    installed = PACKAGE / "web"
    return installed if installed.is_dir() else PACKAGE.parent / "web"
