"""Reads the test picture back out of a frame of video, as a page's canvas could."""

import numpy as np
from numpy.typing import NDArray

from robosignal.robot.media.test_pattern import BLACK, BLOCK, HEIGHT, NUMBER_BITS, WHITE, WIDTH

Planes = NDArray[np.uint8]
"""YUV 4:2:0 in planes: `HEIGHT` rows of luma, then the two colours at half size."""


def planes(image: bytes | bytearray) -> Planes:
    """Return an image of the test pattern as an array."""
    return np.frombuffer(image, dtype=np.uint8).reshape(HEIGHT * 3 // 2, WIDTH)


def number_in(luma: Planes) -> int | None:
    """Return the frame number in the strip of blocks; None where there is no strip."""
    middle = luma[BLOCK // 2, BLOCK // 2 : (NUMBER_BITS + 2) * BLOCK : BLOCK]
    white, black = int(middle[0]), int(middle[1])
    if white - black < (WHITE - BLACK) // 2:
        return None
    bits = middle[2:] > (white + black) // 2
    return int("".join("1" if bit else "0" for bit in bits), 2)
