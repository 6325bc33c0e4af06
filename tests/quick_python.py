"""A Python that starts at once: forked from a process that has imported what commands and servers are made of.

A command that a test starts imports Prefect, MLflow and torch, and its server does so again: three to ten seconds of a
core. The path that `start_quick_python` returns takes `-m …` or `-c …` as Python does. It asks a process that has these
modules for a fork, which runs the program with the arguments, the environment, the folder and the open files that were
given; signals, the exit code and a kill are passed on. In the forked process `sys.executable` is that path too.

How commands start in truth is the matter of tests/integration/test_cli.py, test_interrupts.py, test_embedded_server.py
and the long tests of test_killed.py, and of all tests of an environment that Python itself reads.
"""

from __future__ import annotations

import array
import atexit
import fcntl
import gc
import json
import multiprocessing.spawn
import os
import runpy
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import types
import warnings
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

IMPORTED = (
    "mien.flows.cli.build",
    "mien.flows.cli.deploy",
    "mien.flows.cli.doctor",
    "mien.flows.nightly",
    "mien.flows.pipeline",
    "mlflow.pyfunc",
    "prefect.cli",
    "prefect.engine",
    "prefect.server.api.server",
    "prefect.workers.process",
    "s3fs",
    "torch._dynamo",  # by any optimizer
    "uvicorn",
)
LOOK_EVERY_S = 2.0
"""Whether any test process is left."""
OF_TESTS = "tests"
"""Of the process that forks test processes: the shapes of `model` are checked there, and Python stays what it is."""
IMPORTED_BY_TESTS = (
    *IMPORTED,
    "mien.flows.experiment_expression",
    "mien.flows.experiment_recognition",
    "mien.flows.experiment_verification",
    "mien.flows.export",
    "mien.flows.forget",
    "mien.flows.reproduce",
    "mien.flows.verify",
    "hypothesis",
    "moto.server",
    "pandas",
    "prefect.testing.utilities",
    "pytest",
    "scipy.stats",
    "skimage.metrics",
    "xdist.remote",
)
_HERE = Path(__file__).resolve()
_HIGH = 500
"""Descriptors from here on are nobody's."""
_held: dict[Path, int] = {}
"""The locks by which this test process says that it is still there."""


def python_of_many(factory: pytest.TempPathFactory) -> str:
    """For what fixtures start: this Python where test processes share it, the usual one where it would not pay."""
    return str(start_quick_python(factory)) if "PYTEST_XDIST_WORKER" in os.environ else sys.executable


def start_quick_python(factory: pytest.TempPathFactory) -> Path:
    """Path of the Python. The processes of a test session share the process that forks, which ends with them."""
    from tests.made_once import made_once

    _, client = made_once(factory, "quick-python", lambda _: _start())
    _hold(client.parent)
    return client


def start_test_python() -> Path:
    """One that is forked for test processes, and ends with this process. They import what all tests need only once."""
    return _start(OF_TESTS)


