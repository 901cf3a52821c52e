"""What a configuration may say; every bad one is refused with its place, what is allowed, and what to change."""

import copy
from pathlib import Path

import pytest

from experiments.errors import InputError
from sweeps.configuration.config import Config
from sweeps.configuration.config_file import parse_config
from sweeps.configuration.search_space import FloatRange, IntRange
from tests.sweeps.support.small_sweep import small_config

BASE = {"sweep": {"name": "cats"}, "data": {"train": "cats.h5"}}


def parsed(**sections) -> Config:
    values = copy.deepcopy(BASE)
    for section, changes in sections.items():
        values[section] = values.get(section, {}) | changes if isinstance(changes, dict) else changes
    return parse_config(values, source="cats.toml", directory=Path.cwd())


BAD = {
    "a misspelt key": (
        {"search": {"learning_rat": 0.1}},
        r"cats.toml \[search\] learning_rat: unknown key. Did you mean 'learning_rate'\? Known here: learning_rate, n_",
    ),
    "a key nothing is near": ({"sweep": {"zzz": 1}}, r"\[sweep\] zzz: unknown key. Known here: name, n_trials"),
    "a misspelt table": (
        {"serch": {"depth": 1}},
        r"cats.toml \[serch\]: unknown table. Did you mean 'search'\? Known here: sweep, data, search",
    ),
    "a misspelt bound": (
        {"search": {"depth": {"low": 0, "hihg": 3}}},
        r"\[search\] depth.hihg: unknown key. Did you mean 'high'\? Known here: low, high, log",
    ),
    "a key named like an internal tag": ({"search": {"value": 1}}, r"\[search\] value: unknown key. Known here: learn"),
    "a bound named like an internal tag": (
        {"search": {"depth": {"low": 0, "high": 1, "range": 3}}},
        r"\[search\] depth.range: unknown key. Known here: low, high, log",
    ),
    "low above high": (
        {"search": {"learning_rate": {"low": 0.1, "high": 0.01}}},
        r"cats.toml \[search\] learning_rate: low = 0.1 is above high = 0.01. low <= high must hold; swap them.",
    ),
    "half a range": ({"search": {"depth": {"low": 1}}}, r"\[search\] depth.high: missing. It has no default. Add it."),
    "a learning rate of 0": (
        {"search": {"learning_rate": 0}},
        r"learning_rate: 0 is not allowed. It must be greater t",
    ),
    "a negative learning rate": (
        {"search": {"learning_rate": {"low": -0.1, "high": 1.0}}},
        r"\[search\] learning_rate.low: -0.1 is not allowed. It must be greater than 0. Change it.",
    ),
    "an infinite learning rate": (
        {"search": {"learning_rate": float("inf")}},
        "inf is not allowed. It must be a finit",
    ),
    "a learning rate in words": (
        {"search": {"learning_rate": "fast"}},
        "'fast' is not allowed. It must be a valid num",
    ),
    "a number in quotes": (
        {"search": {"learning_rate": "0.1"}},
        r"learning_rate: '0.1' is not allowed. It must be a va",
    ),
    "a truth value for a number": ({"sweep": {"timeout_seconds": True}}, "timeout_seconds: True is not allowed."),
    "a depth that takes longer to build than to train": (
        {"search": {"depth": {"low": 0, "high": 1001}}},
        r"\[search\] depth.high: 1001 is not allowed. It must be less than or equal to 1000",
    ),
    "an address of no kind": (
        {"tracking": {"uri": "nonsense"}},
        r"\[tracking\] uri: \"nonsense\" is not the address of an MLflow store. It begins with http://",
    ),
    "a negative depth": (
        {"search": {"depth": -1}},
        r"\[search\] depth: -1 is not allowed. It must be greater than or e",
    ),
    "a negative lowest depth": (
        {"search": {"depth": {"low": -1, "high": 2}}},
        r"depth.low: -1 is not allowed. It must",
    ),
    "half a layer": ({"search": {"depth": 1.5}}, r"\[search\] depth: 1.5 is not allowed. It must be a valid integer."),
    "a layer of no units": (
        {"search": {"hidden_units": 0}},
        r"hidden_units: 0 is not allowed. It must be greater than",
    ),
    "no iterations": (
        {"search": {"n_iterations": 0}},
        r"n_iterations: 0 is not allowed. It must be greater than or eq",
    ),
    "a logarithmic depth from 0": (
        {"search": {"depth": {"low": 0, "high": 3, "log": True}}},
        r"\[search\] depth: low = 0 with log = true. A logarithmic range must start above 0; raise low.",
    ),
    "a share of all units": (
        {"training": {"dropout": {"low": 0.0, "high": 1.0}}},
        r"\[training\] dropout.*high: 1.0 is not allowed. It must be less than 1",
    ),
    "an unknown activation": (
        {"search": {"activation": "rlu"}},
        r"\[search\] activation.*: 'rlu' is unknown. Did you mean 'relu'\? It must be one of relu, leaky_relu, tanh",
    ),
    "one unknown activation among known ones": (
        {"search": {"activation": ["relu", "tan"]}},
        r"'tan' is unknown. Did you",
    ),
    "no activation": ({"search": {"activation": []}}, r"\[search\] activation: \[\] is not allowed. .*at least 1 item"),
    "a learning rate that would have to know the end": (
        {"training": {"learning_rate_schedule": "cosine"}},
        r"\[training\] learning_rate_schedule.*: 'cosine' is unknown.*It must be one of constant, averaged",
    ),
    "an unknown sampler": (
        {"study": {"sampler": "tpee"}},
        r"\[study\] sampler: 'tpee' is unknown. Did you mean 'tpe'\?",
    ),
    "a sampler that does not fit": (
        {"study": {"sampler": "grid"}},
        r"\[study\] sampler: \"grid\" does not fit a sweep. A grid has the same axes .* Choose tpe, random, gp",
    ),
    "a sampler of OptunaHub": (
        {"study": {"sampler": "hebo"}},
        r"\[study\] sampler: \"hebo\" does not fit a sweep. OptunaHub's samplers are downloaded while a study runs",
    ),
    "brute force over the reals": (
        {"study": {"sampler": "brute_force"}},
        r"cats.toml \[study\] sampler: \"brute_force\" with \[search\] learning_rate from 0.001 to 1.0. It tries every "
        r"configuration .* Give learning_rate a plain value \(learning_rate = 0.001\), or choose another sampler.",
    ),
    "one enqueued table in single brackets": (
        {"enqueue": {"learning_rate": 0.1}},
        r"cats.toml \[enqueue\]: one table\. .* double brackets\. Write \[\[enqueue\]\] above it\.",
    ),
    "a weight of a class below 0": (
        {"training": {"class_weight": {"cat": -1}}},
        r"cats.toml \[training\] class_weight.cat: -1 is not allowed. It must be greater than 0.",
    ),
    "a misspelt word for weights of classes": (
        {"training": {"class_weight": "balance"}},
        r"cats.toml \[training\] class_weight: 'balance' is unknown. Did you mean 'balanced'\?",
    ),
    "three sizes of pictures": (
        {"data": {"image_size": [8, 8, 3]}},
        r"cats.toml \[data\] image_size: \[8, 8, 3\] is not allowed. It must have at most 2 items, not 3.",
    ),
    "a list of depths": (
        {"search": {"depth": [1, 2]}},
        r"cats.toml \[search\] depth: \[1, 2\] is not allowed. It must be a plain value or a range, as in { low = 1,",
    ),
    "a key of an enqueued table that pydantic has a tag of": (
        {"enqueue": [{"value": 1}]},
        r"cats.toml \[\[enqueue\]\] table 1, value: unknown key.",
    ),
    "an enqueued learning rate outside the range": (
        {"enqueue": [{}, {"learning_rate": 5}], "search": {"learning_rate": {"low": 0.001, "high": 1.0}}},
        r"cats.toml \[\[enqueue\]\] table 2, learning_rate: 5.0 is outside \[search\] learning_rate. "
        r"It must be from 0.001 to 1.0. Change it, or widen \[search\] learning_rate.",
    ),
    "an enqueued value that is not the fixed one": (
        {"enqueue": [{"n_iterations": 200}], "search": {"n_iterations": 300}},
        r"\[\[enqueue\]\] table 1, n_iterations: 200 is outside \[search\] n_iterations. It must be 300. Change it",
    ),
    "an enqueued activation that is not searched": (
        {"enqueue": [{"activation": "tanh"}], "search": {"activation": ["relu", "sigmoid"]}},
        r"\[\[enqueue\]\] table 1, activation: 'tanh' is outside .*It must be one of relu, sigmoid.",
    ),
    "an enqueued layer that is too wide": (
        {"enqueue": [{"hidden_units": [8, 65]}], "search": {"hidden_units": {"low": 4, "high": 64}}},
        r"\[\[enqueue\]\] table 1, hidden_units: 65 is outside \[search\] hidden_units. It must be from 4 to 64.",
    ),
    "more enqueued layers than are searched": (
        {"enqueue": [{"hidden_units": [8] * 5}], "search": {"depth": {"low": 0, "high": 4}}},
        r"\[\[enqueue\]\] table 1, the number of hidden_units: 5 is outside \[search\] depth. It must be from 0 to 4.",
    ),
    "an enqueued depth beside other widths": (
        {"enqueue": [{"hidden_units": [8], "depth": 2}]},
        r"\[\[enqueue\]\] table 1: depth = 2 with hidden_units = \[8\]. A network has as many .* remove depth.",
    ),
    "a misspelt key of an enqueued table": (
        {"enqueue": [{"learning_rat": 0.1}]},
        r"\[\[enqueue\]\] table 1, learning_rat: unknown key. Did you mean 'learning_rate'\? Known here: learning_rate",
    ),
    "an unknown pruner": (
        {"study": {"pruner": "hyperbant"}},
        r"\[study\] pruner: 'hyperbant' is unknown. Did you mean 'hyperband'\? It must be one of",
    ),
    "an unknown executor": (
        {"execution": {"executor": "proceses"}},
        r"\[execution\] executor: .*Did you mean 'processe",
    ),
    "an unknown dtype": (
        {"execution": {"dtype": "float16"}},
        r"\[execution\] dtype: 'float16' is unknown. Did you mean",
    ),
    "a negative number of workers": (
        {"execution": {"workers": -1}},
        r"\[execution\] workers: -1 is not allowed. It must",
    ),
    "an unknown task": (
        {"data": {"task": "regresion"}},
        r"\[data\] task: 'regresion' is unknown. Did you mean 'regressi",
    ),
    "an unknown scaling": (
        {"data": {"scaling": "standard"}},
        r"\[data\] scaling: 'standard' is unknown. Did you mean 's",
    ),
    "one fold": ({"data": {"folds": 1}}, r"\[data\] folds: 1 is not allowed. It must be greater than or equal to 2."),
    "a test set of everything": (
        {"data": {"test_fraction": 1.0}},
        r"test_fraction: 1.0 is not allowed. It must be less",
    ),
    "two ways to validate": (
        {"data": {"folds": 5, "validation_fraction": 0.2}},
        r"\[data\]: folds = 5 and validation_fraction = 0.2 are both set. A sweep validates one way; remove one of the",
    ),
    "no trials": (
        {"sweep": {"n_trials": 0}},
        r"\[sweep\] n_trials: 0 is not allowed. It must be greater than or equal",
    ),
    "a number of trials in words": (
        {"sweep": {"n_trials": "100"}},
        r"n_trials: '100' is not allowed. It must be a vali",
    ),
    "half a trial": ({"sweep": {"n_trials": 2.5}}, r"n_trials: 2.5 is not allowed. It must be a valid integer"),
    "no time": ({"sweep": {"timeout_seconds": 0}}, r"timeout_seconds: 0 is not allowed. It must be greater than 0"),
    "no patience": (
        {"sweep": {"patience": 0}},
        r"\[sweep\] patience: 0 is not allowed. It must be greater than or equ",
    ),
    "a negative seed": (
        {"sweep": {"seed": -1}},
        r"\[sweep\] seed: -1 is not allowed. It must be greater than or equal t",
    ),
    "a name with a slash": (
        {"sweep": {"name": "cats/dogs"}},
        r"\[sweep\] name: 'cats/dogs' cannot name a folder and an MLflow experiment. Up to 100 letters.* Rename it.",
    ),
    "a name that shares its registered model with another": (
        {"sweep": {"name": "cats."}},
        r"\[sweep\] name: 'cats\.' cannot name a folder .* no '\.' last\. Rename it\.",
    ),
    "an empty path": ({"data": {"train": ""}}, r"\[data\] train: '' is not allowed\. It must have at least 1 char"),
    "more repeats than any machine trains": (
        {"data": {"repeats": 1_000_000_000}},
        r"cats.toml \[data\] folds = 5 and \[data\] repeats = 1000000000 make 5,000,000,000 networks a trial\. "
        r"They are trained side by side, 1,000 at most\. Lower one of them\.",
    ),
    "more seeds than any machine trains, of folds that a column gives": (
        {"data": {"fold": "k"}, "study": {"seeds_per_trial": 21}},
        r"\[data\] fold, a column of up to 50 values, and \[study\] seeds_per_trial = 21 make 1,050 networks a trial",
    ),
    "more seeds than any machine trains": (
        {"data": {"validation_fraction": 0.2}, "study": {"seeds_per_trial": 1001}},
        r"cats.toml \[study\] seeds_per_trial = 1001 makes 1,001 networks a trial\.",
    ),
    "more workers than a machine has room for": (
        {"execution": {"workers": 99999999}},
        r"\[execution\] workers: 99999999 is not allowed\. It must be less than or equal to 1000\. Change it\.",
    ),
    "an empty name": ({"sweep": {"name": ""}}, r"\[sweep\] name: '' cannot name a folder"),
    "a name that climbs out of its folder": ({"sweep": {"name": ".."}}, r"\[sweep\] name: '\.\.' cannot name a folder"),
    "a table that is a number": ({"sweep": 3}, r"cats.toml \[sweep\]: 3 is not allowed. It must be .*Change it."),
}


