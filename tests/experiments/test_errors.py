import pickle

from experiments.errors import InputError, how_many, in_rows, listed, nearest


def test_an_input_error_says_its_three_parts_in_one_line() -> None:
    error = InputError("a is b.", "c is allowed.", "Type d.")
    assert str(error) == "a is b. c is allowed. Type d."
    assert (error.what, error.allowed, error.fix) == ("a is b.", "c is allowed.", "Type d.")
    assert isinstance(error, ValueError)


def test_an_input_error_survives_the_way_back_from_a_worker_process() -> None:
    error = InputError("a is b.", "c is allowed.", "Type d.")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301


def test_nearest_is_a_phrase_with_the_known_word_or_nothing() -> None:
    assert nearest("prcie", ["price", "rooms"]) == " Did you mean 'price'?"
    assert nearest("PRICE", ["Price"]) == " Did you mean 'Price'?"
    assert nearest("zzz", ["price", "rooms"]) == ""
    assert nearest("price", ["price"]) == "", "it may be wrong for another reason"


def test_long_lists_are_cut_and_say_how_much() -> None:
    assert listed(range(3)) == "0, 1, 2"
    assert listed(range(8)) == "0, 1, 2, 3, 4 and 3 more"


def test_one_thing_is_told_in_the_singular() -> None:
    assert [how_many(n, "row") for n in (0, 1, 2000)] == ["0 rows", "1 row", "2,000 rows"]
    assert [how_many(n, "class is", "classes are") for n in (1, 2)] == ["1 class is", "2 classes are"]
    assert in_rows([3]) == "row 3 (counted from 0)"
    assert in_rows([3, 5]) == "rows 3, 5 (counted from 0)"


def test_a_value_of_a_megabyte_is_told_by_its_ends():
    error = InputError(f"houses.toml: name = {'x' * 1_000_000} is too long.", "allowed.", "fix.")
    assert len(str(error)) < 2_000
    assert error.what.startswith("houses.toml: name = xxx")
    assert error.what.endswith("xxx is too long.")
