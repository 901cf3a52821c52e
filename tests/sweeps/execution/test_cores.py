"""How many cores count, from folders as Linux shows them."""

import pytest

from experiments import control_groups
from sweeps.execution import cores


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Say which groups the process is in, and what stands in their files."""

    def write(own: str, files: dict[str, str]) -> None:
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            (tmp_path / "sys" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "sys" / name).write_text(text)

    monkeypatch.setattr(control_groups, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(control_groups, "_GROUPS", tmp_path / "sys")
    monkeypatch.setattr(cores, "n_cores_seen", lambda: 64)
    return write


@pytest.mark.parametrize(
    ("own", "files", "quota", "n"),
    [
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 2.5, 2),  # a container sees its own group as the root
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 0.5, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None, 64),
        ("0::/\n", {}, None, 64),
        ("0::/a/b\n", {"a/cpu.max": "400000 100000\n", "a/b/cpu.max": "max 100000\n"}, 4, 4),  # of a group above it
        ("0::/a/b\n", {"a/cpu.max": "400000 100000\n", "a/b/cpu.max": "800000 100000\n"}, 4, 4),
        ("3:cpu,cpuacct:/c\n", {"cpu/c/cpu.cfs_quota_us": "300000\n", "cpu/c/cpu.cfs_period_us": "100000\n"}, 3, 3),
        ("3:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None, 64),
        ("3:cpuset:/\n", {"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, None, 64),
        ("0::/\n", {"cpu.max": "10000000 100000\n"}, 100, 64),
        ("0::/\n", {"cpu.max": "what is this\n"}, None, 64),
    ],
)  # fmt: skip
def test_a_quota_of_the_control_group_counts_as_cores(groups, own, files, quota, n):
    groups(own, files)
    assert (cores.cpu_quota(), cores.n_cores()) == (quota, n)


def test_where_there_are_no_control_groups_all_cores_count(groups):
    assert (cores.cpu_quota(), cores.n_cores()) == (None, 64)
