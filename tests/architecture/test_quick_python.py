"""The Python that starts at once is Python to whoever starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

SHOWN = """
import json, os, sys
shown = [sys.argv, os.getcwd(), os.environ.get("GIVEN"), os.environ.get("PLANTED"), __name__, sys.stdin.read()]
print(json.dumps(shown))
print("told", file=sys.stderr)
sys.exit(3)
"""
ENDLESS = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


def test_arguments_environment_folder_files_and_exit_code(
    quick_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED", "x")
    environment = {name: value for name, value in os.environ.items() if name != "PLANTED"} | {"GIVEN": "\u00e4"}
    answers = []
    for python in (quick_python, sys.executable):
        done = subprocess.run(
            [python, "-c", SHOWN, "a", "b c"],
            input="in", cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        answers.append((done.returncode, json.loads(done.stdout), done.stderr))
    assert answers[0] == answers[1]
    assert answers[0] == (3, [["-c", "a", "b c"], str(tmp_path), "\u00e4", None, "__main__", "in"], "told\n")


@pytest.mark.parametrize("code", ["1 / 0", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
def test_it_ends_as_its_program_does(quick_python: str, code: str) -> None:
    done, usual = (
        subprocess.run([python, "-c", code], capture_output=True) for python in (quick_python, sys.executable)
    )
    assert done.returncode == usual.returncode
    assert done.stderr.splitlines()[-1:] == usual.stderr.splitlines()[-1:]


@pytest.mark.parametrize("end", ["None", "0", "300", "-2", "True", "'words'", "2.5"])
def test_what_is_left_to_do_at_the_end_is_done(quick_python: str, end: str) -> None:
    code = (
        "import atexit, sys, threading, time\n"
        "atexit.register(print, 'at exit')\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()\n"
        f"sys.exit({end})"
    )
    done, usual = (
        subprocess.run([python, "-c", code], capture_output=True, text=True)
        for python in (quick_python, sys.executable)
    )
    assert (done.returncode, done.stdout, done.stderr) == (usual.returncode, usual.stdout, usual.stderr)
    assert done.stdout == "thread\nat exit\n"


def test_last_words_that_nobody_takes_are_an_error(quick_python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    code = "import os, sys; read, write = os.pipe(); os.close(read); os.dup2(write, 1); sys.stdout.write('x')"
    ends = [
        subprocess.run([python, "-c", code], capture_output=True).returncode
        for python in (quick_python, sys.executable)
    ]
    assert ends == [120, 120]


def test_a_module_is_run_and_programs_that_it_starts_start_at_once(quick_python: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "import os, subprocess, sys\n"
        "from multiprocessing import get_context\n"
        "if __name__ == '__main__':\n"
        "    subprocess.run([sys.executable, '-c', 'import sys; print(\"torch\" in sys.modules)'], check=True)\n"
        "    with get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.apply(os.getpid) != os.getpid(), sys.argv[1:])\n"
    )
    done = subprocess.run([quick_python, "-m", "own", "x"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True\nTrue ['x']\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_ends_it_ends_its_program(quick_python: str, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [quick_python, "-c", ENDLESS], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    with process:
        assert process.stdout is not None
        program = psutil.Process(int(process.stdout.readline()))
        assert os.getsid(program.pid) == program.pid
        process.send_signal(number)
        assert process.wait(60) == -number
    psutil.wait_procs([program], timeout=60)
    assert not program.is_running() or program.status() == psutil.STATUS_ZOMBIE


def test_prefect_has_the_settings_that_the_program_found_and_set(quick_python: str, tmp_path: Path) -> None:
    code = (
        "import os; os.environ['PREFECT_LOGGING_LEVEL'] = 'ERROR'\n"
        "from prefect import settings\n"
        "print(settings.PREFECT_HOME.value(), settings.PREFECT_LOGGING_LEVEL.value())"
    )
    environment = os.environ | {"PREFECT_HOME": str(tmp_path)}
    done = subprocess.run([quick_python, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == f"{tmp_path} ERROR\n", done.stderr


def test_what_python_itself_reads_makes_it_the_usual_one(quick_python: str) -> None:
    code = "import sys; print(sys.executable, 'prefect' in sys.modules, sys.stdout.encoding)"
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    done = subprocess.run([quick_python, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{sys.executable} False cp1252\n"
