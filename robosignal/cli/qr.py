"""QR codes for a terminal: a link that a phone's camera reads off the screen."""

from typing import Final

import segno

QUIET_ZONE = 4
"""How many light modules surround a code, which its readers need (ISO/IEC 18004, section 9.1)."""

HALVES: Final = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
"""The letters that show two modules, one above the other: light ones are in the foreground."""

# Its own colours, white on black: on a light terminal the default ones would invert the code.
_COLOURS = "\x1b[97;40m"
_RESET = "\x1b[0m"


def draw_qr(text: str) -> str:
    """Return the lines of a QR code for `text`, two rows of modules in each, in ANSI colours.

    Raise ValueError (segno's DataOverflowError) for a text that no code holds, of some 3,000 bytes.
    """
    # A screen is neither dirty nor torn: the least correction makes the smallest code.
    code = segno.make(text, error="l", micro=False)
    rows = [tuple(row) for row in code.matrix_iter(border=QUIET_ZONE)]
    if len(rows) % 2:
        rows.append((0,) * len(rows[0]))
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join(
        _COLOURS
        + "".join(HALVES[bool(top), bool(bottom)] for top, bottom in zip(*pair, strict=True))
        + _RESET
        for pair in pairs
    )
