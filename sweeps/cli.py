"""The command line. Data go to stdout, messages to stderr; heavy imports wait until a command needs them."""

import errno
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from sweeps.results.exit_codes import ExitCode, after_signal

app = typer.Typer(
    help="Tunes deep networks, with every attempt on record.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ConfigArgument = Annotated[
    str | None, typer.Argument(help="A TOML file, or the name of a ready-made configuration [default: breast_cancer].")
]
StudyArgument = Annotated[str | None, typer.Argument(help="Name of a study [default: the newest one here].")]
StatusArgument = Annotated[str | None, typer.Argument(help="Name of a study [default: all that are here].")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, and nothing else.")]


@app.command()
def run(
    config: ConfigArgument = None,
    new: Annotated[bool, typer.Option("--new", help="Start afresh, even if a sweep can be continued.")] = False,
    trials: Annotated[int | None, typer.Option(help="Number of trials, those of earlier runs included.")] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which the sweep ends with the best so far.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes; 0 is one per core.")] = None,
    executor: Annotated[str | None, typer.Option(help="serial, processes or dask.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler that runs.")] = None,
    promote: Annotated[
        str | None, typer.Option(help="Whether the model may become champion: auto (if it is better), never or force.")
    ] = None,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Run a sweep, or continue the interrupted one of the same configuration."""
    with reported_errors():
        from sweeps.configuration.config_file import load_config, override
        from sweeps.results.summary import summary, what_is_pending
        from sweeps.run import run_sweep

        checked = override(
            load_config(config),
            sweep={"n_trials": trials, "timeout_seconds": timeout},
            execution={"workers": workers, "executor": executor, "scheduler": scheduler},
            promotion={"promote": promote},
        )
        result = run_sweep(checked, is_new=new, progress=_progress(quiet))
        typer.echo(json.dumps(result.to_dict()) if as_json else summary(result))
        if as_json and (left := what_is_pending(result)):
            _say(left)
        raise typer.Exit(result.exit_code)


@app.command()
def validate(config: ConfigArgument = None, as_json: JsonOption = False) -> None:
    """Check configuration, data, packages and the study's database; train nothing, write nothing.

    Whether MLflow and a Dask scheduler answer is not checked: the first may be away, the second comes for a sweep.
    """
    with reported_errors():
        from sweeps.configuration.config_file import check_variables, load_config
        from sweeps.data import load_data, problem_of, unseen_in_test
        from sweeps.needs import check_needs
        from sweeps.results.summary import data_summary
        from sweeps.search.samplers import notes_on
        from sweeps.trials.recipe import with_recipe

        checked = load_config(config)
        check_variables(checked)
        check_needs(checked)
        prepared = load_data(checked)
        resolved = with_recipe(checked, problem_of(checked, prepared))
        document = {
            "config": resolved.model_dump(mode="json", exclude_none=True),
            "data": data_summary(prepared),
        }
        for note in (*unseen_in_test(prepared), *notes_on(resolved)):
            _say(note)
        typer.echo(json.dumps(document) if as_json else _as_lines(document))


@app.command()
def status(study: StatusArgument = None, as_json: JsonOption = False) -> None:
    """What is running here, since when, and how far it is."""
    with reported_errors():
        from sweeps.results.status import study_statuses
        from sweeps.results.text_tables import status_table
        from sweeps.storage.workspace import Workspace

        statuses = study_statuses(Workspace(Path.cwd()), study)
        typer.echo(json.dumps({"studies": [s.to_dict() for s in statuses]}) if as_json else status_table(statuses))


@app.command()
def leaderboard(
    study: StudyArgument = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
) -> None:
    """All trials of a study, best first."""
    with reported_errors():
        from sweeps.results.status import find_study
        from sweeps.results.text_tables import leaderboard_csv, leaderboard_table
        from sweeps.storage.workspace import Workspace

        stored = find_study(Workspace(Path.cwd()), study)
        trials = stored.leaderboard()
        if as_json:
            typer.echo(json.dumps({"study": stored.name, "trials": [trial.to_dict() for trial in trials]}))
        else:
            typer.echo(leaderboard_csv(trials) if as_csv else leaderboard_table(trials), nl=not as_csv)


@app.command()
def report(
    study: StudyArgument = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="One page with all figures.")] = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="All trials, one row each.")] = None,
) -> None:
    """What a study found: the best trials, what mattered, where the time went."""
    with reported_errors():
        from sweeps.report.report import report as report_study
        from sweeps.storage.workspace import Workspace

        text = report_study(Workspace(Path.cwd()), study, html=html, csv=csv)
        if text:
            typer.echo(text)


@app.command()
def sync(
    tracking_uri: Annotated[
        str | None,
        typer.Option(metavar="URI", help="Another MLflow, for the studies that are not completely delivered."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Deliver to MLflow what it has not received yet."""
    with reported_errors():
        from sweeps.configuration.config import check_tracking_uri
        from sweeps.results.status import sync_all
        from sweeps.storage.workspace import Workspace

        uri = None if tracking_uri is None else check_tracking_uri(tracking_uri)
        deliveries = sync_all(Workspace(Path.cwd()), uri)
        n_pending = sum(delivery.n_pending for _, delivery in deliveries)
        if as_json:
            typer.echo(json.dumps({"n_pending": n_pending, "studies": {name: d.n_pending for name, d in deliveries}}))
        for name, delivery in deliveries:
            _say(f"{name}: {delivery.error or 'all delivered'}")
        raise typer.Exit(ExitCode.RECORD_PENDING if n_pending else ExitCode.FINISHED)


@app.command()
def predict(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="cats@candidate, cats/3 or a run's id (MLflow); a study or a sweep of this folder; or a model.h5.",
        ),
    ],
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT", help="Tables (CSV, Parquet), arrays (HDF5, NPZ), or images.")
    ],
    out: Annotated[Path | None, typer.Option(help="Write there instead, CSV or Parquet by the extension.")] = None,
    proba: Annotated[bool, typer.Option("--proba", help="Add the probability of each class.")] = False,
    keep: Annotated[
        list[str] | None, typer.Option(help="A column of the tables to copy beside the predictions; may be repeated.")
    ] = None,
    tracking_uri: Annotated[str | None, typer.Option(help="MLflow [default: where this folder's sweeps go].")] = None,
) -> None:
    """Predict raw inputs with a sweep's winner."""
    with reported_errors():
        from sweeps.prediction.named_model import find_model
        from sweeps.prediction.predict import check_out, predict_files, predictions_as_text, write
        from sweeps.storage.workspace import Workspace

        if out is not None:
            check_out(out)
        found = find_model(model, Workspace(Path.cwd()), tracking_uri)
        if out is None:
            typer.echo(predictions_as_text(found, inputs, proba=proba, keep=keep or (), say=_say), nl=False)
            return
        predictions = predict_files(found, inputs, proba=proba, keep=keep or (), say=_say)
        write(predictions, out)
        _say(f"Wrote {len(predictions)} predictions to {out}.")


