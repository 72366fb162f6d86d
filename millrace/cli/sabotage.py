"""The command `sabotage`: damage a copy of a dataset, and see whether the verifier says so."""

from __future__ import annotations

import time

import click

from millrace.cluster.runtime import collect
from millrace.contracts import Contract, find, load_contracts
from millrace.errors import MillraceError
from millrace.settings import load
from millrace_producers.ledger import summarise

#: A dataset of fewer records gives the damages little to hide among; more only cost time.
ENOUGH_RECORDS = 1_000


@click.command()
@click.option("--dataset", help="Dataset whose copy is damaged.")
@click.option("--only", multiple=True, metavar="NAME,...", help="Only these: a,b; may be repeated.")
@click.option("--seed", default=1, show_default=True, help="Chooses the rows that are damaged.")
def sabotage(dataset: str | None, only: tuple[str, ...], seed: int) -> None:
    """Damage a copy of a dataset in twelve ways; exit with 1 where the verifier misses one.

    Your own tables and ledger are only read. The copy is removed afterwards.
    """
    from millrace.sabotage.damages import DAMAGES
    from millrace.sabotage.run import MissedError
    from millrace.sabotage.run import sabotage as run

    names = {damage.name for damage in DAMAGES}
    wanted = [name for each in only for name in each.split(",")]
    for name in wanted:
        if name not in names:
            raise MillraceError(
                f"damage {name}", f"there are {', '.join(sorted(names))}", "make sabotage"
            )
    chosen = [damage for damage in DAMAGES if not only or damage.name in wanted]
    collect(load())  # what producers in containers wrote
    contract = _contract(dataset)
    began = time.monotonic()
    outcomes = run(load(), contract, chosen, seed, click.echo)
    caught = sum(outcome.finding is not None for outcome in outcomes)
    click.echo(f"{caught} of {len(outcomes)} caught ({time.monotonic() - began:.1f} s)")
    if missed := [each.damage.name for each in outcomes if each.finding is None]:
        raise MissedError(contract.dataset, missed, seed)


def _contract(dataset: str | None) -> Contract:
    contracts = load_contracts(load().contracts)
    if dataset is not None:
        return find(dataset, contracts)
    sent = {
        name: counts.acknowledged
        for name, counts in summarise(load().ledger).items()
        if name in contracts and counts.acknowledged
    }
    if not sent:
        raise MillraceError("sabotage", "no record was acknowledged yet", "make demo")
    enough = [name for name, number in sent.items() if number >= ENOUGH_RECORDS]
    name = min(enough, key=sent.__getitem__) if enough else max(sent, key=sent.__getitem__)
    return contracts[name]