@pytest.mark.parametrize(("sections", "message"), BAD.values(), ids=BAD)
def test_a_bad_configuration_is_refused_with_its_place_what_is_allowed_and_the_fix(sections, message):
    with pytest.raises(InputError, match=message) as caught:
        parsed(**sections)
    assert caught.value.what.startswith("cats.toml [")
    assert all(part.strip() for part in (caught.value.what, caught.value.allowed, caught.value.fix))
    assert "pydantic" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data": {"train": "cats.h5"}}, r"cats.toml \[sweep\]: missing. It has no default. Add it."),
        ({"sweep": {"name": "cats"}}, r"cats.toml \[data\]: missing."),
        ({"sweep": {"name": "cats"}, "data": {}}, r"cats.toml \[data\] train: missing."),
        ({"sweep": {}, "data": {"train": "cats.h5"}}, r"cats.toml \[sweep\] name: missing."),
    ],
)
def test_what_has_no_default_is_asked_for(values, message):
    with pytest.raises(InputError, match=message):
        parse_config(values, source="cats.toml", directory=Path.cwd())


def test_a_misspelt_key_is_named_before_what_it_left_missing():
    values = {"sweep": {"name": "cats"}, "data": {"trian": "cats.h5"}}
    with pytest.raises(InputError, match=r"\[data\] trian: unknown key. Did you mean 'train'\?"):
        parse_config(values, source="cats.toml", directory=Path.cwd())


