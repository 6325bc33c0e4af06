"""Where the processes of a pool run."""

from __future__ import annotations

from mien.tasks.runtime.hosts import ThisMachine, available_cores, hosts_in_force, working_on
from mien.tasks.runtime.limits import WorkLimits


class Elsewhere(ThisMachine):
    are_elsewhere = True


def test_hosts_are_in_force_while_the_block_runs() -> None:
    there = Elsewhere()
    with working_on(there):
        assert hosts_in_force() is there
    assert isinstance(hosts_in_force(), ThisMachine)
    assert not hosts_in_force().are_elsewhere


def test_this_machine_has_a_process_for_each_core_unless_a_user_says_otherwise() -> None:
    here = ThisMachine()
    assert here.processes(None, WorkLimits()) == available_cores()
    assert here.processes(5, WorkLimits()) == 5


def test_processes_of_this_machine_take_turns_over_the_devices() -> None:
    here = ThisMachine()
    assert here.own_processes(("cpu",)) == ()
    assert here.own_processes(("cuda:0", "cuda:1")) == ("cuda:0", "cuda:1")
    assert [here.device_of(number, ("cuda:0", "cuda:1")) for number in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
