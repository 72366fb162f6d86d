"""Customers, products and locations, each as the list of its states in the order they began."""

from __future__ import annotations

import random
import re
import unicodedata
from datetime import date, datetime, timedelta

from faker import Faker

from millrace_producers.encoding import Record
from millrace_producers.sample.calendar import END, START, between

History = list[Record]

CURRENCY = "EUR"
#: Country -> where its names and cities come from.
COUNTRIES = {
    "DE": "de_DE",
    "FR": "fr_FR",
    "NL": "nl_NL",
    "ES": "es_ES",
    "AT": "de_AT",
    "IE": "en_IE",
}
COUNTRY_WEIGHTS = (40, 20, 12, 12, 10, 6)
SEGMENTS = ("consumer", "small_business", "corporate")
SEGMENT_WEIGHTS = (80, 15, 5)
KINDS = ("store", "warehouse", "online")
KIND_WEIGHTS = (80, 12, 8)
#: Shelf -> nouns, and the middle of its prices in cents.
SHELVES = {
    "kitchen": (("pan", "kettle", "knife", "bowl", "grinder"), 3_900),
    "garden": (("spade", "hose", "planter", "lantern", "bench"), 4_500),
    "office": (("lamp", "chair", "notebook", "organiser", "desk"), 7_900),
    "sport": (("mat", "racket", "bottle", "backpack", "helmet"), 4_900),
    "toys": (("puzzle", "train", "kite", "blocks", "robot"), 2_400),
    "books": (("atlas", "novel", "cookbook", "guide", "album"), 1_900),
    "audio": (("speaker", "headphones", "radio", "microphone", "turntable"), 9_900),
    "clothing": (("jacket", "scarf", "sweater", "cap", "gloves"), 3_400),
}
MATERIALS = ("oak", "steel", "linen", "copper", "bamboo", "glass", "wool", "carbon", "clay", "cork")
STYLES = ("classic", "compact", "large", "light", "nordic", "rustic", "smart", "sturdy", "travel")
#: One in so many is written as people write: capitals, small letters, doubled spaces.
UNTIDY_ONE_IN = 15
#: Locations that get another name, products that leave the range.
RENAMED_SHARE, DISCONTINUED_SHARE = 0.1, 0.05
#: Customers who registered before the half year, and those who gave a telephone number.
REGULARS_SHARE, PHONE_SHARE = 0.55, 0.9


class Names:
    """Seeded names of people and places, by country."""

    def __init__(self, seed: str) -> None:
        self._fakes = {country: Faker(locale) for country, locale in COUNTRIES.items()}
        for country, fake in self._fakes.items():
            fake.seed_instance(f"{seed}/{country}")

    def person(self, country: str) -> str:
        """First and last name."""
        fake = self._fakes[country]
        return f"{fake.first_name()} {fake.last_name()}"

    def firm(self, country: str) -> str:
        """The name of a firm."""
        return str(self._fakes[country].company())

    def phone(self, country: str) -> str:
        """A telephone number as it is written there."""
        return str(self._fakes[country].phone_number())

    def city(self, country: str) -> str:
        """A city."""
        return str(self._fakes[country].city())


def make_locations(rng: random.Random, names: Names, number: int) -> list[History]:
    """Locations that were open before the half year; one in ten is renamed in it."""
    histories = []
    for index in range(1, number + 1):
        country = rng.choices(list(COUNTRIES), COUNTRY_WEIGHTS)[0]
        kind = rng.choices(KINDS, KIND_WEIGHTS)[0] if index > 1 else "store"
        city = names.city(country)
        first = {
            "location_id": f"L{index:03d}",
            "name": f"{city} {kind}",
            "city": city,
            "country": country,
            "kind": kind,
            "opened_date": date(2010, 1, 1) + timedelta(days=rng.randrange(5_800)),
            "updated_at": START - timedelta(days=2) + timedelta(seconds=index),
        }
        history = [first]
        if rng.random() < RENAMED_SHARE:
            renamed = {**first, "name": f"{city} {rng.choice(STYLES)} {kind}"}
            history.append({**renamed, "updated_at": between(rng, START, END)})
        histories.append(history)
    return histories