def _start(*whose: str) -> Path:
    from mien.tasks.runtime.worker_process import THREAD_VARIABLES

    folder = Path(tempfile.mkdtemp(prefix="mien-python-"))  # short: the path of a socket has 107 bytes
    for name in ("python", "prefect"):  # beside one another, as programs look for them
        client = folder / name
        client.write_text(f"#!{sys.executable} -ISB\n" + _HERE.with_name("quick_client.py").read_text())
        client.chmod(0o700)
    _hold(folder)
    of_programs = ("PREFECT_", "MLFLOW_TRACKING", "PYTHONPATH")
    given = {name: value for name, value in os.environ.items() if not name.startswith(of_programs)}
    with socket.socket(socket.AF_UNIX) as listening, (folder / "log").open("wb") as log:
        listening.bind(str(folder / "socket"))
        listening.listen(128)
        subprocess.run(
            [sys.executable, _HERE, str(listening.fileno()), folder, *whose],
            env=given | dict.fromkeys(THREAD_VARIABLES, "1") | {"PREFECT_HOME": str(folder / "prefect")},
            pass_fds=[listening.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
        )
    return folder / "python"


def _hold(folder: Path) -> None:
    if folder not in _held:
        _held[folder] = os.open(folder, os.O_RDONLY)
        fcntl.flock(_held[folder], fcntl.LOCK_SH)


# --- In the process that forks ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Program:
    """What quick_client.py asks for."""

    argv: list[str]
    environment: dict[str, str]
    folder: str
    descriptors: list[int]
    """Those of the files that it passes, as they are numbered there."""
    own_session: bool


def _serve(listening: socket.socket, folder: Path) -> tuple[_Program, list[int]]:
    """Returns in forked processes: the program that each is to run, and its open files as they are numbered here."""
    listening.settimeout(LOOK_EVERY_S)
    lock = os.open(folder, os.O_RDONLY)
    while True:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        try:
            connection, _ = listening.accept()
        except TimeoutError:
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
                sys.exit()
            continue
        with connection:
            if os.fork() == 0:
                listening.close()
                os.close(lock)
                return _keep(connection)


def _keep(connection: socket.socket) -> tuple[_Program, list[int]]:
    """Forks once more, and stays with the client until it or its program has ended."""
    connection.settimeout(None)
    program, files = _asked(connection)
    pid = os.fork()
    if pid == 0:
        connection.close()
        return program, files
    for descriptor in files:
        os.close(descriptor)
    with selectors.DefaultSelector() as waiting:
        ended = os.pidfd_open(pid)
        waiting.register(ended, selectors.EVENT_READ)
        waiting.register(connection, selectors.EVENT_READ)
        while all(key.fd != ended for key, _ in waiting.select()):
            number = connection.recv(1)
            if not number:  # the client was killed
                (os.killpg if program.own_session else os.kill)(pid, signal.SIGKILL)
                waiting.unregister(connection)
            else:
                os.kill(pid, number[0])
    _, status = os.waitpid(pid, 0)
    with suppress(OSError):
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _asked(connection: socket.socket) -> tuple[_Program, list[int]]:
    size, ancillary, _, _ = connection.recvmsg(8, socket.CMSG_SPACE(250 * 4))
    files = array.array("i")
    for _, _, data in ancillary:
        files.frombytes(data[: len(data) - len(data) % files.itemsize])
    text = bytearray()
    while len(text) < int.from_bytes(size, "big"):
        text += connection.recv(2**20)
    return _Program(**json.loads(text)), list(files)


def _become(program: _Program, files: list[int], client: str | None) -> None:
    """Makes this process what Python would be at the start of the program. Without a client it starts others slowly."""
    if program.own_session:
        os.setsid()
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, _HIGH) for descriptor in files]
    for descriptor in files:
        os.close(descriptor)
    for number, descriptor in zip(program.descriptors, high, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(program.folder)
    os.environ.clear()
    os.environ.update(program.environment)
    sys.stdin, sys.stdout, sys.stderr = _stream(0, "r"), _stream(1, "w"), _stream(2, "w")
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    if client is not None:
        sys.executable = client
        multiprocessing.spawn.set_executable(client)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    kind = program.argv[0]
    sys.argv = [kind, *program.argv[2:]]
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = [program.folder if kind == "-m" else "", *paths, *sys.path]
    _read_settings_at_first_use()


def _read_settings_at_first_use() -> None:
    """Prefect reads its settings when it is imported, after the program has set some of them."""
    from prefect import context
    from prefect.logging import configuration

    usual: Any = context.SettingsContext.get

    def first() -> Any:
        context.SettingsContext.get = usual  # type: ignore[method-assign]
        context.refresh_global_settings_context()
        configuration.PROCESS_LOGGING_CONFIG.clear()
        configuration.setup_logging()
        return usual()

    del context.GLOBAL_SETTINGS_CONTEXT
    context.SettingsContext.get = staticmethod(first)  # type: ignore[method-assign,assignment]


def _stream(number: int, mode: str) -> Any:
    """As Python opens them."""
    errors = "backslashreplace" if number == 2 else "strict"
    stream = open(number, mode, errors=errors, closefd=False)  # noqa: SIM115
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    if mode == "w":
        stream.reconfigure(line_buffering=number == 2 or stream.isatty(), write_through=unbuffered)
    return stream


def _run(kind: str, what: str) -> None:
    main: Any = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    if kind == "-c":
        exec(compile(what, "<string>", "exec"), vars(main))
    else:
        package = hasattr(sys.modules.get(what), "__path__")
        sys.modules.pop(f"{what}.__main__" if package else what, None)  # it runs, as it would, under another name
        runpy.run_module(what, run_name="__main__", alter_sys=True)


def _leave(code: int) -> None:
    """Ends this process as Python does, but for taking apart all modules: half a second, most of it in copies of memory
    that nobody needs. What ends by an exception or cannot write its last words returns, and ends in the usual way."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with suppress(OSError, ValueError):
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code & 0xFF)


def _import_all(of_tests: bool) -> None:
    sys.path[0] = str(_HERE.parent.parent)
    if of_tests:
        from tests.checked_shapes import check_shapes

        check_shapes("mien.model")
    with warnings.catch_warnings():  # libraries change what is shown
        for name in IMPORTED_BY_TESTS if of_tests else IMPORTED:
            import_module(name)
    _look_less_often()
    del sys.path[0]
    gc.collect()
    gc.freeze()


def _look_less_often() -> None:
    """Servers of tests look once a second for work of their own, and not four times: by no setting of Prefect, and a
    third of what idle ones take."""
    from prefect.server.api import background_workers

    seldom = dict.fromkeys(("minimum_check_interval", "scheduling_resolution"), timedelta(seconds=1))
    background_workers.Worker = partial(background_workers.Worker, **seldom)  # type: ignore[misc]


if __name__ == "__main__":
    if os.fork():
        os._exit(0)  # nobody's child: the test process that needed it first may end before others
    os.setsid()
    _number, _folder, *_whose = sys.argv[1:]
    _import_all(OF_TESTS in _whose)
    _program, _files = _serve(socket.socket(fileno=int(_number)), Path(_folder))
    _become(_program, _files, None if _whose else f"{_folder}/python")
    try:
        _run(*_program.argv[:2])
    except SystemExit as _end:
        if not isinstance(_end.code, int | None):
            raise
        _leave(_end.code or 0)
    else:
        _leave(0)
    finally:
        warnings.simplefilter("ignore", ResourceWarning)  # of what is still open now, as at the end of any Python
