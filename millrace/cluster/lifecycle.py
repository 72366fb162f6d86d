"""Starts, watches and stops a cluster.

`up` may be called at any moment: it starts what is missing, sweeps what an ended supervisor left
behind, and waits. `down` may too: it stops what answers, then sweeps.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Collection, Mapping

from millrace.cluster.causes import LOG_LINES, ServiceError, explain, tail
from millrace.cluster.choice import NATIVE, record
from millrace.cluster.compose import active_services, read_compose
from millrace.cluster.health import ask
from millrace.cluster.preflight import problems
from millrace.cluster.process_file import process_file
from millrace.cluster.state_folder import check_marked, close, empty, only_one
from millrace.cluster.states import HOPELESS_RESTARTS, ProcessState, Watch
from millrace.cluster.strays import end, members, sweep
from millrace.cluster.supervisor import Supervisor
from millrace.environment import cluster_environment
from millrace.errors import MillraceError
from millrace.settings import Settings

_POLL_SECONDS = 0.25
#: Airflow's parts take up to ten seconds to end their workers, one after the other.
_STOP_SECONDS = 90.0


def service_names(settings: Settings, profiles: Collection[str] = ()) -> list[str]:
    """The services that `up` starts."""
    variables = cluster_environment(settings)
    compose = read_compose(settings.root / "docker-compose.yml", variables)
    return list(active_services(compose, profiles))


def up(settings: Settings, profiles: Collection[str], timeout: float, watch: Watch) -> list[str]:
    """Start everything that is not running and wait until all of it is healthy.

    Returns:
        The names of the services that run.

    Raises:
        MillraceError: preflight refused, a service can not start, or time ran out.
    """
    supervisor = Supervisor(settings)
    with only_one(settings):
        if supervisor.is_running():
            states = supervisor.processes()
            _refuse_others(settings, states, profiles)
            for state in states.values():
                if state.status in ("Completed", "Skipped", "Error") and not state.is_settled:
                    supervisor.start_service(state.name)
        else:
            sweep(settings.home)
            _start(settings, supervisor, profiles)
        return _wait(settings, supervisor, timeout, watch)


def _refuse_others(settings: Settings, running: Collection[str], profiles: Collection[str]) -> None:
    """A supervisor keeps to the services that it was started with."""
    missing = [name for name in service_names(settings, profiles) if name not in running]
    if running and missing:
        wanted = "".join(f" --profile {shlex.quote(profile)}" for profile in profiles)
        again = f"make down && bin/millrace up{wanted}"
        raise MillraceError("the cluster", f"was started without {', '.join(missing)}", again)


def _start(settings: Settings, supervisor: Supervisor, profiles: Collection[str]) -> None:
    names = service_names(settings, profiles)
    for problem in problems(settings, names):
        if not problem.is_warning:
            raise MillraceError(problem.thing, problem.cause, problem.remedy)
    close(settings.home)
    record(settings.home, NATIVE)
    variables = cluster_environment(settings)
    compose = read_compose(settings.root / "docker-compose.yml", variables)
    supervisor.start(process_file(compose, variables, profiles))


def _wait(settings: Settings, supervisor: Supervisor, timeout: float, watch: Watch) -> list[str]:
    before = {name: state.restarts for name, state in supervisor.processes().items()}
    deadline = time.monotonic() + timeout
    while True:
        states = supervisor.processes()
        if not states and not supervisor.is_running():
            log = settings.home / "logs" / "supervisor.out"
            raise MillraceError(
                "the supervisor", "has ended", f"cat {shlex.quote(str(log))} && make up"
            )
        watch(states)
        if states and not _unhealthy(settings, states):
            return list(states)
        for state in states.values():
            restarts = state.restarts - before.get(state.name, 0)
            failed = state.status in ("Completed", "Error") and not state.is_settled
            if (failed or restarts >= HOPELESS_RESTARTS) and not state.is_settled:
                raise _explain(settings, state, "could not be started")
        if time.monotonic() > deadline:
            late = states[_unhealthy(settings, states)[0]]
            raise _explain(settings, late, f"was not healthy within {timeout:.0f} s")
        time.sleep(_POLL_SECONDS)


def _unhealthy(settings: Settings, states: Mapping[str, ProcessState]) -> list[str]:
    """Who is not healthy. The services are only asked once the supervisor calls all of them so:
    it still does of a process that has just been started again.
    """
    unsettled = [name for name, state in states.items() if not state.is_settled]
    return unsettled or [name for name, ok in ask(settings, states).items() if not ok]


def _explain(settings: Settings, state: ProcessState, cause: str) -> ServiceError:
    lines = tail(settings.home / "logs" / f"{state.name}.log", LOG_LINES)
    return explain(state.name, cause, lines)


def down(settings: Settings) -> int:
    """Stop everything and leave no process; returns how many strays had to be ended."""
    with only_one(settings):
        return _stop(settings)


def _stop(settings: Settings) -> int:
    """YARN goes first, then its containers while HDFS is still there for them to leave in order,
    then the rest in reverse order of dependence.
    """
    supervisor = Supervisor(settings)
    if supervisor.is_running():
        for service in ("nodemanager", "resourcemanager"):
            supervisor.stop_service(service)
        end([member for member in members(settings.home) if member.container])
        supervisor.shut_down(_STOP_SECONDS)
    return sweep(settings.home)


def destroy(settings: Settings) -> None:
    """Stop everything and delete the data. The distribution's cache and the links stay.

    Raises:
        MillraceError: the folder is not the state of a cluster.
    """
    check_marked(settings)
    with only_one(settings):
        _stop(settings)
        empty(settings.home)
