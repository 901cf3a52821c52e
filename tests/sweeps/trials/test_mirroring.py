"""Mirror images: taken where they lower the cost out of fold, or where they are asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.errors import InputError
from sweeps.data import load_data, notes_on_data, problem_of, training_data
from sweeps.trials.recipe import with_recipe
from tests.sweeps.support.small_sweep import small_config


def pictures(kind: str, m: int = 60, size: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (m, size, size) of noise with a bright spot.

    In "upright" ones it is in the upper or the lower half, which is what they are told apart by, on either side. In
    "sideways" ones it is in the left or the right half, and that is.
    """
    generator, half = np.random.default_rng(0), size // 2
    y = np.arange(m) % 2
    X = generator.integers(0, 60, (m, size, size))
    for picture, label, other in zip(X, y, generator.integers(0, 2, m), strict=True):
        down, right = (label, other) if kind == "upright" else (other, label)
        row, column = half * down + generator.integers(0, half - 1), half * right + generator.integers(0, half - 2)
        picture[row : row + 2, column : column + 3] += 190
    return X.astype(np.uint8), y


@pytest.fixture
def upright(tmp_path: Path) -> Path:
    X, y = pictures("upright")
    np.savez(tmp_path / "pictures.npz", X=X, y=y)
    return tmp_path


def config(folder: Path, **sections):
    training = {"recipe": "auto"} | sections.pop("training", {})
    return small_config(folder, **{"data": {"train": "pictures.npz"}, "training": training, **sections})


def test_mirror_images_are_trained_on_where_they_help_and_this_is_said(upright):
    prepared = load_data(config(upright))
    assert prepared.has_mirror_images
    (note,) = (note for note in notes_on_data(prepared) if "mirror image" in note)
    assert "[training] flips = false" in note


def test_they_are_not_where_left_and_right_are_what_tells_the_classes_apart(tmp_path):
    X, y = pictures("sideways")
    np.savez(tmp_path / "pictures.npz", X=X, y=y)
    prepared = load_data(config(tmp_path))
    assert not prepared.has_mirror_images
    assert not [note for note in notes_on_data(prepared) if "mirror" in note]


@pytest.mark.parametrize("training", [{"flips": False}, {"recipe": "textbook"}])
def test_the_course_and_whoever_says_so_do_without(upright, training):
    assert not load_data(config(upright, training=training)).has_mirror_images


def test_mirror_images_of_a_table_are_refused(tmp_path):
    np.savez(tmp_path / "pictures.npz", X=np.random.default_rng(0).random((40, 3)), y=np.arange(40) % 2)
    with pytest.raises(InputError, match=r"^small \[training\] flips = true, and .*pictures\.npz are no pictures\."):
        load_data(config(tmp_path, training={"flips": True}))


@pytest.mark.parametrize("scaling", ["unit", "channels", "standardize"])
def test_networks_train_on_the_mirror_images_of_their_own_pictures_and_are_validated_on_pictures(upright, scaling):
    chosen = config(upright, data={"train": "pictures.npz", "scaling": scaling}, training={"flips": True})
    X, y = pictures("upright")
    np.savez(upright / "pictures.npz", X=X[..., np.newaxis], y=y)
    prepared = load_data(chosen)
    data = training_data(prepared, "float64", leaves_span=True)
    m = prepared.X.shape[1]
    with_ones = data.scaled.with_ones
    shown = with_ones if with_ones.ndim == 3 else np.broadcast_to(with_ones, (5, *with_ones.shape))
    raw = prepared.dataset.X_train
    for fold, of_fold in enumerate(shown):
        own = prepared.folds[fold].preprocessing if prepared.folds else prepared.preprocessing
        np.testing.assert_array_equal(of_fold[:-1, :m], own.transform(raw))
        np.testing.assert_array_equal(of_fold[:-1, m:], own.transform(raw[:, :, ::-1]))
    np.testing.assert_array_equal(data.held_out, np.tile(prepared.held_out, 2))
    np.testing.assert_array_equal(data.validated[:, :m], prepared.held_out)
    assert not data.validated[:, m:].any()
    np.testing.assert_array_equal(data.targets[..., :m], data.targets[..., m:])


def test_mirror_images_are_held_out_with_their_pictures_also_where_these_are_not_validated(upright):
    prepared = load_data(config(upright, training={"flips": True}))
    later = np.zeros_like(prepared.held_out)
    later[:, -5:] = True
    prepared = replace(prepared, held_out=prepared.held_out | later, validated=prepared.validated & ~later)
    data = training_data(prepared, "float64", leaves_span=False)
    np.testing.assert_array_equal(data.held_out, np.tile(prepared.held_out, 2))
    np.testing.assert_array_equal(data.validated, np.hstack([prepared.validated, np.zeros_like(later)]))


def test_a_sweep_with_mirror_images_is_another_than_one_without(upright):
    asked, without = config(upright, training={"flips": True}), config(upright, training={"flips": False})
    prints = [
        with_recipe(one, problem_of(one, prepared)).fingerprint("digest")
        for one, prepared in ((one, load_data(one)) for one in (config(upright), asked, without))
    ]
    assert prints[0] == prints[1] != prints[2]
