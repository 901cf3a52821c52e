"""Recipes: what a configuration comes to where it does not say how trials are trained."""

import tomllib
from pathlib import Path

import pytest

from experiments.errors import InputError
from sweeps.configuration.config_file import as_toml, override, parse_config
from sweeps.configuration.search_space import FloatRange, SearchSpace, ShareRange
from sweeps.trials.problem import Problem
from sweeps.trials.recipe import with_recipe

TABLE = Problem(30, 1, 500, 5, "binary", "float32", 1)
HOUSES = Problem(30, 1, 500, 5, "regression", "float32", 1)
PICTURES = Problem(12288, 1, 209, 5, "binary", "float32", 1)


def config(**sections):
    values = {"sweep": {"name": "a"}, "data": {"train": "a.csv"}} | sections
    return parse_config(values, source="a.toml", directory=Path.cwd())


def space(problem=TABLE, **sections):
    return with_recipe(config(**sections), problem).space


@pytest.mark.parametrize("problem", [TABLE, HOUSES, PICTURES])
def test_the_textbooks_recipe_is_the_search_space_of_studies_from_before_there_were_recipes(problem):
    assert space(problem, training={"recipe": "textbook"}) == SearchSpace()
    assert SearchSpace().optimizer == ("gradient_descent",)


def test_a_table_is_trained_by_adamw_on_minibatches_and_pictures_by_full_batch_gradient_descent():
    assert (space().optimizer, space().minibatch_size) == (("adamw",), (32, 128, 512))
    assert space().dropout == ShareRange(low=0.0, high=0.3)
    assert (space(PICTURES).optimizer, space(PICTURES).minibatch_size) == (("gradient_descent",), (0,))


@pytest.mark.parametrize(
    ("problem", "optimizer", "high"),
    [
        (TABLE, "adamw", 0.03),
        (HOUSES, "adamw", 0.03),
        (TABLE, "gradient_descent", 1.0),
        (TABLE, "momentum", 1.0),
        (HOUSES, "gradient_descent", 0.1),
        (PICTURES, "momentum", 0.1),
    ],
)
def test_the_range_of_learning_rates_follows_the_optimizer_and_the_task(problem, optimizer, high):
    assert space(problem, training={"optimizer": optimizer}).learning_rate.high == high


def test_several_optimizers_share_a_range_that_holds_those_of_all():
    both = space(training={"optimizer": ["gradient_descent", "adamw"]})
    assert both.learning_rate == FloatRange(low=5e-4, high=1.0, log=True)


@pytest.mark.parametrize("recipe", ["auto", "textbook"])
def test_what_is_written_goes_before_the_recipe_even_where_it_is_the_textbooks_default(recipe):
    written = {
        "search": {"learning_rate": {"low": 1e-3, "high": 1.0, "log": True}, "hidden_units": 7},
        "training": {"recipe": recipe, "minibatch_size": 64, "weight_decay": {"low": 0.01, "high": 1.0, "log": True}},
    }
    found = space(**written)
    assert found.learning_rate == FloatRange(low=1e-3, high=1.0, log=True)
    assert (found.hidden_units, found.minibatch_size) == (7, (64,))
    assert found.weight_decay == FloatRange(low=0.01, high=1.0, log=True)


def test_an_option_of_the_command_line_leaves_the_recipe_its_choice():
    changed = override(config(), sweep={"n_trials": 7})
    assert with_recipe(changed, TABLE).space == space()


def test_the_recorded_file_leaves_the_recipe_its_choice_and_comes_to_the_same():
    resolved = with_recipe(config(search={"depth": 2}), TABLE)
    text = as_toml(resolved)
    assert "hidden_units" not in text
    again = parse_config(tomllib.loads(text), source="again.toml", directory=Path.cwd())
    assert with_recipe(again, TABLE).space == resolved.space


def test_the_fingerprint_is_that_of_what_the_configuration_comes_to():
    auto, textbook = config(), config(training={"recipe": "textbook"})
    assert with_recipe(auto, TABLE).fingerprint("d") != with_recipe(textbook, TABLE).fingerprint("d")
    spelt_out = config(training={"recipe": "auto", "optimizer": "adamw"})
    assert with_recipe(auto, TABLE).fingerprint("d") == with_recipe(spelt_out, TABLE).fingerprint("d")


def first(problem=TABLE, **sections):
    return [table.model_dump(exclude_none=True) for table in with_recipe(config(**sections), problem).enqueue]


def test_a_linear_model_and_a_network_are_tried_first_on_tables_and_a_linear_model_alone_on_pictures():
    assert [table["hidden_units"] for table in first()] == [(), (128, 64)]
    assert [table["hidden_units"] for table in first(PICTURES)] == [()]
    assert all(table["n_iterations"] == 3000 for table in first())


def test_of_the_first_configurations_only_what_the_space_holds_is_said():
    assert first(search={"depth": 1, "activation": "tanh"}) == [
        {"learning_rate": 0.005, "n_iterations": 3000, "minibatch_size": 128, "dropout": 0.1}
    ]
    narrow = first(search={"hidden_units": {"low": 2, "high": 64}, "n_iterations": {"low": 5, "high": 40}})
    assert [(table["n_iterations"], table.get("hidden_units")) for table in narrow] == [(40, ()), (40, None)]


def test_the_textbook_has_none_and_the_users_own_replace_them():
    assert first(training={"recipe": "textbook"}) == []
    assert first(enqueue=[{"depth": 3}]) == [{"depth": 3}]


def test_what_is_outside_of_the_recipes_choice_is_named_with_its_file():
    outside = config(enqueue=[{"learning_rate": 0.5}])
    with pytest.raises(InputError, match=r"^a.toml \[\[enqueue\]\] table 1, learning_rate: 0.5 .* 0.0005 to 0.03"):
        with_recipe(outside, TABLE)


def test_what_is_tried_first_is_part_of_the_fingerprint_and_not_of_the_recorded_file():
    resolved = with_recipe(config(), TABLE)
    assert resolved.fingerprint("d") != resolved.with_first(()).fingerprint("d")
    assert "enqueue" not in as_toml(resolved)