ModelArgument = Annotated[str, typer.Argument(metavar="NAME", help="A sweep's name, as its registered model has it.")]
VersionArgument = Annotated[str, typer.Argument(metavar="NAME/VERSION", help="A version of a registered model.")]
TrackingOption = Annotated[str | None, typer.Option(help="MLflow [default: where this folder's sweeps go].")]


@app.command("promote")
def promote_version(
    model: VersionArgument,
    force: Annotated[bool, typer.Option("--force", help="Whatever its verdict says.")] = False,
    tracking_uri: TrackingOption = None,
) -> None:
    """Make a version champion, if its verdict says so."""
    with reported_errors():
        from sweeps.promotion.by_hand import promote
        from sweeps.storage.workspace import Workspace

        typer.echo(promote(Workspace(Path.cwd()), model, tracking_uri, is_forced=force))


@app.command()
def rollback(
    model: ModelArgument,
    to: Annotated[str | None, typer.Option(metavar="VERSION", help="[default: the champion before this one]")] = None,
    tracking_uri: TrackingOption = None,
) -> None:
    """Make an earlier champion champion again."""
    with reported_errors():
        from sweeps.promotion.by_hand import roll_back
        from sweeps.storage.workspace import Workspace

        typer.echo(roll_back(Workspace(Path.cwd()), model, tracking_uri, to))


