"""The landing stream of a run: its driver dials the metastore through the proxy.

YARN starts a killed driver again by itself. An application that has ended is started by the DAG
`lake_landing` within five minutes; here that is done at once, and told as a hand.
"""

from __future__ import annotations

from millrace.chaos.processes import Container, containers
from millrace.chaos.triggers import until
from millrace.landing.control import Control, State
from millrace.landing.yarn import Application, Yarn, submit
from millrace.settings import Settings

STOP_S = 120.0
#: From submission to the driver, beside two other clusters on two cores.
START_S = 300.0


class LandingStream:
    """Starts, stops and finds the application and its processes."""

    def __init__(self, settings: Settings, environment: dict[str, str]) -> None:
        self._settings = settings
        self._environment = environment
        self._yarn = Yarn(settings)
        self._ours: set[str] = set()
        #: What was done that an operator or a DAG would do.
        self.hands: list[str] = []

    def applications(self) -> list[Application]:
        """The live landing applications, oldest first."""
        return self._yarn.landing()

    def start(self, **environment: str) -> str:
        """Submit an application, past the guard that lets only one run; its id."""
        before = {each.id for each in self.applications()}
        Control(self._settings).withdraw_stop()
        submit(self._settings, {**self._environment, **environment})
        new = until(
            "the landing application",
            lambda: [each.id for each in self.applications() if each.id not in before],
        )
        self._ours.update(new)
        return new[-1]

    def ensure(self) -> None:
        """Start it where none runs, as the DAG does; replace one that does not use the proxy."""
        running = self.applications()
        if any(each.id in self._ours for each in running):
            return
        for each in running:
            self._yarn.kill(each)
        if self._ours:
            self.hands.append("landing start, as the DAG lake_landing does every five minutes")
        self.start()

    def stop(self) -> None:
        """Ask it to stop between two batches, and end what does not."""
        control = Control(self._settings)
        if not self.applications():
            return
        control.ask_to_stop()
        try:
            until("the end of landing", lambda: not self.applications(), STOP_S)
        finally:
            for each in self.applications():
                self._yarn.kill(each)
            control.withdraw_stop()

    def kill(self, application: str) -> None:
        """Have YARN end one application."""
        for each in self.applications():
            if each.id == application:
                self._yarn.kill(each)

    def containers(self, application: str | None = None) -> list[Container]:
        """Those of one application, or of all that live; the latest first."""
        wanted = [application] if application else [each.id for each in self.applications()]
        return containers(self._settings.home, wanted)

    def driver(self, application: str | None = None) -> Container:
        """The container of the driver.

        Raises:
            NotSeenError: there is none.
        """
        return until("the landing driver", lambda: self._driver(application), START_S)

    def _driver(self, application: str | None) -> Container | None:
        found = (each for each in self.containers(application) if each.is_driver)
        return next(found, None)

    def executors(self, application: str | None = None) -> list[Container]:
        """The containers of the executors."""
        return [each for each in self.containers(application) if not each.is_driver]

    def state(self) -> State | None:
        """What the application says of itself."""
        return Control(self._settings).state()

    def lines(self, container: Container) -> list[str]:
        """The log that a driver itself writes; YARN calls it `stdout`."""
        folder = self._settings.home / "logs" / "yarn" / container.application / container.id
        return (folder / "stdout").read_text(errors="replace").splitlines()

    def said(self, container: Container, *words: str, after: int = 0) -> str | None:
        """The last line of a driver's log that has any of these words.

        Args:
            container: the driver.
            words: to look for.
            after: lines that were there before, and are of something else.
        """
        lines = reversed(self.lines(container)[after:])
        return next((line for line in lines if any(each in line for each in words)), None)
