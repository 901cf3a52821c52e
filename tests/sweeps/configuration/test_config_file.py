"""From a file, a name or options to a configuration."""

import tomllib

import pytest
import requests
import sqlalchemy

from experiments.error_text import mask_password
from experiments.errors import InputError
from sweeps.configuration.config_file import as_toml, expand_uri, load_config, override, parse_config, ready_made
from tests.sweeps.support.command_line import IRIS, toml
from tests.sweeps.support.small_sweep import small_config

TEXT = toml(IRIS)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "flowers.toml"
    path.write_text(TEXT)
    return path


def test_a_file_that_begins_with_the_mark_of_windows_is_read(file):
    file.write_text(TEXT, "utf-8-sig")
    assert load_config(file).sweep.name == "flowers"


def test_an_empty_name_is_not_the_default():
    with pytest.raises(InputError, match=r"name of the configuration is empty. It is a TOML file, or one of breast_c"):
        load_config("")


def test_a_file_is_read_and_relative_paths_are_relative_to_it(file):
    config = load_config(file)
    assert config.sweep.name == "flowers"
    assert config.directory == file.parent
    assert config.text == TEXT
    assert config.source == str(file)


@pytest.mark.parametrize("name", ready_made())
def test_every_ready_made_configuration_loads_under_its_own_name(name):
    config = load_config(name)
    assert config.sweep.name == name
    assert config.source == name
    assert config.text.startswith("#")


def test_the_ready_made_configurations_are_those_of_the_readme():
    assert ready_made() == ["breast_cancer", "cats", "diabetes", "digits"]


def test_no_argument_means_breast_cancer():
    assert load_config().sweep.name == "breast_cancer"


def test_a_file_in_the_folder_goes_by_its_suffix_not_by_a_ready_made_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits.toml").write_text(TEXT)
    assert load_config("digits.toml").sweep.name == "flowers"
    assert load_config("digits").sweep.name == "digits"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "digit",
            r"digit: no such configuration. Did you mean 'digits'\? It must be a TOML file or one of breast_canc",
        ),
        (
            "nowhere.toml",
            r"nowhere.toml: no such configuration. It must be .* Check the path, or type: python -m sweeps",
        ),
    ],
)
def test_an_unknown_name_is_answered_with_the_known_ones(source, message):
    with pytest.raises(InputError, match=message):
        load_config(source)


def test_a_folder_is_not_a_configuration(tmp_path):
    with pytest.raises(InputError, match=r"cannot be read .*directory.* TOML file in UTF-8"):
        load_config(tmp_path)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"x.toml: cannot be read .*UTF-8"):
        load_config(tmp_path / "x.toml")


def test_a_file_that_is_not_toml_is_refused_with_the_line(tmp_path):
    (tmp_path / "x.toml").write_text('[sweep]\nname = cats\n[data]\ntrain = "a"\n')
    with pytest.raises(InputError, match=r"x.toml: not valid TOML: .*line 2.* Correct that line."):
        load_config(tmp_path / "x.toml")


def test_a_mistake_is_reported_with_the_name_of_the_file(file):
    file.write_text(TEXT + "\n[trackin]\nuri = 'x'\n")
    with pytest.raises(InputError, match=r"flowers.toml \[trackin\]: unknown table. Did you mean 'tracking'\?"):
        load_config(file)


def test_options_override_single_keys_and_none_leaves_a_key_alone(file):
    config = load_config(file)
    changed = override(
        config, sweep={"n_trials": 9, "timeout_seconds": None}, execution={"workers": 2, "executor": "processes"}
    )
    assert (changed.sweep.n_trials, changed.sweep.timeout_seconds) == (9, None)
    assert (changed.execution.workers, changed.execution.executor) == (2, "processes")
    assert (changed.search, changed.data, changed.study) == (config.search, config.data, config.study)
    assert (changed.source, changed.text, changed.directory) == (config.source, config.text, config.directory)
    assert config.sweep.n_trials == 5


def test_options_do_not_change_the_fingerprint_of_a_configuration(file):
    config = load_config(file)
    assert override(config, sweep={"n_trials": None}).fingerprint("d") == config.fingerprint("d")


def test_a_bad_option_is_refused_as_one_of_the_command_line(file):
    with pytest.raises(InputError, match=r"command line \[sweep\] n_trials: 0 is not allowed."):
        override(load_config(file), sweep={"n_trials": 0})
    with pytest.raises(InputError, match=r"command line \[execution\] executor: 'dusk' is unknown. .*one of serial"):
        override(load_config(file), execution={"executor": "dusk"})


def test_a_variable_in_a_uri_is_expanded(monkeypatch):
    monkeypatch.setenv("SWEEPS_TEST_PASSWORD", "hunter2")
    assert expand_uri("postgresql://a:${SWEEPS_TEST_PASSWORD}@b/c", "x") == "postgresql://a:hunter2@b/c"


