"""Asks the process of quick_python.py to run a program, and is that program to whoever started this.

It is run without the standard paths, and imports little, so that it starts in a hundredth of a second. It has the
socket beside it. What it does not know, Python itself is to run.
"""

import array
import json
import os
import signal
import socket
import sys

READ_AT_THE_START = ("PYTHONIOENCODING", "PYTHONUTF8", "PYTHONWARNINGS", "PYTHONHASHSEED", "PYTHONSTARTUP")
"""Variables that Python itself reads, and the tests set."""
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)

arguments = sys.argv[1:]
if os.path.basename(__file__) != "python":  # a command of that name
    arguments[:0] = ["-m", os.path.basename(__file__)]
while arguments and arguments[0] in ("-B", "-u"):
    del arguments[0]
if arguments[:1] not in (["-m"], ["-c"]) or any(name in os.environ for name in READ_AT_THE_START):
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])

connection = socket.socket(socket.AF_UNIX)
own = connection.fileno()
open_here = [int(name) for name in os.listdir("/proc/self/fd")]
passed = []
for number in sorted(open_here):
    try:
        if number != own and os.get_inheritable(number):
            passed.append(number)
    except OSError:  # of the listing itself
        continue
asked = {
    "argv": arguments,
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "descriptors": passed,
    "own_session": os.getsid(0) == os.getpid(),
}
text = json.dumps(asked).encode()
connection.connect(os.path.join(os.path.dirname(__file__), "socket"))
connection.sendmsg(
    [len(text).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", passed).tobytes())]
)
connection.sendall(text)
for number in PASSED_ON:
    signal.signal(number, lambda number, _: connection.sendall(bytes([number])))
for number in passed:
    os.close(number)
code = int(connection.recv(16) or -signal.SIGKILL)
if code < 0:
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
