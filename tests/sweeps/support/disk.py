"""What a process does to the files of one folder, event by event, and what can go wrong at any of them.

`watch` changes the process that calls it, for good: every call with which Python changes a file goes through `_Watch`,
which numbers it, notes it and, at the event that a `Fault` names, ends the process, cuts the power or fills the disk.
Nothing else is changed: all other events reach the operating system as they are. Meant for a process of its own
(`tests.sweeps.support.lives`); what libraries in C write by themselves (SQLite) is not seen.
"""

import _pyio
import builtins
import errno
import io
import json
import os
import re
import shutil
import signal
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from tests.sweeps.support.processes import Target, send

PREFIX_LENGTH = 80
"""Bytes of a write that are noted and that `Fault.data` may match."""

_VARYING = (
    (r"\d{8}-\d{6}(-2)?", "STUDY"),
    (r"\.probe-\d+", ".probe"),
    (r"\.delivered\.\d+", ".delivered"),
    (r"(?<=\.lock)[0-9a-f-]{36}", ""),
    (r"(?<=worker-data-)\w{8}", ""),
    (r"(?<=\.model\.h5\.)\w{8}", ""),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, once in the life of a process.

    Attributes:
        kind: A signal is sent, which kills unless it is another; or the power fails, so that only what was synced is
            found afterwards; or the disk is full from then on.
        phase: Before the event, after it, or half-way: half of a write's bytes, nothing of any other event.
        occurrence: Which of the events that match the following patterns; counts from 0.
        operation, file, data: Patterns, found anywhere in the name of the call, in the path below the folder (with
            everything that varies replaced by what it stands for) and in the first bytes of a write.
        is_lasting: A full disk stays full; else there is room again at the next event.
        signal_number, target, delay_seconds: Of a signal.
        keeps_names: After a power cut the names of files are as they last were; else as they were at the last sync.
    """

    kind: Literal["signal", "power cut", "full disk"]
    phase: Literal["before", "torn", "after"] = "before"
    occurrence: int = 0
    operation: str = ""
    file: str = ""
    data: str = ""
    signal_number: int = signal.SIGKILL
    target: Target = "coordinator"
    delay_seconds: float = 0.0
    is_lasting: bool = True
    keeps_names: bool = True

    def is_at(self, event: "Event") -> bool:
        """Whether the event is of those that are counted."""
        texts = ((self.operation, event.operation), (self.file, event.file), (self.data, event.data))
        return all(re.search(pattern, text) for pattern, text in texts)


@dataclass(frozen=True, slots=True)
class Event:
    """A change of a file: the call, the path below the folder, the first bytes that were to be written."""

    operation: str
    file: str
    data: str = ""


def watch(folder: Path, trace: Path, fault: Fault | None) -> None:
    """From now on, watch what this process does below a folder.

    Args:
        folder: Watched with everything below it.
        trace: Gets a line of JSON an event, written before the event happens.
        fault: What goes wrong; None is nothing.
    """
    _Watch(folder, trace, fault).install()


def events(trace: Path) -> list[Event]:
    """What `watch` has noted."""
    return [Event(**json.loads(line)) for line in trace.read_text().splitlines()]


class _Watch:
    def __init__(self, folder: Path, trace: Path, fault: Fault | None) -> None:
        self._folder = str(folder)
        self._trace = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._fault = fault
        self._n_left = -1 if fault is None else fault.occurrence
        self._is_full = False
        self._last_thread: int | None = None
        self._lock = threading.RLock()  # one event at a time, and none after the last
        self._paths: dict[int, str] = {}  # by file descriptor
        self._os = {name: getattr(os, name) for name in ("open", "write", "fsync", "close", "unlink", "mkdir")}
        self._names_when_synced = self._names()  # what an earlier process left has long been on the disk
        self._synced = {
            inode: Path(path).read_bytes()
            for path, (mode, inode) in self._names_when_synced.items()
            if stat.S_ISREG(mode)
        }

    def install(self) -> None:
        os.open, os.close = self._open, self._close  # type: ignore[assignment]
        os.write = self._write
        for name in ("fsync", "fdatasync"):
            setattr(os, name, partial(self._sync, name))
        for name in ("ftruncate", "truncate", "rename", "replace", "unlink", "remove", "symlink", "mkdir", "rmdir"):
            setattr(os, name, partial(self._call, name, getattr(os, name)))
        builtins.open = io.open = _open_file  # type: ignore[assignment]

    # --- the calls ---

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        place = self._place(path, dir_fd)
        opened = partial(self._os["open"], path, flags, mode, dir_fd=dir_fd)
        if flags & os.O_TRUNC or (flags & os.O_CREAT and not os.path.lexists(place)):
            descriptor: int = self._happens("open", place, opened, needs_room=True)
            self._synced[os.fstat(descriptor).st_ino] = b""
        else:
            descriptor = opened()
        self._paths[descriptor] = place
        return descriptor

    def _close(self, descriptor: int) -> None:
        self._paths.pop(descriptor, None)
        self._os["close"](descriptor)

    def _write(self, descriptor: int, data: Any) -> int:
        content = bytes(data)
        written: int = self._happens(
            "write",
            self._paths.get(descriptor, ""),
            lambda: self._os["write"](descriptor, content),
            lambda: self._os["write"](descriptor, content[: len(content) // 2]),
            data=content[:PREFIX_LENGTH].decode("latin-1"),
            needs_room=True,
        )
        return written

    def _sync(self, name: str, descriptor: int) -> None:
        def synced() -> None:
            self._os["fsync"](descriptor)
            if self._fault is None or self._fault.kind != "power cut":
                return
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode):
                self._synced[status.st_ino] = Path(self._paths[descriptor]).read_bytes()
            self._names_when_synced = self._names()

        self._happens(name, self._paths.get(descriptor, ""), synced, needs_room=True)

    def _call(self, name: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        if name == "symlink":
            place = self._place(arguments[1], options.get("dir_fd"))
        elif isinstance(arguments[0], int):
            place = self._paths.get(arguments[0], "")
        else:
            place = self._place(arguments[0], options.get("dir_fd", options.get("src_dir_fd")))
        return self._happens(name, place, partial(call, *arguments, **options), needs_room=name in ("symlink", "mkdir"))

    def _place(self, path: Any, directory: int | None) -> str:
        name = os.fsdecode(path)
        return os.path.abspath(name if directory is None else os.path.join(self._paths.get(directory, "/"), name))

    # --- what becomes of them ---

    def _happens(
        self,
        operation: str,
        place: str,
        act: Callable[[], Any],
        act_half: Callable[[], Any] | None = None,
        *,
        data: str = "",
        needs_room: bool,
    ) -> Any:
        if not place.startswith(self._folder) or self._last_thread == threading.get_ident():
            return act()
        with self._lock:
            event = Event(operation, self._label(place), data)
            note = {"operation": event.operation, "file": event.file, "data": event.data}
            self._os["write"](self._trace, json.dumps(note).encode() + b"\n")
            fault = self._fault
            is_chosen = False
            if fault is not None and self._n_left >= 0 and fault.is_at(event):
                is_chosen = self._n_left == 0
                self._n_left -= 1
            if not is_chosen:
                if self._is_full and needs_room:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return act()
            assert fault is not None, "chosen by it"
            result = None
            if fault.phase == "after":
                with suppress(OSError if fault.kind != "full disk" else ()):  # mkdir of what is there, and the like
                    result = act()
            elif fault.phase == "torn" and act_half is not None:
                result = act_half()
            if fault.kind == "full disk":
                self._is_full = fault.is_lasting
                if result is None and needs_room:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return act() if result is None else result
            if fault.kind == "power cut":
                self._lose_what_was_not_synced(fault.keeps_names)
            self._signal(fault)
            return act() if fault.phase == "before" else result

    def _signal(self, fault: Fault) -> None:
        """To this process group; returns where the signal does not end this process, or not yet."""
        if fault.delay_seconds > 0:
            threading.Timer(fault.delay_seconds, send, (os.getpid(), fault.signal_number, fault.target)).start()
        else:
            send(os.getpid(), fault.signal_number, fault.target)

    def _label(self, place: str) -> str:
        label = os.path.relpath(place, self._folder)
        for pattern, word in _VARYING:
            label = re.sub(pattern, word, label)
        return label

    def _names(self) -> dict[str, tuple[int, int]]:
        """Mode and inode of everything below the folder."""
        found = {}
        for directory, folders, files in os.walk(self._folder):
            for name in (*folders, *files):
                path = os.path.join(directory, name)
                status = os.lstat(path)
                found[path] = (status.st_mode, status.st_ino)
        return found

    def _lose_what_was_not_synced(self, keeps_names: bool) -> None:
        """Make the folder what a disk holds after a power cut, at worst: no byte that was not synced."""
        names = self._names() if keeps_names else self._names_when_synced
        self._last_thread = threading.get_ident()  # all others wait for the lock, for ever
        for entry in list(os.scandir(self._folder)):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)
        for path, (mode, inode) in sorted(names.items()):
            if stat.S_ISDIR(mode):
                os.mkdir(path, stat.S_IMODE(mode))
            elif stat.S_ISLNK(mode):
                os.symlink("somewhere", path)
            else:
                Path(path).write_bytes(self._synced.get(inode, b""))
                os.chmod(path, stat.S_IMODE(mode))


def _open_file(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
    """`open`; what is opened for writing writes through `os`, where it is seen."""
    if set(mode).isdisjoint("wax+"):
        return _c_open(file, mode, *arguments, **options)
    return _pyio.open(file, mode, *arguments, **options)


_c_open = io.open
