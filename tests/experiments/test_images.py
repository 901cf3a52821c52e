"""Image files of any size and mode become what the network was trained on."""

import warnings

import numpy as np
import pytest
from PIL import Image

from experiments.errors import InputError
from experiments.readers.images import is_image, read_images

RGB = (64, 64, 3)


@pytest.fixture
def picture():
    """40 x 30 pixels: red on the left, blue on the right."""
    image = Image.new("RGB", (40, 30), (200, 30, 10))
    image.paste((10, 30, 200), (20, 0, 40, 30))
    return image


def saved(image, path, **options):
    image.save(path, **options)
    return path


def read(path, shape=RGB):
    return read_images([path], shape)[0]


def test_an_image_of_the_training_size_is_read_pixel_by_pixel(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, RGB, dtype=np.uint8)
    path = saved(Image.fromarray(pixels), tmp_path / "a.png")
    np.testing.assert_array_equal(read(path), pixels)
    assert read(path).dtype == np.uint8


def test_other_sizes_are_stretched_to_the_training_size(picture, tmp_path):
    for size in ((40, 30), (7, 300), (1, 1), (900, 20)):
        assert read(saved(picture.resize(size), tmp_path / "a.png")).shape == RGB
    found = read(saved(picture, tmp_path / "a.png"))
    np.testing.assert_array_equal(found[:, :28], np.broadcast_to((200, 30, 10), (64, 28, 3)))
    np.testing.assert_array_equal(found[:, 36:], np.broadcast_to((10, 30, 200), (64, 28, 3)))


def test_shrinking_averages_instead_of_dropping_pixels(tmp_path):
    checkers = np.kron(np.indices((128, 128)).sum(axis=0) % 2, np.ones((1, 1))).astype(np.uint8) * 255
    found = read(saved(Image.fromarray(checkers), tmp_path / "a.png"), (16, 16, 1))
    assert np.abs(found.astype(int) - 127).max() < 10


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "YCbCr"])
def test_every_mode_is_the_same_picture(mode, picture, tmp_path):
    source = picture.quantize(2) if mode == "P" else picture.convert(mode)
    expected = np.asarray(source.convert("RGB"))
    found = read(saved(source, tmp_path / ("a.tif" if mode in ("CMYK", "YCbCr") else "a.png")), (30, 40, 3))
    assert np.abs(found.astype(int) - expected).max() <= 2


def test_grey_of_sixteen_bits_keeps_its_scale(picture, tmp_path):
    grey = np.asarray(picture.convert("L"))
    path = saved(Image.fromarray(grey.astype(np.uint16) * 257), tmp_path / "a.png")
    np.testing.assert_array_equal(read(path, (30, 40, 1))[:, :, 0], grey)
    np.testing.assert_array_equal(read(path, (30, 40, 3))[:, :, 1], grey)


@pytest.mark.parametrize(("n_channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_the_channels_are_those_of_the_training_images(n_channels, mode, picture, tmp_path):
    found = read(saved(picture, tmp_path / "a.png"), (30, 40, n_channels))
    np.testing.assert_array_equal(found, np.asarray(picture.convert(mode)).reshape(30, 40, n_channels))


def test_transparent_parts_lie_on_white_and_hide_what_is_under_them(tmp_path):
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (4, 0, 8, 8))
    found = read(saved(image, tmp_path / "a.png"), (8, 8, 3))
    np.testing.assert_array_equal(found[0, 0], (255, 255, 255))
    np.testing.assert_array_equal(found[0, 7], (0, 0, 255))

    palette = image.convert("P")
    path = saved(palette, tmp_path / "a.gif", transparency=palette.getpixel((0, 0)))
    with Image.open(path) as opened:
        assert opened.mode == "P"
    np.testing.assert_array_equal(read(path, (8, 8, 3))[0, 0], (255, 255, 255))


def test_a_photograph_is_turned_as_the_camera_says(picture, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    turned = picture.rotate(90, expand=True)
    path = saved(turned, tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read(path, (30, 40, 3)), np.asarray(picture))


def test_of_an_animation_the_first_frame_counts(picture, tmp_path):
    path = saved(picture, tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", picture.size)])
    found = read(path, (30, 40, 3)).astype(int)
    assert np.abs(found - np.asarray(picture)).max() < 60  # a palette


def test_what_is_no_sound_image_is_refused(picture, tmp_path, monkeypatch):
    path = saved(picture, tmp_path / "a.png")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert is_image(path)
    with pytest.raises(
        InputError, match=r"a\.png: the image is missing, truncated or damaged \(.*\)\. Images are files"
    ):
        read(path)

    path.write_bytes(b"not an image at all")
    assert not is_image(path)
    with pytest.raises(InputError, match="damaged"):
        read(path)

    path.write_bytes(whole)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 * 30 // 3)
    with pytest.raises(InputError, match=r"Images have at most 800 pixels\. Make it smaller first"):
        read(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 * 30 - 1)
    with warnings.catch_warnings(record=True) as heard:
        assert read(path).shape == RGB
    assert not heard, "Pillow only warns of an image of this size, and we can read it"


def test_floating_point_pixels_are_refused(tmp_path):
    path = saved(Image.fromarray(np.full((4, 4), 0.5, np.float32)), tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"a\.tif: its pixels are floating-point numbers"):
        read(path)


def test_training_images_of_two_channels_cannot_come_from_image_files(picture, tmp_path):
    with pytest.raises(InputError, match=r"the training images have 2 channels\. Image files have 1, 3, 4"):
        read(saved(picture, tmp_path / "a.png"), (8, 8, 2))