@app.command()
def history(model: ModelArgument, as_json: JsonOption = False, tracking_uri: TrackingOption = None) -> None:
    """Which version was champion from when to when, and why."""
    with reported_errors():
        from experiments.promotion.words import history_in_words
        from sweeps.promotion.by_hand import history_of
        from sweeps.storage.workspace import Workspace

        name, reigns = history_of(Workspace(Path.cwd()), model, tracking_uri)
        document = {"name": name, "champions": [reign.to_dict() for reign in reigns]}
        typer.echo(json.dumps(document) if as_json else history_in_words(name, reigns))


@app.command()
def verdict(
    model: Annotated[str, typer.Argument(metavar="NAME[/VERSION]", help="A sweep's newest verdict, or a version's.")],
    as_json: JsonOption = False,
    tracking_uri: TrackingOption = None,
) -> None:
    """Why a model is champion or not, worked out again from the verdict's document."""
    with reported_errors():
        from experiments.promotion.words import verdict_in_words
        from sweeps.promotion.documents import find_verdict
        from sweeps.storage.workspace import Workspace

        found = find_verdict(Workspace(Path.cwd()), model, tracking_uri)
        repeated = {**found.promotion.to_dict(), "agrees": found.holds, "document": json.loads(found.document)}
        typer.echo(json.dumps(repeated) if as_json else verdict_in_words(found.promotion, holds=found.holds))
        raise typer.Exit(ExitCode.FINISHED if found.holds else ExitCode.INPUT)


def main() -> None:
    """Entry point of `python -m sweeps`."""
    # The process is ours and none of its figures are matplotlib's, yet optuna.visualization would import it beside
    # plotly: 0.4 s at the end of every sweep, and where it is new as long as it takes to look through all fonts.
    sys.modules.setdefault("matplotlib", None)  # type: ignore[arg-type]  # None makes an import fail; Optuna is prepared
    app(prog_name="python -m sweeps")


@contextmanager
def reported_errors() -> Iterator[None]:
    """What a user caused becomes one message on stderr and the documented exit code; our bugs keep their traceback."""
    from experiments.errors import InputError

    try:
        yield
    except InputError as error:
        _leave(str(error), ExitCode.INPUT)
    except KeyboardInterrupt:
        _leave("Interrupted.", after_signal(signal.SIGINT))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            _leave(
                f"{error.filename or Path.cwd()}: the disk is full. The record up to here is whole; "
                "free some space, then type the same command again to continue.",
                ExitCode.INPUT,
            )
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            _leave(
                f"{error.filename}: {error.strerror}. Sweeps must be able to read its data and write its folder; "
                "change the permissions or the folder.",
                ExitCode.INPUT,
            )
        raise
    except Exception as error:
        exit_code = _exit_code_of(error)
        if exit_code is None:
            raise
        _leave(str(error), exit_code)


def _exit_code_of(error: Exception) -> int | None:
    """For errors whose modules only a command that got that far has imported."""
    from engine.errors import WeightsFileError
    from sweeps.interrupts import InterruptedSweepError
    from sweeps.storage.workspace import LeaseHeldError

    if isinstance(error, WeightsFileError):  # the one error of the engine that input reaches past our own checks
        return ExitCode.INPUT
    if isinstance(error, LeaseHeldError):
        return ExitCode.LEASE_HELD
    return error.exit_code if isinstance(error, InterruptedSweepError) else None


def _say(text: str) -> None:
    with suppress(OSError):  # nobody reads it any more
        typer.echo(text, err=True)


def _leave(message: str, exit_code: int) -> None:
    _say(message)
    raise typer.Exit(exit_code) from None


def _progress(is_quiet: bool) -> Any:  # noqa: ANN401  # a Progress, whose module is imported late
    from sweeps.results.progress import LineProgress, LiveProgress, SilentProgress

    if is_quiet or sys.stderr is None:
        return SilentProgress()
    return LiveProgress() if sys.stderr.isatty() else LineProgress()


def _as_lines(values: dict[str, Any], indent: str = "") -> str:
    lines = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            lines.append(f"{indent}{key}:\n{_as_lines(value, indent + '  ')}")
        elif value != []:
            lines.append(f"{indent}{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
    return "\n".join(lines)