@pytest.mark.parametrize("password", ["hunter2", "p@ss/w?rd #1:&+'", "100%", "p\u00e4ss", "://"])
def test_a_password_from_a_variable_arrives_as_it_is_and_is_masked_whatever_is_in_it(monkeypatch, password):
    monkeypatch.setenv("SWEEPS_TEST_PASSWORD", password)
    for scheme in ("postgresql+psycopg", "https"):
        uri = expand_uri(f"{scheme}://ada:${{SWEEPS_TEST_PASSWORD}}@host:5000/x", "x")
        assert sqlalchemy.make_url(uri).password == password
        assert requests.utils.get_auth_from_url(uri) == ("ada", password)
        assert mask_password(uri) == f"{scheme}://ada:***@host:5000/x"


def test_a_password_that_is_quoted_already_is_not_quoted_again(monkeypatch):
    monkeypatch.setenv("SWEEPS_TEST_PASSWORD", "p%40ss")
    assert expand_uri("https://${SWEEPS_TEST_PASSWORD}:${SWEEPS_TEST_PASSWORD}@b", "x") == "https://p%40ss:p%40ss@b"


def test_a_variable_in_another_place_than_the_password_s_is_taken_as_it_is(monkeypatch):
    monkeypatch.setenv("SWEEPS_TEST_HOST", "host:80/a@b")
    for uri in ("${SWEEPS_TEST_HOST}", "http://${SWEEPS_TEST_HOST}", "http://h:80/${SWEEPS_TEST_HOST}@x"):
        assert expand_uri(uri, "x") == uri.replace("${SWEEPS_TEST_HOST}", "host:80/a@b")


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("SWEEPS_TEST_PASSWORD", raising=False)
    with pytest.raises(InputError, match=r"\[tracking\] uri: \$\{SWEEPS_TEST_PASSWORD\} is not set .* Type: export SW"):
        expand_uri("https://a:${SWEEPS_TEST_PASSWORD}@b", "[tracking] uri")


def test_the_toml_of_a_file_is_its_text_until_an_option_changes_it(file):
    config = load_config(file)
    assert as_toml(override(config, sweep={"n_trials": None})) == as_toml(config) == file.read_text()
    changed = override(config, sweep={"n_trials": 7})
    assert tomllib.loads(as_toml(changed))["sweep"]["n_trials"] == 7


def test_the_toml_of_a_configuration_made_in_python_says_the_same_configuration(tmp_path):
    config = small_config(data={"train": 'a "quoted" path \\ ü\n.csv', "target": "y"}, study={"storage": None})
    again = parse_config(tomllib.loads(as_toml(config)), source="again", directory=tmp_path)
    assert again.model_dump() == config.model_dump()


def test_names_of_classes_are_written_as_the_keys_they_are(tmp_path):
    config = small_config(training={"class_weight": {"no cat": 3.0, "1.5": 2.0, "dog": 1.0, 'a "\x7f': 4.0, "": 5.0}})
    again = parse_config(tomllib.loads(as_toml(config)), source="again", directory=tmp_path)
    assert again.training == config.training


def test_enqueued_tables_are_written_and_replaced_as_a_whole(file, tmp_path):
    tables = [{"learning_rate": 0.1, "hidden_units": [3, 2], "activation": "tanh"}, {"depth": 1}]
    config = load_config(file, enqueue=tables)
    assert [table.depth for table in config.enqueue] == [None, 1]
    again = parse_config(tomllib.loads(as_toml(config)), source="again", directory=tmp_path)
    assert again.model_dump() == config.model_dump()
    assert load_config(file, enqueue=[]).enqueue == ()
    assert override(config, sweep={"n_trials": 9}).enqueue == config.enqueue


def test_what_is_said_of_inputs_is_written_as_it_is_read(tmp_path):
    said = {"image_size": [48, 64], "groups": "patient", "dates": "days", "ignore": ["id"]}
    config = small_config(data=said)
    assert config.data.read_options.height_and_width == (48, 64)
    assert small_config(data={"image_size": 64}).data.read_options.height_and_width == (64, 64)
    again = parse_config(tomllib.loads(as_toml(config)), source="again", directory=tmp_path)
    assert again.data == config.data
    without = small_config()
    assert config.fingerprint("digest") == without.fingerprint("digest")  # what comes of it is in the digest


@pytest.mark.parametrize("size", [0, -3, [8], [8, 8, 3], [8, 0], "8x8", 2.5])
def test_a_size_of_pictures_is_one_number_or_two(size):
    with pytest.raises(InputError, match="image_size"):
        small_config(data={"image_size": size})
