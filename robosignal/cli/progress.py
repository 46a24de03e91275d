"""One line on a terminal that shows what is going on. Nothing is written to a file or pipe."""

from typing import TextIO


class Progress:
    """Overwrites its own line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream if stream.isatty() else None

    def show(self, line: str) -> None:
        """Show this line in place of the one before."""
        if self._stream is not None:
            self._stream.write(f"\r{line}\x1b[K")
            self._stream.flush()

    def close(self) -> None:
        """Clear the line."""
        self.show("")
