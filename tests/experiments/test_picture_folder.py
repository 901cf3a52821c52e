"""A folder per class is the data set of the same pictures in an array, and is decoded once."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from experiments.contact_sheet import write_contact_sheet
from experiments.dataset import Dataset, load_dataset
from experiments.errors import InputError
from experiments.readers import picture_folder
from experiments.readers.images import read_images
from experiments.readers.options import ReadOptions
from experiments.readers.threads import in_threads

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sweeps" / "pictures"


def draw(path: Path, size: tuple[int, int] = (12, 16), *, is_grey: bool = False) -> None:
    """A picture of random pixels; size is (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, size if is_grey else (*size, 3), dtype=np.uint8)).save(path)


def pets(folder: Path, n: int = 6, **options: object) -> Path:
    for i in range(n):
        draw(folder / "cats" / f"{i}.png", **options)  # type: ignore[arg-type]
        draw(folder / "dogs" / "big" / f"{i}.png", **options)  # type: ignore[arg-type]
    return folder


def read(folder: Path, image_size: int | tuple[int, int] | None = None, **more: object) -> Dataset:
    options = ReadOptions(image_size=image_size)
    return load_dataset(str(folder), directory=folder.parent, options=options, **more)  # type: ignore[arg-type]


def test_a_folder_is_the_data_set_of_its_pictures_in_an_array(tmp_path: Path) -> None:
    files = sorted(pets(tmp_path / "pets").rglob("*.png"))
    X, y = np.stack([np.asarray(Image.open(file)) for file in files]), np.repeat(["cats", "dogs"], 6)
    np.savez(tmp_path / "pets.npz", X=X, y=y)
    dataset = read(tmp_path / "pets")
    assert dataset.digest == load_dataset("pets.npz", directory=tmp_path).digest
    assert (dataset.class_names, dataset.image_shape) == (("cats", "dogs"), (12, 16, 3))
    assert any("12 pictures of 2 classes (cats 6, dogs 6), read as 12 x 16" in note for note in dataset.notes)


def test_train_and_test_inside_are_what_they_are_called(tmp_path: Path) -> None:
    pets(tmp_path / "pets" / "train"), pets(tmp_path / "pets" / "test", 2)
    dataset = read(tmp_path / "pets", (6, 8))
    assert (dataset.X_train.shape, dataset.X_test.shape) == ((12, 6, 8, 3), (4, 6, 8, 3))
    other = read(tmp_path / "pets" / "train", (6, 8), test=str(tmp_path / "pets" / "test"))
    assert other.digest == dataset.digest


def test_pictures_are_stretched_as_predict_stretches_them_and_grey_only_if_all_are(tmp_path: Path) -> None:
    pets(tmp_path / "grey", is_grey=True)
    assert read(tmp_path / "grey", 5).image_shape == (5, 5, 1)
    draw(tmp_path / "grey" / "cats" / "0.png", (30, 40))
    dataset = read(tmp_path / "grey", 5)
    assert dataset.image_shape == (5, 5, 3)
    one = read_images([tmp_path / "grey" / "cats" / "0.png"], (5, 5, 3))[0]
    assert (np.concatenate([dataset.X_train, dataset.X_test]) == one).all(axis=(1, 2, 3)).sum() == 1


def test_several_sizes_are_refused_until_one_is_said(tmp_path: Path) -> None:
    draw(pets(tmp_path / "pets") / "cats" / "0.png", (30, 40))
    with pytest.raises(InputError, match=r"have 2 sizes, from 12 x 16 to 30 x 40 .* Write image_size = 64"):
        read(tmp_path / "pets")
    assert read(tmp_path / "pets", 8).image_shape == (8, 8, 3)


def test_all_files_that_are_no_pictures_are_named_at_once_and_those_of_file_managers_pass(tmp_path: Path) -> None:
    folder = pets(tmp_path / "pets")
    for name in (".DS_Store", "Thumbs.db"):
        (folder / "cats" / name).write_bytes(b"x")
    (folder / "labels.csv").write_text("a,b\n")
    (folder / ".git").mkdir()
    assert "1 file outside of the classes' folders is left out: labels.csv" in read(folder).notes[-1]
    (folder / "cats" / "notes.txt").write_text("no picture")
    whole = (folder / "dogs" / "big" / "0.png").read_bytes()
    (folder / "dogs" / "big" / "0.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"2 of 13 files cannot be read as pictures\. .*notes\.txt.*big/0\.png"):
        read(folder, 8, test=None)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda folder: folder.mkdir(), "holds nothing, and no folder of a class"),
        (lambda folder: draw(folder / "1.png"), "holds 1.png, and no folder of a class"),
        (lambda folder: (pets(folder), (folder / "birds").mkdir()), "1 folder holds no picture: birds"),
    ],
)
def test_a_folder_that_is_not_one_per_class_is_refused(tmp_path: Path, make: object, match: str) -> None:
    make(tmp_path / "pets")  # type: ignore[operator]
    with pytest.raises(InputError, match=match):
        read(tmp_path / "pets")


def test_pictures_are_decoded_once_until_one_changes_or_the_cache_is_damaged(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    monkeypatch.setattr(
        picture_folder, "read_images", lambda files, *rest: decoded.append(len(files)) or read_images(files, *rest)
    )
    folder = pets(tmp_path / "pets")
    first = read(folder).digest
    assert (read(folder).digest, decoded) == (first, [12])
    assert cache.stat().st_mode & 0o777 == 0o700
    kept = next(cache.iterdir())
    with h5py.File(kept) as file:
        offset = file["X"].id.get_chunk_info(0).byte_offset
    damaged = bytearray(kept.read_bytes())
    damaged[offset + 7] ^= 1
    kept.write_bytes(damaged)
    assert (read(folder).digest, decoded) == (first, [12, 12])
    draw(folder / "cats" / "0.png")
    assert read(folder).digest != first
    assert decoded == [12, 12, 12]


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    dataset = read(pets(tmp_path / "pets"))
    assert dataset.n_train + dataset.n_test == 12
    assert write_contact_sheet(dataset) is None


def test_a_contact_sheet_shows_the_pixels_that_are_trained_on(tmp_path: Path) -> None:
    path = write_contact_sheet(dataset := read(pets(tmp_path / "pets"), 8))
    assert path is not None
    sheet = np.asarray(Image.open(path))
    tile = np.repeat(np.repeat(dataset.X_train[np.flatnonzero(dataset.y_train == 0)[0]], 12, 0), 12, 1)
    np.testing.assert_array_equal(sheet[18 : 18 + 96, 4 : 4 + 96], tile)


def test_keys_of_other_kinds_of_file_are_refused(tmp_path: Path) -> None:
    pets(tmp_path / "pets")
    with pytest.raises(InputError, match="examples = 'rows' is given, but this is a folder of pictures"):
        load_dataset("pets", directory=tmp_path, options=ReadOptions(examples="rows"))
    with pytest.raises(InputError, match="target = 'kind' is given, but this is not a table"):
        load_dataset("pets", directory=tmp_path, target="kind")
    with pytest.raises(InputError, match="sklearn:iris: image_size is given, but this is no folder of pictures"):
        load_dataset("sklearn:iris", options=ReadOptions(image_size=8))


def test_threads_keep_the_order_and_tell_how_far_they_are() -> None:
    told: list[int] = []
    assert in_threads(lambda number: number**2, range(50), told.append) == [number**2 for number in range(50)]
    assert told == list(range(1, 51))
