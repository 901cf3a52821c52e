"""What a person types of a version."""

import pytest

from experiments.errors import InputError
from sweeps.promotion.by_hand import promote
from sweeps.storage.workspace import Workspace


@pytest.mark.parametrize("text", ["houses", "houses/newest"])
def test_a_version_is_a_number_and_the_example_is_one_that_could_be(tmp_path, text):
    with pytest.raises(InputError, match=rf"{text}: names no version\. .* is a number\. .* promote houses/1$"):
        promote(Workspace(tmp_path), text, None, is_forced=False)
