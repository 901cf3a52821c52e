"""What our packages offer is there, and each module, class and function of it says what it is for."""

import ast
import importlib
import inspect

import pytest

from tests.conftest import REPOSITORY

PACKAGES = ("engine", "experiments", "sweeps")


@pytest.mark.parametrize("package", [*PACKAGES, "experiments.readers", "experiments.report"])
def test_every_public_name_is_there_and_what_is_ours_of_them_has_a_docstring(package):
    module = importlib.import_module(package)
    things = {name: getattr(module, name) for name in module.__all__}
    ours = [
        thing
        for thing in things.values()
        if (inspect.isclass(thing) or inspect.isfunction(thing)) and thing.__module__.split(".")[0] in PACKAGES
    ]
    assert ours
    assert [thing.__name__ for thing in ours if not docstring_of(thing)] == []


def docstring_of(thing):
    """Its own: a dataclass that has none is given its signature for one."""
    text = thing.__doc__ or ""
    return "" if text.startswith(f"{thing.__name__}(") else text


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_module_has_a_docstring(package):
    files = [
        path
        for path in (REPOSITORY / package).rglob("*.py")
        if path.name in ("__init__.py", "__main__.py") or not path.name.startswith("_")
    ]
    assert len(files) > 10
    silent = [
        path.relative_to(REPOSITORY) for path in files if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []
