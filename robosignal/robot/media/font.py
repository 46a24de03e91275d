"""Letters as blocks of five by seven dots, and lines of text as arrays of them.

Knows shapes; never colours or places.
"""

from functools import lru_cache
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

ROWS, COLUMNS = 7, 5

# Seven rows from the top, one byte each in hexadecimal; the lowest five bits are the dots.
GLYPHS = {
    "0": "0e11131519110e",
    "1": "040c040404040e",
    "2": "0e11010204081f",
    "3": "1f02040201110e",
    "4": "02060a121f0202",
    "5": "1f101e0101110e",
    "6": "0608101e11110e",
    "7": "1f010204080808",
    "8": "0e11110e11110e",
    "9": "0e11110f01020c",
    "A": "0e11111f111111",
    "B": "1e11111e11111e",
    "C": "0e11101010110e",
    "D": "1c12111111121c",
    "E": "1f10101e10101f",
    "F": "1f10101e101010",
    "G": "0e11101711110f",
    "H": "1111111f111111",
    "I": "0e04040404040e",
    "J": "0702020202120c",
    "K": "11121418141211",
    "L": "1010101010101f",
    "M": "111b1515111111",
    "N": "11111915131111",
    "O": "0e11111111110e",
    "P": "1e11111e101010",
    "Q": "0e11111115120d",
    "R": "1e11111e141211",
    "S": "0f10100e01011e",
    "T": "1f040404040404",
    "U": "1111111111110e",
    "V": "11111111110a04",
    "W": "1111111515150a",
    "X": "11110a040a1111",
    "Y": "1111110a040404",
    "Z": "1f01020408101f",
    ".": "00000000000c0c",
    ":": "000c0c000c0c00",
    "-": "0000001f000000",
    "_": "0000000000001f",
    "(": "02040808080402",
    ")": "08040202020408",
    "@": "0e11010d15150e",
    "/": "00010204081000",
    "?": "0e110102040004",
    " ": "00000000000000",
}


@lru_cache(maxsize=256)
def line(text: str, scale: int) -> NDArray[np.bool_]:
    """Return the dots of one line, `scale` pixels a dot; letters that it lacks become `?`."""
    # Decomposed, so that an accent is dropped and its letter stays.
    letters = [letter for letter in normalize("NFKD", text).upper() if not _is_accent(letter)]
    cells = [_cell(letter, scale) for letter in letters]
    return np.hstack(cells) if cells else np.zeros((ROWS * scale, 0), dtype=np.bool_)


def _is_accent(letter: str) -> bool:
    return "\u0300" <= letter <= "\u036f"


@lru_cache(maxsize=256)
def _cell(letter: str, scale: int) -> NDArray[np.bool_]:
    rows = np.frombuffer(bytes.fromhex(GLYPHS.get(letter, GLYPHS["?"])), dtype=np.uint8)
    dots = np.unpackbits(rows[:, None], axis=1)[:, -COLUMNS - 1 :]
    # The sixth bit from the right is always clear: it is the gap between two letters.
    return np.kron(dots, np.ones((scale, scale), dtype=np.uint8)).astype(np.bool_)
