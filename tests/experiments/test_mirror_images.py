"""Mirror images of pictures, whatever shape they are stored in."""

import numpy as np

from experiments.mirror_images import mirrored


def test_what_is_to_the_left_comes_to_the_right_and_colours_and_rows_stay():
    picture = np.array([[[1, 10], [2, 20], [3, 30]], [[4, 40], [5, 50], [6, 60]]])  # (h, w, c) = (2, 3, 2)
    expected = [[[3, 30], [2, 20], [1, 10]], [[6, 60], [5, 50], [4, 40]]]
    assert mirrored(picture[np.newaxis], (2, 3, 2)).tolist() == [expected]
    flat = mirrored(picture.reshape(1, -1), (2, 3, 2))
    assert flat.tolist() == [np.ravel(expected).tolist()]


def test_the_mirror_image_of_a_mirror_image_is_the_picture():
    pictures = np.random.default_rng(0).integers(0, 256, (5, 4, 6), dtype=np.uint8)
    np.testing.assert_array_equal(mirrored(mirrored(pictures, (4, 6, 1)), (4, 6, 1)), pictures)
