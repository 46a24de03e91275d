"""Log lines for a terminal: the sentence, then what was logged beside it as key=value.

On AWS the runtime writes the same records as JSON; this is for people who watch one machine.
"""

import logging

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_QUOTED = frozenset(" '\"=\\")


class Lines(logging.Formatter):
    """Writes a record in one line, whatever is in it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the sentence and the record's own fields, none of which can pass for two.

        Whatever is not one plain word is quoted, so a line begins with its sentence, and a field
        where the one before it ends.
        """
        said = super().format(record)
        beside = (
            f"{name}={_word(str(value))}"
            for name, value in vars(record).items()
            if name not in _PLAIN and value is not None
        )
        return " ".join((said, *beside))


def _word(value: str) -> str:
    plain = value and value.isprintable() and not set(value) & _QUOTED
    return value if plain else ascii(value)
