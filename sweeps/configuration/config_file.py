"""From a TOML file, a ready-made name or options of the command line to a checked `Config`, or to one clear message."""

import json
import os
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from experiments.error_text import mask_password
from experiments.errors import InputError, nearest
from sweeps.configuration.config import Config
from sweeps.configuration.limited_toml import parse_toml
from sweeps.configuration.search_space import TAGS, EnqueuedConfiguration

DEFAULT_CONFIG = "breast_cancer"


def load_config(source: str | Path | None = None, **sections: Mapping[str, Any]) -> Config:
    """Read a TOML file, or a ready-made configuration by its name.

        load_config("houses.toml", sweep={"n_trials": 20}, search={"depth": {"low": 1, "high": 3}})

    Args:
        source: Path of a file, or a name among `ready_made()`; None is `breast_cancer`.
        sections: Tables whose keys go before the file's, as TOML would say them; None unsets a key.
    Raises:
        InputError: No such file or name; not TOML; a key or value that is not allowed.
    """
    source = DEFAULT_CONFIG if source is None else str(source)
    if not source:
        raise InputError(
            "The name of the configuration is empty.",
            f"It is a TOML file, or one of {', '.join(ready_made())}.",
            f"Name one, or leave it out for {DEFAULT_CONFIG}.",
        )
    path = file_of(source)
    if path is None:
        text = (resources.files("experiments.configs") / f"{source}.toml").read_text("utf-8")
        directory = Path.cwd()
    else:
        text, directory = _read(Path(source).expanduser()), path.parent
    config = parse_config(parse_toml(text, source), source=source, directory=directory, text=text)
    return _replaced(config, sections, "load_config") if sections else config


def file_of(source: str) -> Path | None:
    """The file that a source of `load_config` means, in full; None where it is the name of a ready-made one."""
    path = Path(source).expanduser()
    return None if path.suffix != ".toml" and source in ready_made() else path.resolve()


def override(config: Config, **sections: dict[str, Any]) -> Config:
    """A checked copy with some keys replaced, as the options of the command line do; None leaves a key alone.

    Raises:
        InputError: A replaced value is not allowed.
    """
    given = {
        section: {key: value for key, value in changes.items() if value is not None}
        for section, changes in sections.items()
    }
    return _replaced(config, given, "command line")


def _replaced(config: Config, sections: Mapping[str, Mapping[str, Any]], source: str) -> Config:
    """A checked copy with some keys replaced; `source` is whom messages name."""
    values = config.model_dump(exclude_unset=True)  # what is not said is for the recipe to say
    for section, changes in sections.items():
        is_table = isinstance(changes, Mapping)  # [[enqueue]] is a list of tables, replaced as a whole
        values[section] = values.get(section, {}) | dict(changes) if is_table else changes
    changed = parse_config(values, source=source, directory=config.directory)
    return changed.placed(directory=config.directory, source=config.source, text=config.text)


def as_toml(config: Config) -> str:
    """The file as its user wrote it; what was made in Python, or changed by options, as a file that says the same."""
    config = config.as_written
    if config.text and _says_the_same(Config.model_validate(tomllib.loads(config.text)), config):
        return config.text
    sections = config.model_dump(mode="json", exclude_none=True)
    sections["search"] = config.search.model_dump(mode="json", exclude_unset=True)  # the rest is the recipe's
    enqueued = [("[[enqueue]]", table) for table in sections.pop("enqueue")]
    tables = [(f"[{section}]", table) for section, table in sections.items() if table]
    written = [
        f"{head}\n" + "".join(f"{key} = {_toml_value(value)}\n" for key, value in table.items())
        for head, table in tables + enqueued
    ]
    return f"# {config.source}, as it was run\n\n" + "\n".join(written)


def _says_the_same(one: Config, other: Config) -> bool:
    """Whether two configurations come to the same: of [search], only what is written keeps a recipe from choosing."""
    return (one.model_dump(), one.search.model_fields_set) == (other.model_dump(), other.search.model_fields_set)


def _toml_value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml_key(key)} = {_toml_value(item)}" for key, item in value.items()) + " }"
    text = json.dumps(value, ensure_ascii=False)  # strings, numbers, booleans and lists of them are written alike
    return text.replace("\x7f", "\\u007f")  # but for the one control character that JSON leaves alone


