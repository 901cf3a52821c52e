"""The command line. Data go to stdout, messages to stderr; heavy imports wait until a command needs them."""

import atexit
import gc
import json
import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sweeps.execution.garbage import collect_rarely
from sweeps.reported_errors import reported_errors, say
from sweeps.results.exit_codes import ExitCode

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
    overlap: Annotated[
        str | None, typer.Option(help="Where another run of the sweep is alive here: refuse, wait or replace.")
    ] = None,
    executor: Annotated[str | None, typer.Option(help="serial, processes or dask.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler that runs.")] = None,
    promote: Annotated[
        str | None, typer.Option(help="Whether the model may become champion: auto (if it is better), never or force.")
    ] = None,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress; what must be read is still said.")] = False,
    log_format: Annotated[str, typer.Option(help="text, or json: one line an event on stderr.")] = "text",
    metrics_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="How it ended, for Prometheus' node_exporter.")
    ] = None,
    notify: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="Run at the end, whatever it was, with JSON on stdin.")
    ] = None,
) -> None:
    """Run a sweep, or go on with that of the same configuration and data, interrupted or finished."""
    from sweeps.told_afterwards import ToldAfterwards

    with ToldAfterwards(config, log_format, metrics_file, notify) as told, reported_errors(told.tell_error):
        told.check()
        from sweeps.configuration.config_file import load_config, override
        from sweeps.results.summary import summary, what_is_pending
        from sweeps.run import run_sweep

        checked = override(
            load_config(config),
            sweep={"n_trials": trials, "timeout_seconds": timeout, "overlap": overlap},
            execution={"workers": workers, "executor": executor, "scheduler": scheduler},
            promotion={"promote": promote},
        )
        told.result = result = run_sweep(checked, is_new=new, progress=told.progress(is_quiet=quiet))
        typer.echo(json.dumps(result.to_dict()) if as_json else summary(result))
        if as_json and (left := what_is_pending(result)):
            told.say(left)
        raise typer.Exit(result.exit_code)


@app.command()
def validate(config: ConfigArgument = None, as_json: JsonOption = False) -> None:
    """Check configuration, data, packages and the study's database; train nothing, write nothing here.

    Pictures are shown on a contact sheet, which lies with those that were read, in ~/.cache/sweeps.
    Whether MLflow and a Dask scheduler answer is not checked: the first may be away, the second comes for a sweep.
    """
    with reported_errors():
        from sweeps.configuration.config_file import check_variables, load_config
        from sweeps.data import load_data, notes_on_data, problem_of
        from sweeps.needs import check_needs
        from sweeps.results.data_summary import data_summary
        from sweeps.results.progress import LineProgress, LiveProgress
        from sweeps.search.samplers import notes_on
        from sweeps.trials.recipe import with_recipe

        checked = load_config(config)
        check_variables(checked)
        check_needs(checked)
        with LiveProgress() if sys.stderr.isatty() else LineProgress() as progress:
            prepared = load_data(checked, advance=progress.reading)
        resolved = with_recipe(checked, problem_of(checked, prepared))
        document = {
            "config": resolved.model_dump(mode="json", exclude_none=True),
            "data": data_summary(prepared),
        }
        for note in (*notes_on_data(prepared), *notes_on(resolved)):
            say(note)
        typer.echo(json.dumps(document) if as_json else _as_lines(document))


@app.command()
def status(study: StatusArgument = None, as_json: JsonOption = False) -> None:
    """What is running here, since when, and how far it is."""
    with reported_errors():
        from sweeps.results.status import study_statuses
        from sweeps.results.text_tables import status_table
        from sweeps.storage.workspace import Workspace

        statuses, unreadable = study_statuses(Workspace(Path.cwd()), study)
        document = {"studies": [status.to_dict() for status in statuses], "unreadable": list(map(str, unreadable))}
        typer.echo(json.dumps(document) if as_json else status_table(statuses))
        for error in unreadable:
            say(str(error))
        raise typer.Exit(ExitCode.INPUT if unreadable else ExitCode.FINISHED)


