"""Names for things that do not exist: people, places, works and organisations, drawn by seed."""

from __future__ import annotations

from random import Random

_FIRST = (
    "Ada", "Amir", "Ana", "Ben", "Boris", "Carmen", "Chloe", "Dan", "Diego", "Elena", "Emeka", "Eva", "Femi", "Fatima",
    "Grace", "Hana", "Hugo", "Ines", "Ivan", "Jack", "Jun", "Kofi", "Lars", "Lena", "Li", "Maria", "Mehmet", "Nadia", "Noah",
    "Olga", "Omar", "Paul", "Priya", "Qi", "Rosa", "Samuel", "Sofia", "Tara", "Tomas", "Uma", "Victor", "Wen", "Yuki", "Zoe",
)  # fmt: skip
_LAST = (
    "Abbott", "Adeyemi", "Bauer", "Bianchi", "Costa", "Cruz", "Diaz", "Dubois", "Evans", "Fischer", "Fontaine", "Garcia",
    "Haddad", "Hansen", "Ito", "Ivanova", "Jensen", "Khan", "Kowalski", "Kumar", "Lopez", "Marsh", "Meyer", "Nakamura", "Novak",
    "Okafor", "Oliveira", "Park", "Petrov", "Rossi", "Sato", "Silva", "Singh", "Sullivan", "Tanaka", "Wang", "Weber", "Xu", "Zhang",
)  # fmt: skip
_STEMS = (
    "Alder", "Ash", "Bel", "Black", "Bran", "Carl", "Castel", "Dun", "East", "Elm", "Fair", "Glen", "Green", "Hart", "Hazel",
    "Iron", "Kings", "Lin", "Mar", "Mill", "New", "North", "Oak", "Port", "Quarry", "Ra", "River", "Rose", "San", "Silver",
    "Stone", "Sun", "Thorn", "Val", "West", "White", "Wind", "Wood", "Yar", "Zel",
)  # fmt: skip
_ENDS = ("ville", "ton", "burg", "field", "ford", "haven", "mouth", "dale", "stad", "mere", "port", "wick", "ia", "ovo", "grad", "bridge")  # fmt: skip
_FIRST_WORDS = (
    "Blue", "Broken", "Bright", "Cold", "Distant", "Empty", "First", "Forgotten", "Golden", "Grand", "Hidden", "Last", "Little",
    "Lost", "Lucky", "New", "Old", "Quiet", "Red", "Royal", "Second", "Secret", "Silent", "Silver", "United", "Western", "Wild",
)  # fmt: skip
_NOUNS = (
    "Anchor", "Arrow", "Bridge", "Castle", "Circle", "Crown", "Dawn", "Echo", "Falcon", "Forest", "Garden", "Harbour", "Harvest",
    "Horizon", "Island", "Journey", "Kingdom", "Lantern", "Letter", "Meadow", "Mirror", "Moon", "Mountain", "Night", "Ocean",
    "Orchard", "Path", "Phoenix", "River", "Road", "Shadow", "Signal", "Sky", "Song", "Star", "Storm", "Summer", "Tower", "Valley",
    "Voyage", "Winter", "Wolf",
)  # fmt: skip


def made_name(rng: Random, kind: str) -> str:
    """A name for a `person`, a `place`, or any other thing; some repeat."""
    if kind == "person":
        middle = f" {rng.choice('ABCDEFGHJKLMRST')}." if rng.random() < 0.15 else ""
        return f"{rng.choice(_FIRST)}{middle} {rng.choice(_LAST)}"
    if kind == "place":
        name = rng.choice(_STEMS) + rng.choice(_ENDS)
        return rng.choice(
            ("{}", "{}", "{}", "New {}", "Lake {}", "{} Hills", "Saint {}", "{} County")
        ).format(name)
    first, noun, other = rng.choice(_FIRST_WORDS), rng.choice(_NOUNS), rng.choice(_NOUNS)
    form = rng.choice(
        (
            "{f} {n}",
            "The {f} {n}",
            "{n} of the {o}",
            "The {n} and the {o}",
            "{l} {n}",
            "{f} {n} {d}",
            "{n} {o}",
            "{l} & {m}",
        )
    )
    return form.format(
        f=first, n=noun, o=other, l=rng.choice(_LAST), m=rng.choice(_LAST), d=rng.randint(2, 99)
    )
