"""When things happen in the shop: a weekly and a daily rhythm over a fixed half year."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import accumulate

#: A Monday. 26 whole weeks give every weekday the same number of days, and six cohorts.
START = datetime(2026, 4, 20, tzinfo=UTC)
WEEKS = 26
END = START + timedelta(weeks=WEEKS)
#: Orders by weekday, Monday first: Saturday sells almost twice as much as Tuesday.
WEEKDAY_WEIGHTS = (0.90, 0.85, 0.95, 1.00, 1.25, 1.60, 1.20)
#: Orders by hour of the day, UTC: quiet nights, a bump at lunch, the peak in the evening.
HOUR_WEIGHTS = (1, 1, 1, 1, 1, 2, 4, 6, 8, 9, 10, 12, 13, 11, 10, 10, 11, 13, 15, 16, 14, 10, 6, 3)
#: The last week sells so many times what the first one does.
GROWTH = 1.5


def order_times(rng: random.Random, number: int) -> list[datetime]:
    """Times of the half year to the second, in order, by weekday, hour and growth."""
    days = range(WEEKS * 7)
    weights = [WEEKDAY_WEIGHTS[day % 7] * (1 + (GROWTH - 1) * day / len(days)) for day in days]
    chosen = rng.choices(days, cum_weights=list(accumulate(weights)), k=number)
    hours = rng.choices(range(24), cum_weights=list(accumulate(HOUR_WEIGHTS)), k=number)
    return sorted(
        START + timedelta(days=day, hours=hour, seconds=rng.randrange(3600))
        for day, hour in zip(chosen, hours, strict=True)
    )


def between(rng: random.Random, first: datetime, last: datetime) -> datetime:
    """A time between two others, to the second; the first one where they are not in order."""
    return first + timedelta(seconds=rng.randint(0, max(0, int((last - first).total_seconds()))))
