"""Mirror images: what is to the left of a picture comes to the right."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def mirrored(pictures: NDArray[Any], shape: tuple[int, int, int]) -> NDArray[Any]:
    """The mirror image of each picture.

    Args:
        pictures: (m, ...), each h w c numbers, flattened or not.
        shape: (h, w, c).

    Returns:
        The same shape, a new array.
    """
    images = pictures.reshape(len(pictures), *shape)
    return np.ascontiguousarray(images[:, :, ::-1]).reshape(pictures.shape)