@app.command()
def leaderboard(
    studies: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STUDY]...", help="Studies, or sweeps for their newest [default: the newest here]."),
    ] = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values.")] = False,
) -> None:
    """All trials of a study, or of several together, best first."""
    with reported_errors():
        from sweeps.results.leaderboards import together
        from sweeps.results.status import find_study
        from sweeps.results.text_tables import leaderboard_csv, leaderboard_table
        from sweeps.storage.workspace import Workspace

        workspace = Workspace(Path.cwd())
        if studies and len(studies) > 1:
            leaderboards = together([find_study(workspace, name) for name in studies])
            typer.echo(
                json.dumps(leaderboards.to_dict()) if as_json else leaderboards.to_text(as_csv=as_csv), nl=not as_csv
            )
            return
        stored = find_study(workspace, studies[0] if studies else None)
        trials = stored.leaderboard()
        if as_json:
            typer.echo(json.dumps({"study": stored.name, "trials": [trial.to_dict() for trial in trials]}))
        else:
            typer.echo(leaderboard_csv(trials) if as_csv else leaderboard_table(trials), nl=not as_csv)


@app.command()
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A study, or a sweep for its newest.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="One page with a figure.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Two studies side by side: what they reached, what differs, and what both have tried."""
    with reported_errors():
        from sweeps.report.comparison import compare as compare_studies
        from sweeps.storage.workspace import Workspace

        text = compare_studies(Workspace(Path.cwd()), a, b, html=html, as_json=as_json)
        if text:
            typer.echo(text)


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
def drift(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A sweep's name.")],
    last: Annotated[int, typer.Option(help="How many of its studies, the newest.")] = 30,
    margin: Annotated[
        float | None, typer.Option(help="Values that differ by this or less are equal [default: from the studies].")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="One page with the figures.")] = None,
    as_json: JsonOption = False,
) -> None:
    """How the best hyperparameters, the scores and the champion moved over the studies of a name."""
    with reported_errors():
        from sweeps.drift.story import drift as drift_of
        from sweeps.storage.workspace import Workspace

        text = drift_of(Workspace(Path.cwd()), name, last=last, margin=margin, html=html, as_json=as_json)
        if text:
            typer.echo(text)