SECRETS = [
    "postgresql://ada:hunter2@db/optuna",
    "postgresql://ada:${USER}hunter2@db/optuna",
    "mysql+pymysql://:hunter2@db/optuna",
    "postgresql+psycopg://ada:s3/hunter2@db/optuna",
    "https://ada:?hunter2#@mlflow.example",
    "https://ada:5/hunter2#@mlflow.example",
    "https://ada:my hunter2@mlflow.example",
    "https://mlflow.example?token=hunter2",
    "https://mlflow.example?a=1&password=hunter2",
]


@pytest.mark.parametrize(("section", "key"), [("study", "storage"), ("tracking", "uri")])
@pytest.mark.parametrize("uri", SECRETS)
def test_a_password_in_a_uri_is_refused_and_not_shown(section, key, uri):
    with pytest.raises(
        InputError, match=rf"\[{section}\] {key}: the URI holds a password or a token.*export"
    ) as caught:
        parsed(**{section: {key: uri}})
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.args)


@pytest.mark.parametrize("value", [[SECRETS[0]], {"url": SECRETS[0]}])
def test_a_password_in_a_value_of_the_wrong_type_is_not_shown_either(value):
    with pytest.raises(InputError, match=r"\[study\] storage: .*is not allowed") as caught:
        parsed(study={"storage": value})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://ada:${PASSWORD}@db/optuna",
        "postgresql://${USER}:${PASSWORD}@db/optuna",
        "postgresql://ada@db/optuna",
        "${EVERYTHING}",
        "https://mlflow.example?token=${TOKEN}",
        "sqlite:///optuna.db",
        "sqlite:////my sweeps/ada@home:x/optuna.db",
        "http://mlflow.example:5000/ada",
    ],
)
def test_a_uri_without_a_password_is_kept_as_it_is_written(uri):
    assert parsed(study={"storage": uri}).study.storage == uri