def make_products(rng: random.Random, number: int) -> list[History]:
    """Products with up to four price changes; one in twenty leaves the range near the end."""
    histories = []
    for index in range(1, number + 1):
        category = rng.choice(list(SHELVES))
        nouns, middle = SHELVES[category]
        words = (rng.choice(STYLES), rng.choice(MATERIALS), rng.choice(nouns))
        state: Record = {
            "product_id": f"P{index:05d}",
            "name": " ".join(words).capitalize(),
            "category": category,
            "price_cents": _round_price(middle * rng.lognormvariate(0, 0.5)),
            "currency": CURRENCY,
            "is_active": True,
            "updated_at": START - timedelta(days=1) + timedelta(seconds=index),
        }
        history = [state]
        for at in _moments(rng, rng.choices(range(5), (30, 30, 20, 12, 8))[0], START):
            history.append(reprice(rng, history[-1], at))
        if rng.random() < DISCONTINUED_SHARE:
            last = history[-1]["updated_at"]
            at = max(last + timedelta(hours=1), between(rng, END - timedelta(weeks=4), END))
            if at < END:
                history.append({**history[-1], "is_active": False, "updated_at": at})
        histories.append(history)
    return histories


def reprice(rng: random.Random, product: Record, at: datetime) -> Record:
    """The product with a new price, from a fifth less to a fifth more."""
    price = _round_price(product["price_cents"] * rng.uniform(0.8, 1.2))
    return {**product, "price_cents": price, "updated_at": at}


def make_customers(rng: random.Random, names: Names, number: int) -> list[History]:
    """Customers in the order they registered: over half before the half year, the rest in it."""
    before = sum(rng.random() < REGULARS_SHARE for _ in range(number)) if number > 1 else number
    registered = sorted(
        between(rng, START - timedelta(weeks=26), START - timedelta(days=1))
        if index < before
        else between(rng, START, END - timedelta(days=3))
        for index in range(number)
    )
    histories = []
    for index, created_at in enumerate(registered, start=1):
        history = [_customer(rng, names, f"C{index:06d}", created_at)]
        for at in _moments(rng, rng.choices(range(4), (60, 25, 10, 5))[0], created_at):
            history.append(change_customer(rng, names, history[-1], at))
        histories.append(history)
    return histories


def _customer(rng: random.Random, names: Names, customer_id: str, created_at: datetime) -> Record:
    country = rng.choices(list(COUNTRIES), COUNTRY_WEIGHTS)[0]
    segment = rng.choices(SEGMENTS, SEGMENT_WEIGHTS)[0]
    name = names.person(country) if segment == "consumer" else names.firm(country)
    return {
        "customer_id": customer_id,
        "name": _untidy(rng, name),
        "email": _email(name, customer_id, rng.choice(("com", "net", "org"))),
        "phone": names.phone(country) if rng.random() < PHONE_SHARE else None,
        "country": country.lower() if rng.randrange(UNTIDY_ONE_IN) == 0 else country,
        "city": names.city(country),
        "segment": segment,
        "created_at": created_at,
        "updated_at": created_at,
    }


def change_customer(rng: random.Random, names: Names, customer: Record, at: datetime) -> Record:
    """The customer moved, took another provider, or buys as another kind of buyer."""
    changed = {**customer, "updated_at": at}
    what = rng.choices(("city", "email", "segment"), (50, 35, 15))[0]
    if what == "city":
        changed["city"] = names.city(customer["country"].upper())
    elif what == "email":
        domain = rng.choice(("com", "net", "org"))
        changed["email"] = _email(customer["name"], f"{customer['customer_id']}.{at:%j}", domain)
    else:
        changed["segment"] = rng.choices(SEGMENTS, SEGMENT_WEIGHTS)[0]
    return changed


def _untidy(rng: random.Random, name: str) -> str:
    if rng.randrange(UNTIDY_ONE_IN):
        return name
    return rng.choice((name.upper(), name.lower(), name.replace(" ", "  "), f" {name}"))


def _email(name: str, number: str, domain: str) -> str:
    """An address that can not exist: RFC 2606 reserves the domains."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", ".", ascii_name.lower()).strip(".")
    return f"{slug}.{number.lower()}@example.{domain}"


def _moments(rng: random.Random, number: int, after: datetime) -> list[datetime]:
    """At most so many times between `after` and the end of the half year, an hour apart or more."""
    moments = [after]
    for at in sorted(between(rng, after, END) for _ in range(number)):
        if moments[-1] + timedelta(hours=1) <= at < END:
            moments.append(at)
    return moments[1:]


def _round_price(cents: float) -> int:
    """Prices end in 9 cents or so; none is below half a euro."""
    return max(49, round(cents / 10) * 10 - 1)