def _toml_key(key: str) -> str:
    """A key, quoted where it is not made of letters, digits, _ and - alone, as the names of classes may be."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml_value(key)


def ready_made() -> list[str]:
    """Names of the configurations that come with the package."""
    files = resources.files("experiments.configs").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def parse_config(values: dict[str, Any], *, source: str, directory: Path, text: str = "") -> Config:
    """Check a dictionary of tables.

    Args:
        values: As TOML gives it.
        source: Named in messages.
        directory: What relative paths are relative to.
        text: The file as its user wrote it.
    Raises:
        InputError: The first thing that is wrong, with its place.
    """
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        raise _as_input_error(error, source) from None
    return config.placed(directory=directory, source=source, text=text)


def expand_uri(uri: str, source: str) -> str:
    """Replace ${NAME} by the environment variable NAME; in the place of a password, quoted as a URI needs it.

    Raises:
        InputError: The variable is not set; its name is shown, no value ever is.
    """

    password = re.search(r"://[^/?#\s:@]*:((?:\$\{\w+\})+)@", uri)

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            raise InputError(
                f"{source}: ${{{name}}} is not set in the environment.",
                "Variables in a URI must be set where sweeps runs.",
                f"Type: export {name}=...",
            )
        if password and password.start(1) <= match.start() < password.end(1):
            return quote(os.environ[name], safe="%")  # somebody may have quoted it already
        return os.environ[name]

    return re.sub(r"\$\{(\w+)\}", value, uri)


def scheduler_of(config: Config) -> str | None:
    """Address of the Dask scheduler, variables expanded; None where none is configured."""
    address = config.execution.scheduler
    return address and expand_uri(address, "[execution] scheduler")


def check_variables(config: Config) -> None:
    """Expand every URI once, before anything is written.

    Raises:
        InputError: A variable is not set.
    """
    for uri, place in (
        (config.study.storage, "[study] storage"),
        (config.tracking.uri, "[tracking] uri"),
        (config.execution.scheduler, "[execution] scheduler"),
    ):
        if uri is not None:
            expand_uri(uri, f"{config.source} {place}")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")  # Windows begins files with a mark
    except FileNotFoundError:
        names = ready_made()
        raise InputError(
            f"{path}: no such configuration.{nearest(str(path), names)}",
            f"It must be a TOML file or one of {', '.join(names)}.",
            "Check the path, or type: python -m sweeps run",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}).",
            "A configuration is a TOML file in UTF-8.",
            "Check the path and its permissions.",
        ) from error


def _as_input_error(error: ValidationError, source: str) -> InputError:
    """The first complaint of pydantic in the house's three parts; a misspelt key goes before what it left missing."""
    complaint = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    loc = complaint["loc"]
    is_tagged = loc[:1] != ("enqueue",)  # a table there may have any key
    place = [str(part) for depth, part in enumerate(loc) if not (is_tagged and depth == 2 and part in TAGS)]
    where = _place_in_words(source, place)
    given = mask_password(repr(complaint["input"]))
    match complaint["type"]:
        case "extra_forbidden":
            known = _known_keys(place[:-1])
            return InputError(
                f"{where}: unknown {'key' if place[1:] else 'table'}.{nearest(place[-1], known)}",
                f"Known here: {', '.join(known)}.",
                "Correct or remove it.",
            )
        case "missing":
            return InputError(f"{where}: missing.", "It has no default.", "Add it.")
        case "value_error":  # our own validators speak in three parts already
            ours: InputError = complaint["ctx"]["error"]
            return InputError(f"{where}{':' if place else ''} {ours.what}", ours.allowed, ours.fix)
        case "literal_error":
            choices = re.findall(r"'([^']+)'", complaint["msg"])
            what = f"{where}: {given} is unknown.{nearest(str(complaint['input']), choices)}"
            return InputError(what, f"It must be one of {', '.join(choices)}.", "Choose one of them.")
    allowed = re.sub(r"^\w+ should", "It must", complaint["msg"]).replace(" after validation", "")
    if place[:1] in (["search"], ["training"]) and "value" in loc and isinstance(complaint["input"], list):
        allowed = "It must be a plain value or a range, as in { low = 1, high = 3 }"
    return InputError(f"{where}: {given} is not allowed.", f"{allowed}.", "Change it.")


def _place_in_words(source: str, place: list[str]) -> str:
    """Where in the file; what is said of several sections names them itself, so that there the place is empty."""
    match place:
        case []:
            return source
        case ["enqueue", index, *keys]:
            return f"{source} [[enqueue]] table {int(index) + 1}{', ' + '.'.join(keys) if keys else ''}"
        case [section, *keys]:
            return f"{source} [{section}]{' ' + '.'.join(keys) if keys else ''}"
    raise AssertionError(place)


def _known_keys(place: list[str]) -> list[str]:
    """Keys of the table at `place`: of the file, of a section, or of a range."""
    if place[:1] == ["enqueue"]:
        return list(EnqueuedConfiguration.model_fields)
    if len(place) == 2:
        return ["low", "high", "log"]
    model: type[BaseModel] = Config
    for key in place:
        annotation = model.model_fields[key].annotation
        assert isinstance(annotation, type)
        model = annotation
    return list(model.model_fields)