@app.command()
def sync(
    tracking_uri: Annotated[
        str | None,
        typer.Option(metavar="URI", help="Another MLflow, for the studies that are not completely delivered."),
    ] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds after which it ends; the rest stays pending.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Deliver to MLflow what it has not received yet."""
    with reported_errors():
        from sweeps.configuration.sections import check_tracking_uri
        from sweeps.results.sync import sync_all
        from sweeps.storage.workspace import Workspace

        uri = None if tracking_uri is None else check_tracking_uri(tracking_uri)
        deliveries = sync_all(Workspace(Path.cwd()), uri, math.inf if timeout is None else timeout, say)
        n_pending = sum(delivery.n_pending for _, delivery in deliveries)
        if as_json:
            typer.echo(json.dumps({"n_pending": n_pending, "studies": {name: d.n_pending for name, d in deliveries}}))
        for name, delivery in deliveries:
            told = [text for text in (delivery.error, delivery.damage) if text]
            say(f"{name}: {' '.join(told) or 'all delivered'}")
        if any(delivery.damage for _, delivery in deliveries):
            raise typer.Exit(ExitCode.INPUT)
        raise typer.Exit(ExitCode.RECORD_PENDING if n_pending else ExitCode.FINISHED)


@app.command()
def schedule(
    config: Annotated[str, typer.Argument(help="A TOML file, or the name of a ready-made configuration.")],
    at: Annotated[str, typer.Option(metavar="CRON", help='Five fields, as in "0 2 * * *".')],
    form: Annotated[str, typer.Option("--format", help="cron, systemd, kubernetes or github-actions.")] = "cron",
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="As in Europe/Berlin [default: its own].")
    ] = None,
    image: Annotated[str | None, typer.Option(help="For Kubernetes [default: sweeps:<version>].")] = None,
    options: Annotated[
        list[str] | None, typer.Argument(metavar="[-- OPTIONS]", help="Of run, as in -- --overlap wait.")
    ] = None,
) -> None:
    """Print a manifest that runs a sweep again and again."""
    _check_options_of_run(config, options or [])
    with reported_errors():
        from sweeps.configuration.config_file import file_of, load_config
        from sweeps.scheduling.manifest import manifest

        text = manifest(load_config(config), file_of(config), at, form, timezone, image, Path.cwd(), options or ())
        typer.echo(text, nl=False)


def _check_options_of_run(config: str, options: list[str]) -> None:
    """End as `run` with these would, if it does not know them."""
    commands = typer.main.get_command(app)
    assert isinstance(commands, typer.core.TyperGroup)
    commands.commands["run"].make_context("python -m sweeps run", [config, *options])


@app.command()
def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="Mend what is safe to mend.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Look for what is wrong in this folder: studies, records, files, MLflow's database, the machine."""
    with reported_errors():
        from sweeps.doctor.examination import examine
        from sweeps.doctor.finding import exit_code_of
        from sweeps.storage.workspace import Workspace

        findings = examine(Workspace(Path.cwd()), has_to_mend=fix)
        exit_code = exit_code_of(findings)
        document = {"findings": [finding.to_dict() for finding in findings], "exit_code": exit_code}
        typer.echo(json.dumps(document) if as_json else "\n".join(map(str, findings)))
        raise typer.Exit(exit_code)


@app.command()
def prune(
    name: Annotated[str | None, typer.Argument(help="A sweep, or one study [default: all sweeps here].")] = None,
    keep: Annotated[int | None, typer.Option(metavar="N", help="The newest N studies of each sweep stay.")] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="DAYS", help="Only what ended longer ago goes, as in 90d.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove old studies: their folders, trials, models, and runs in MLflow. Never what is or was lately champion."""
    with reported_errors():
        from sweeps.retention.pruning import prune as prune_studies
        from sweeps.retention.rule import retention_of
        from sweeps.storage.workspace import Workspace

        is_study = name is not None and "/" in name and keep is None and older_than is None
        retention = None if is_study else retention_of(keep, older_than)
        pruned = prune_studies(Workspace(Path.cwd()), name, retention, is_dry=dry_run)
        typer.echo(json.dumps(pruned.to_dict()) if as_json else pruned.in_words())


@app.command("delete")
def delete_study(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="As status lists it: <sweep>/<time>.")],
    with_runs: Annotated[bool, typer.Option("--mlflow", help="Its runs and models in MLflow, too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete one study: its folder, its trials and, with --mlflow, its runs. Never one whose model is in use."""
    with reported_errors():
        from sweeps.retention.deletion import delete
        from sweeps.storage.workspace import Workspace

        deleted = delete(Workspace(Path.cwd()), study, with_runs=with_runs, is_dry=dry_run)
        typer.echo(json.dumps(deleted.to_dict()) if as_json else deleted.in_words())


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
        list[Path],
        typer.Argument(metavar="INPUT", help="Tables (CSV, Parquet), arrays (HDF5, NPZ), images, or folders of these."),
    ],
    out: Annotated[Path | None, typer.Option(help="Write there instead, CSV or Parquet by the extension.")] = None,
    proba: Annotated[bool, typer.Option("--proba", help="Add the probability of each class.")] = False,
    keep: Annotated[
        list[str] | None, typer.Option(help="A column of the tables to copy beside the predictions; may be repeated.")
    ] = None,
    tracking_uri: Annotated[str | None, typer.Option(help="MLflow [default: where this folder's sweeps go].")] = None,
) -> None:
    """Predict raw inputs with a sweep's model."""
    with reported_errors():
        from experiments.errors import how_many
        from sweeps.prediction.named_model import find_model
        from sweeps.prediction.predict import check_out, predict_files, predictions_as_text, write
        from sweeps.storage.workspace import Workspace

        if out is not None:
            check_out(out)
        found = find_model(model, Workspace(Path.cwd()), tracking_uri)
        if out is None:
            typer.echo(predictions_as_text(found, inputs, proba=proba, keep=keep or (), say=say), nl=False)
            return
        predictions = predict_files(found, inputs, proba=proba, keep=keep or (), say=say)
        write(predictions, out)
        say(f"Wrote {how_many(len(predictions), 'prediction')} to {out}.")


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
    collect_rarely()
    atexit.register(gc.freeze)  # when the interpreter ends it looks twice through all modules, a sixth of `validate`
    # The process is ours and none of its figures are matplotlib's, yet optuna.visualization would import it beside
    # plotly: 0.4 s at the end of every sweep, and where it is new as long as it takes to look through all fonts.
    sys.modules.setdefault("matplotlib", None)  # type: ignore[arg-type]  # None makes an import fail; Optuna is prepared
    app(prog_name="python -m sweeps")


def _as_lines(values: dict[str, Any], indent: str = "") -> str:
    lines = []
    for key, value in values.items():
        items = value if isinstance(value, list) else [value]
        if value == {}:
            continue  # a table that says nothing
        if value == []:
            lines.append(f"{indent}{key}: none")
        elif isinstance(items[0], dict):  # a table, or several
            lines += [f"{indent}{key}:\n{_as_lines(item, indent + '  ')}" for item in items]
        else:
            lines.append(f"{indent}{key}: {', '.join(map(str, items))}")
    return "\n".join(lines)
