"""Signals at moments when a process does not expect them. Each is sent to a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.paths import REPOSITORY

HEAD = """
import atexit, hashlib, os, subprocess, sys, time
from mien.flows.cli.interrupts import meeting_signals

def run(body, to_the_end=True):
    with meeting_signals(to_the_end) as interruption:
        try:
            body()
        finally:
            if interruption.came:
                interruption.end_process()

def ready():
    print("ready", flush=True)
"""
CASES = {
    "waits": """
def body():
    ready()
    time.sleep(300)
run(body)
""",
    "computes in a library that does not look at signals": """
def body():
    ready()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
run(body)
""",
    "catches everything": """
def body():
    ready()
    while True:
        try:
            time.sleep(300)
        except BaseException:
            pass
run(body)
""",
    "fails on its way out": """
def body():
    try:
        ready()
        time.sleep(300)
    finally:
        raise RuntimeError("a fault that the signal has led to")
run(body)
""",
    "has begun to end": """
def late():
    ready()
    time.sleep(300)
atexit.register(late)
run(lambda: None)
""",
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "term")]
)
def test_a_signal_ends_a_process_that(case: str, number: signal.Signals, code: int, word: str) -> None:
    script = [sys.executable, "-c", HEAD + CASES[case]]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(script, text=True, cwd=REPOSITORY, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    (line,) = err.splitlines()
    assert line.startswith(word)
    assert "same command again" in line


def test_a_process_that_goes_on_has_its_own_handlers_back() -> None:
    script = HEAD + "import signal\nformer = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)\n"
    script += "run(lambda: None, to_the_end=False)\n"
    script += "assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == former\n"
    script += "assert signal.set_wakeup_fd(-1) == -1\n"
    subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=True)
