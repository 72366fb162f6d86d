"""One fault: what it does, and what must be seen of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from millrace.chaos.evidence import Need, Witness

if TYPE_CHECKING:
    from millrace.chaos.world import World


class Fault(ABC):
    """A fault that can be made while records flow.

    Attributes:
        name: how `--faults` calls it.
        title: what happens, in a few words for people.
        needs: the observations without which a run of it is void.
        recovers_within_s: how long until a record acknowledged afterwards is visible in raw.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    needs: ClassVar[tuple[Need, ...]]
    # A driver that is started again needs 40 s on a quiet machine of two cores, then it may wait
    # 15 s for a lock of the dead; beside two other clusters it was seen to take 200 s.
    recovers_within_s: ClassVar[float] = 480.0

    def prepare(self, world: World) -> None:  # noqa: B027 - most faults need no preparation
        """Bring the world to where the fault is to happen; records flow and are landed."""

    @abstractmethod
    def strike(self, world: World, witness: Witness) -> None:
        """Wait for the moment, make the fault, and write down what is seen of it.

        Calls `witness.strike()` at the moment of the fault.

        Raises:
            NotSeenError: the moment did not come: the run is void.
        """

    def afterwards(self, world: World, witness: Witness) -> None:  # noqa: B027 - as above
        """Look once more, when the stream has recovered; and remove what the fault left behind."""

    def clean(self, world: World) -> None:  # noqa: B027 - as above
        """Give back what the fault took, whatever became of it: thaw, unmount, forget."""