def test_a_plain_value_fixes_a_hyperparameter():
    search = parsed(
        search={"learning_rate": 0.0075, "n_iterations": 2500, "depth": 3, "hidden_units": 7, "activation": "relu"}
    ).search
    assert (search.learning_rate, search.n_iterations, search.depth, search.hidden_units) == (0.0075, 2500, 3, 7)
    assert search.activation == ("relu",)
    assert search.max_iterations == 2500


def test_a_whole_number_is_a_learning_rate_too():
    assert parsed(search={"learning_rate": 1}).search.learning_rate == 1.0
    assert parsed(sweep={"timeout_seconds": 600}).sweep.timeout_seconds == 600.0


def test_a_range_is_searched_from_low_to_high():
    search = parsed(search={"learning_rate": {"low": 0.1, "high": 1}, "depth": {"low": 2, "high": 2}}).search
    assert search.learning_rate == FloatRange(low=0.1, high=1.0)
    assert (search.depth.low, search.depth.high) == (2, 2)
    assert search.n_iterations == IntRange(low=100, high=3000, log=True)
    assert search.max_iterations == 3000


def test_a_sweep_validates_by_five_folds_unless_told_otherwise():
    assert parsed().data.n_folds == 5
    assert parsed(data={"folds": 3}).data.n_folds == 3
    assert parsed(data={"validation_fraction": 0.3}).data.n_folds is None


