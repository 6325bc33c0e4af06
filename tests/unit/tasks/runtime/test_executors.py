"""Which executors a user may ask for, said before anything is connected."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mien.storage import Root
from mien.tasks.errors import UsageError
from mien.tasks.runtime import executors
from mien.tasks.runtime.executors import check_executor, executing
from mien.tasks.runtime.hosts import ThisMachine, hosts_in_force


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(str(tmp_path))


def test_an_address_without_ray_is_refused(root: Root) -> None:
    with pytest.raises(UsageError, match="--ray-address belongs to --executor ray"):
        check_executor("local", "auto", root)


def test_without_ray_one_line_says_what_to_install(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "find_spec", lambda _name: None)
    check_executor("local", None, root)
    with pytest.raises(UsageError, match=r"^--executor ray needs Ray: pip install 'mien\[ray\]'$"):
        check_executor("ray", None, root)


def test_an_address_of_a_client_of_ray_is_refused(root: Root) -> None:
    with pytest.raises(UsageError, match="start the command on a node of the cluster"):
        check_executor("ray", "ray://head:10001", root)


@pytest.mark.parametrize("executor", ["local", "ray"])
def test_a_root_in_memory_is_refused_where_other_machines_have_to_see_it(executor: executors.ExecutorKind) -> None:
    root = Root("memory://here")
    if executor == "local":
        check_executor(executor, None, root)
        return
    with pytest.raises(UsageError, match="take a root that all nodes reach"):
        check_executor(executor, None, root)


def test_on_this_machine_ray_is_not_imported(root: Root) -> None:
    loaded = "ray" in sys.modules
    with executing("local", None, root, "runs/x.json"):
        assert isinstance(hosts_in_force(), ThisMachine)
    assert ("ray" in sys.modules) == loaded
