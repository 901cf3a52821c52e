"""What a sweep needs beside its configuration and its data, as far as a moment tells: packages, a database."""

from sweeps.configuration.config import Config
from sweeps.configuration.config_file import expand_uri


def check_needs(config: Config) -> None:
    """Notice now what would end a sweep at its start.

    Raises:
        InputError: A package is not installed, or the study's database does not answer.
    """
    if config.execution.executor == "dask":
        import sweeps.execution.dask_cluster  # noqa: F401  # its import says what is missing; of Dask, so it takes a second
    if config.study.storage is not None:
        from sweeps.storage.database import check_database  # of Optuna, which takes another

        check_database(expand_uri(config.study.storage, "[study] storage"))
    if config.study.sampler != "tpe":
        from sweeps.search.samplers import check_package  # of Optuna too

        check_package(config.study.sampler)