def test_a_configuration_cannot_be_changed_after_it_was_checked():
    with pytest.raises(ValueError, match="frozen"):
        parsed().sweep.n_trials = 3


FINGERPRINT = parsed().fingerprint("digest")


@pytest.mark.parametrize(
    "sections",
    [
        {"execution": {"workers": 3}},
        {"execution": {"executor": "serial"}},
        {"sweep": {"n_trials": 7}},
        {"sweep": {"timeout_seconds": 5}},
        {"tracking": {"uri": "http://127.0.0.1:5000"}},
        {"study": {"storage": "sqlite:///elsewhere.db"}},
        {"study": {"decision": "prior"}},
        {"data": {"train": "moved/cats.h5"}},
        {"data": {"test": "moved/cats.h5"}},
    ],
)
def test_the_fingerprint_ignores_what_cannot_change_a_trial(sections):
    assert parsed(**sections).fingerprint("digest") == FINGERPRINT


@pytest.mark.parametrize(
    "sections",
    [
        {"sweep": {"name": "dogs"}},
        {"sweep": {"seed": 2}},
        {"sweep": {"patience": 5}},
        {"search": {"depth": {"low": 0, "high": 3}}},
        {"search": {"learning_rate": 0.1}},
        {"search": {"activation": "relu"}},
        {"enqueue": [{}]},
        {"enqueue": [{"learning_rate": 0.1}]},
        {"study": {"sampler": "random"}},
        {"study": {"pruner": "none"}},
        {"study": {"trials_in_flight": 8}},
        {"data": {"folds": 4}},
        {"data": {"validation_fraction": 0.2}},
        {"data": {"scaling": "unit"}},
        {"data": {"nonnegative_target": True}},
        {"execution": {"dtype": "float64"}},
    ],
)
def test_the_fingerprint_changes_with_what_decides_the_trials(sections):
    assert parsed(**sections).fingerprint("digest") != FINGERPRINT


@pytest.mark.parametrize("decision", [0, 0.0, 1, 1.0, 1.5, True, "half", "0.5", [0.5]])
def test_a_decision_is_a_probability_or_the_prior(decision):
    with pytest.raises(
        InputError, match=r"\[study\] decision: .* is not allowed\. It is a probability between 0 and 1"
    ):
        parsed(study={"decision": decision})
    assert parsed(study={"decision": 0.34}).study.decision == 0.34
    assert parsed(study={"decision": "prior"}).study.decision == "prior"


def test_the_fingerprint_changes_with_the_data():
    assert parsed().fingerprint("other digest") != FINGERPRINT


def test_an_enqueued_range_ends_with_its_bounds():
    tables = [{"learning_rate": 1, "hidden_units": [4, 64]}, {"learning_rate": 0.001, "depth": 0}]
    assert [table.learning_rate for table in parsed(enqueue=tables).enqueue] == [1.0, 0.001]


def test_brute_force_takes_a_range_of_reals_that_is_one_number():
    search = {"learning_rate": {"low": 0.1, "high": 0.1}}
    assert parsed(study={"sampler": "brute_force"}, search=search).study.sampler == "brute_force"


def test_a_default_written_out_leaves_the_fingerprint_as_it_is():
    study = {"sampler": "tpe", "pruner": "successive_halving"}
    written_out = parsed(study=study, search={"depth": {"low": 0, "high": 4}})
    assert written_out.fingerprint("digest") == FINGERPRINT


def test_the_tests_own_configuration_is_a_valid_one():
    assert small_config().sweep.n_trials == 12
