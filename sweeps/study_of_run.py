"""Which study a run works on: the interrupted one of its configuration and data, or a new one; and its lease."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import optuna

from engine.remote import software
from engine.threads import machine_kind
from experiments.errors import how_many
from sweeps.configuration.config import Config
from sweeps.configuration.config_file import expand_uri
from sweeps.configuration.search_space import EnqueuedConfiguration
from sweeps.interrupts import Interrupts
from sweeps.recording.record import close_record
from sweeps.results.progress import Progress
from sweeps.search.schedule import TIME_IS_OVER
from sweeps.storage.database import answering
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.study_attributes import StudyAttributes
from sweeps.storage.study_lease import StudyLease, place_of
from sweeps.storage.workspace import Workspace
from sweeps.trials.configurations import n_trials_of
from sweeps.trials.memory import remembered

N_STUDIES_REMEMBERED = 10
"""The newest so many; the optimum of long ago says little."""

LEAST_HOURS_TOLD = 0.1
"""By so much a clock must have been set back for it to be told."""


@contextmanager
def open_study(
    config: Config,
    workspace: Workspace,
    data_digest: str,
    *,
    is_new: bool,
    interrupts: Interrupts,
    progress: Progress,
) -> Iterator[StoredStudy]:
    """The study of this run, for as long as it is ours alone. Its folder's lease must be held.

    Args:
        config: With the digest of the data, it decides which interrupted study is continued.
        workspace: Where the study is looked for, or begun.
        data_digest: Fingerprint of the content of the data.
        is_new: Leave any interrupted study alone.
        interrupts: Where the lease in a database is checked from now on.
        progress: Told what a person should know.
    Raises:
        InputError: The storage cannot be opened, or a database stops answering.
        LeaseHeldError: The study is in a database, and a run on another machine has it.
    """
    url = config.study.storage and expand_uri(config.study.storage, "[study] storage")
    with answering(url), ExitStack() as lease:
        stored = find_or_create(config, workspace, url, data_digest, is_new, progress)
        if url is not None:
            interrupts.also(lease.enter_context(StudyLease(stored, place_of(workspace))).check)
        yield stored


def find_or_create(
    config: Config, workspace: Workspace, url: str | None, data_digest: str, is_new: bool, progress: Progress
) -> StoredStudy:
    """The interrupted study of this configuration and data, or the finished one, or a new one.

    Args:
        url: The storage's; None is our own.
    """
    storage = workspace.open_storage(config.sweep.name, url, progress.say)
    fingerprint = config.fingerprint(data_digest)
    earlier = list(reversed(StoredStudy.all_of(storage, config.sweep.name)))
    for stored in earlier:
        attributes = stored.attributes
        if stored.has_ended:
            continue
        if is_new or attributes.fingerprint != fingerprint:
            if not is_new:
                progress.say(
                    f"{stored.name} was interrupted with another configuration or other data; it is left as it is."
                )
            close_record(workspace, stored.name)
            continue
        _say_what_has_changed(stored, progress.say)
        progress.tell(f"Continuing {stored.name}.")
        n_trials = max(n_trials_of(config), len(stored.trials))  # what has begun is brought to its end
        stored.set_attribute("n_trials", n_trials)
        workspace.study_folder(stored.name).keep_storage_url(config.study.storage)
        return stored
    ended = [stored for stored in earlier if stored.has_ended]
    for stored in ended:
        if not is_new and stored.attributes.fingerprint == fingerprint and _can_go_on(stored, workspace):
            _go_on(stored, config, progress)
            return stored
    for stored in ended:
        workspace.study_folder(stored.name).remove_kept_trials()  # only the newest goes on
    memory = () if is_new or not config.study.memory else _memory(earlier, config)
    stored = StoredStudy.create(
        storage,
        workspace.new_study_name(config.sweep.name),
        StudyAttributes(
            name=config.sweep.name,
            fingerprint=fingerprint,
            machine=machine_kind(),
            engine=software()["engine"],
            optuna=optuna.__version__,
            search=config.space.model_dump(mode="json"),
            objective=config.study.objective,
            remembered=[table.model_dump(exclude_none=True, mode="json") for table in memory],
            n_trials=n_trials_of(config),
            started_at=time.time(),
            lease="" if url is None else f"new 0 {place_of(workspace)}",
        ),
    )
    workspace.study_folder(stored.name).keep_storage_url(config.study.storage)
    progress.tell(f"Starting {stored.name}.")
    if (hours := workspace.seconds_ahead(stored.name) / 3600) > LEAST_HOURS_TOLD:
        progress.say(
            f"The clock is {hours:.1f} h behind that of the last study here. Names and the alias `candidate` keep the "
            "order in which studies began; compare the clock with `date -u`."
        )
    return stored


def _can_go_on(stored: StoredStudy, workspace: Workspace) -> bool:
    """Whether a finished study may get more trials: it has a winner, fold models, and the software it began with."""
    then = stored.attributes
    is_same = (then.machine, then.engine, then.optuna) == (machine_kind(), software()["engine"], optuna.__version__)
    return then.state == "FINISHED" and is_same and workspace.study_folder(stored.name).kept_trials.exists()


def _go_on(stored: StoredStudy, config: Config, progress: Progress) -> None:
    """Open a finished study again; its trials are recalled, and only what is missing is trained."""
    attributes, n_trials = stored.attributes, n_trials_of(config)
    n_on_record = len(stored.trials)
    ended_by_time = attributes.early_end is not None and attributes.early_end.reason == TIME_IS_OVER
    if n_trials <= n_on_record or (attributes.early_end is not None and not ended_by_time):
        progress.say(
            f"{stored.name} has all of its {how_many(n_on_record, 'trial')} on these data: nothing new is trained. "
            "For more: --trials, other data, another seed, or --new."
        )
        return  # it stays FINISHED, whatever becomes of this run
    progress.tell(
        f"Going on with {stored.name}: {how_many(n_on_record, 'trial is', 'trials are')} on record, "
        f"{n_trials - n_on_record} to be trained."
    )
    stored.set_attribute("n_trials", n_trials)
    if ended_by_time:  # trials that the clock ended are over for good now, and not trained again
        stored.set_attribute("early_end", None)
    stored.set_attribute("state", "RUNNING")


def _memory(earlier: Sequence[StoredStudy], config: Config) -> tuple[EnqueuedConfiguration, ...]:
    """What earlier studies of the sweep give, those that were judged alike; `earlier` has the newest first."""
    alike = [stored for stored in earlier if stored.attributes.objective == config.study.objective]
    return remembered((stored.leaderboard() for stored in alike[:N_STUDIES_REMEMBERED]), n_trials_of(config))


def _say_what_has_changed(stored: StoredStudy, say: Callable[[str], None]) -> None:
    """Say what is different from when the study began: none of it is an error, all of it may change numbers."""
    at_start = stored.attributes
    for what, began, now, outcome in (
        ("on another kind of machine", at_start.machine, machine_kind(), "The last bits of its costs may differ."),
        ("with another engine", at_start.engine, software()["engine"], "Its trials may differ from here on."),
        ("with another Optuna", at_start.optuna, optuna.__version__, "Its trials may differ from here on."),
    ):
        if began not in ("", now):  # a study from before it was noted cannot say
            say(f"{stored.name} began {what} ({began}); this is {now}. {outcome}")
