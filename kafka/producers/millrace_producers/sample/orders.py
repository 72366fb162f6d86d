"""Orders: what a basket holds, what it costs, and how an order comes along."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate

from millrace_producers.encoding import Record
from millrace_producers.sample.calendar import END, order_times
from millrace_producers.sample.entities import CURRENCY, History

#: Lines of an order: one to five.
LINE_WEIGHTS = (38, 27, 18, 10, 7)
QUANTITY_WEIGHTS = (70, 18, 7, 3, 2)
DISCOUNT_SHARE = 0.15
#: Weight of the n-th most popular is n to the minus this. Of 1,000 customers a fifth buys over half
#: of everything, and the best one 3 %.
SKEW = 0.65
#: status -> what may follow: status, share, least and most hours. The rest stays as it is.
STEPS: dict[str, tuple[tuple[str, float, float, float], ...]] = {
    "placed": (("paid", 0.95, 0.02, 3), ("cancelled", 0.05, 0.5, 72)),
    "paid": (("shipped", 0.98, 4, 60), ("cancelled", 0.02, 1, 48)),
    "shipped": (("delivered", 1.0, 12, 144),),
    "delivered": (("returned", 0.04, 48, 480),),
}


class Popularity:
    """A power law over a list: few are chosen often, most seldom; who is which is shuffled."""

    def __init__(self, rng: random.Random, number: int) -> None:
        weights = [(rank + 1) ** -SKEW for rank in range(number)]
        rng.shuffle(weights)
        self._sums = list(accumulate(weights))

    def pick(self, rng: random.Random, among: int) -> int:
        """An index below `among`."""
        return bisect_right(self._sums, rng.random() * self._sums[among - 1], 0, among - 1)


class Shop:
    """Who can buy what, where, at any time; composes orders.

    The histories are ordered by their first states, so those that exist at a time are a prefix.
    """

    def __init__(
        self,
        rng: random.Random,
        customers: Sequence[History],
        products: Sequence[History],
        locations: Sequence[History],
    ) -> None:
        self._rng = rng
        self.customers, self.products, self.locations = customers, products, locations
        self._registered = [history[0]["updated_at"] for history in customers]
        self._buyers = Popularity(rng, len(customers))
        self._bestsellers = Popularity(rng, len(products))
        self._places = Popularity(rng, len(locations))

    def place_order(self, order_id: str, at: datetime) -> Record:
        """An order of someone registered by then, of products on sale then, at their prices."""
        rng = self._rng
        registered = max(1, bisect_right(self._registered, at))
        customer = self.customers[self._buyers.pick(rng, registered)][0]
        location = self.locations[self._places.pick(rng, len(self.locations))][0]
        lines = [
            self._line(number, product) for number, product in enumerate(self._basket(at), start=1)
        ]
        amounts = (line["quantity"] * line["unit_price_cents"] for line in lines)
        discounts = (line["discount_cents"] for line in lines)
        return {
            "order_id": order_id,
            "customer_id": customer["customer_id"],
            "location_id": location["location_id"],
            "status": "placed",
            "placed_at": at,
            "updated_at": at,
            "currency": CURRENCY,
            "total_cents": sum(amounts) - sum(discounts),
            "lines": lines,
        }

    def _basket(self, at: datetime) -> list[Record]:
        """One to five products, none twice, all on sale."""
        rng = self._rng
        wanted = rng.choices(range(1, 6), LINE_WEIGHTS)[0]
        chosen: dict[int, Record] = {}
        # Ten tries a line: with few products on sale a basket stays smaller, or takes any.
        for _ in range(wanted * 10):
            index = self._bestsellers.pick(rng, len(self.products))
            product = state_at(self.products[index], at)
            if product["is_active"]:
                chosen.setdefault(index, product)
            if len(chosen) == wanted:
                break
        return list(chosen.values()) or [state_at(self.products[0], at)]

    def _line(self, number: int, product: Record) -> Record:
        rng = self._rng
        quantity = rng.choices(range(1, 6), QUANTITY_WEIGHTS)[0]
        amount = quantity * product["price_cents"]
        is_discounted = rng.random() < DISCOUNT_SHARE
        return {
            "line_number": number,
            "product_id": product["product_id"],
            "quantity": quantity,
            "unit_price_cents": product["price_cents"],
            "discount_cents": round(amount * rng.uniform(0.05, 0.2)) if is_discounted else 0,
        }


def state_at(history: History, at: datetime) -> Record:
    """The state that held then; the first one before that."""
    began = [state["updated_at"] for state in history]
    return history[max(0, bisect_right(began, at) - 1)]


def next_state(rng: random.Random, order: Record) -> Record | None:
    """The order's next state at its time, None where it has come to its end."""
    dice = rng.random()
    for status, share, least_hours, most_hours in STEPS.get(order["status"], ()):
        if dice < share:
            seconds = rng.randint(int(least_hours * 3600), int(most_hours * 3600))
            at = order["updated_at"] + timedelta(seconds=seconds)
            return {**order, "status": status, "updated_at": at}
        dice -= share
    return None


def make_orders(rng: random.Random, shop: Shop, number: int) -> list[History]:
    """Orders of the half year with the states they reached in it."""
    histories = []
    for index, at in enumerate(order_times(rng, number), start=1):
        history = [shop.place_order(f"O{index:07d}", at)]
        while (state := next_state(rng, history[-1])) and state["updated_at"] < END:
            history.append(state)
        histories.append(history)
    return histories
