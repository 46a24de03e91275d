"""One line on a terminal that says what is going on; nothing elsewhere."""

from typing import TextIO


class Progress:
    """Writes over its own line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream if stream.isatty() else None

    def tell(self, line: str) -> None:
        """Show this instead of what was shown."""
        if self._stream is not None:
            self._stream.write(f"\r{line}\x1b[K")
            self._stream.flush()

    def close(self) -> None:
        """Take the line away."""
        self.tell("")
