"""Names, values and sentences that the worlds are written with.

The English is plain, so that what is hard is finding. Names are made of syllables, so that no model knows them by
heart; a question in other words shares nothing with the sentence that answers it but the name.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

ONSETS: Final = "b br c ch cl d dr f fl g gr h j k kl l m n p pr qu r s sh sk st t th tr v w y z".split()
VOWELS: Final = ("a", "e", "i", "o", "u")
DIPHTHONGS: Final = (*VOWELS, "ai", "ea", "oo")
CODAS: Final = ("", "", "l", "n", "r", "s", "m", "t")
WORDS_OF_ENGLISH: Final = frozenset(
    "Be Bet Bit But Can Do For From Get Go Had Has He Her Him His Hit Let Lot Me Met Mr Must My No Nor Not Of Put Ran"
    " Sat Set She Sit So Ten Than That The Them Then This To Was We Were What When Who Will Win Yes Yet You".split()
)


def syllables(r: random.Random, number: int) -> str:
    """A made-up word."""
    made = ""
    for _ in range(number):
        made += r.choice(ONSETS) + r.choice(VOWELS if r.random() < 0.8 else DIPHTHONGS) + r.choice(CODAS)
    return made.capitalize()


def _made_up(r: random.Random, number: int, lengths: Sequence[int]) -> list[str]:
    return sorted({syllables(r, r.choice(lengths)) for _ in range(number)} - WORDS_OF_ENGLISH)


_POOLS: Final = random.Random(7)
FIRST_NAMES: Final = _made_up(_POOLS, 420, (1, 2, 2))
LAST_NAMES: Final = _made_up(_POOLS, 800, (2,))
TOWNS: Final = _made_up(_POOLS, 420, (2, 2, 3))
WORDS: Final = _made_up(_POOLS, 300, (2,))

COLOURS: Final = "red blue green white black grey amber violet silver crimson teal brown golden orange ivory".split()
ADJECTIVES: Final = (
    "Grey Bold Silent Northern Golden Iron Swift Lucky Crimson Pale Distant Merry Stormy Amber Hidden Proud Salty"
    " Broken Royal Frozen".split()
)
NOUNS: Final = (
    "Heron Anchor Lantern Falcon Maiden Compass Whale Arrow Comet Otter Raven Crown Thistle Tide Badger Petrel Sparrow"
    " Harp Beacon Swan".split()
)
ANIMALS: Final = (
    "fox owl goat heron badger pony lizard parrot beaver rabbit turtle hound crow mole stork ferret donkey newt lynx"
    " hare".split()
)
DISHES: Final = (
    "barley soup|plum cake|smoked eel|onion pie|rye bread|honey tea|pickled beets|roast duck|lentil stew|goat cheese"
    "|pear cider|corn mush|fig jam|oat porridge|fried perch|mint tea".split("|")
)
INSTRUMENTS: Final = (
    "flute cello drum harp lute oboe viola banjo trumpet organ fiddle zither bassoon accordion horn lyre".split()
)
DAYS: Final = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS: Final = "January February March April May June July August September October November December".split()
ITEMS: Final = [
    f"{quality} {thing}"
    for quality in "copper dried spare painted heavy cotton wooden glass oiled folded rusty silk".split()
    for thing in "wire apples ropes plates hinges cloth barrels lamps nails chairs bolts gloves candles pipes".split()
]
CODE_LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ"
PLACES: Final = ("Bay", "Shelf", "Locker", "Cellar")

PERSON, SHIP, COMPANY, TOWN, PROJECT, PLACE = KINDS = ("person", "ship", "company", "town", "project", "place")
_LISTED: Final = {
    "colour": COLOURS,
    "animal": ANIMALS,
    "dish": DISHES,
    "instrument": INSTRUMENTS,
    "day": DAYS,
    "item": ITEMS,
    "word": WORDS,
}


def name(r: random.Random, kind: str) -> str:
    """The name of an entity; one in eight is made up on the spot."""
    new, choice = r.random() < 0.12, r.choice
    if kind == PERSON:
        return f"{syllables(r, 2) if new else choice(FIRST_NAMES)} {syllables(r, 2) if new else choice(LAST_NAMES)}"
    if kind == SHIP:
        return f"the {choice(ADJECTIVES)} {syllables(r, 2) if r.random() < 0.3 else choice(NOUNS)}"
    if kind == COMPANY:
        return f"{choice(LAST_NAMES)} & {choice(LAST_NAMES)}"
    if kind == TOWN:
        return syllables(r, 3) if new else choice(TOWNS)
    if kind == PROJECT:
        return f"Project {syllables(r, 2) if new else choice(WORDS)}"
    return f"{choice(PLACES)} {r.randint(1, 99)}"


def value(r: random.Random, kind: str) -> str:
    """A value of this kind, or the name of an entity."""
    if kind in _LISTED:
        return r.choice(_LISTED[kind])
    if kind == "code":
        return f"{r.randint(1, 9)}{r.choice(CODE_LETTERS)}-{r.randint(10, 99)}"
    if kind == "number":
        return str(r.randint(11, 999))
    if kind == "thousands":
        return str(r.randint(1000, 9999))
    if kind == "year":
        return str(r.randint(1700, 1999))
    if kind == "time":
        return f"{r.randint(0, 23):02d}:{r.randint(0, 59):02d}"
    if kind == "date":
        return f"{r.randint(1, 28)} {r.choice(MONTHS)}"
    return name(r, kind)


@dataclass(frozen=True, slots=True)
class Attribute:
    """A statement about one entity {e}: its value {v}. ``diffuse`` states it over two sentences."""

    key: str
    kind: str
    value: str
    label: str
    direct: tuple[str, ...]
    diffuse: str
    questions: tuple[str, ...]
    indirect: str

    @property
    def row(self) -> str:
        return "{e}; " + self.label + "; {v}"


@dataclass(frozen=True, slots=True)
class Group:
    """A statement made of one entity {g} many times, in separate sentences: {v}, and {n} where it measures."""

    key: str
    task: str
    kind: str
    value: str
    direct: tuple[str, ...]
    row: str
    questions: tuple[str, ...]
    lowest: tuple[str, ...] = ()


ATTRIBUTES: Final = {
    attribute.key: attribute
    for attribute in (
        Attribute(
            "harbour_code", PERSON, "code", "harbour code",
            ("The harbour code of {e} is {v}.", "{e} uses harbour code {v}.", "Harbour code {v} was issued to {e}."),
            "{e} came to the port office early. The pass was stamped {v}.",
            ("What is the harbour code of {e}?", "Which harbour code does {e} use?"),
            "A guard on the quay stops {e}; which number must be shown?",
        ),
        Attribute(
            "dish", PERSON, "dish", "favourite dish",
            ("The favourite dish of {e} is {v}.", "{e} likes {v} best of all dishes.", "No dish pleases {e} like {v}."),
            "{e} sat down hungry. The cook already knew and brought {v}.",
            ("What is the favourite dish of {e}?", "Which dish does {e} like best?"),
            "If you want to delight {e} at supper, what should you serve?",
        ),
        Attribute(
            "instrument", PERSON, "instrument", "instrument",
            ("{e} plays the {v}.", "The {v} is the instrument of {e}.", "{e} has practised the {v} for years."),
            "{e} owns one case lined with velvet. In it lies a {v}.",
            ("Which instrument does {e} play?", "What instrument does {e} play?"),
            "In the orchestra, what would {e} bring along to make music?",
        ),
        Attribute(
            "home", PERSON, TOWN, "home town",
            ("{e} grew up in {v}.", "The home town of {e} is {v}.", "{v} is the town where {e} grew up."),
            "{e} often speaks of childhood. Those years were spent in {v}.",
            ("What is the home town of {e}?", "In which town did {e} grow up?"),
            "Where would you look for the old schoolmates of {e}?",
        ),
        Attribute(
            "employer", PERSON, COMPANY, "employer",
            ("{e} works for {v}.", "The employer of {e} is {v}.", "{v} employs {e}."),
            "{e} gets wages every month. The money comes from {v}.",
            ("Who is the employer of {e}?", "Which company does {e} work for?"),
            "On whose payroll would you find {e}?",
        ),
        Attribute(
            "room", PERSON, "number", "room number",
            ("{e} sleeps in room {v}.", "Room {v} is the room of {e}.", "The room number of {e} is {v}."),
            "{e} lost the key again. The porter opened door {v}.",
            ("What is the room number of {e}?", "In which room does {e} sleep?"),
            "Breakfast must be carried up to {e}; where do you knock?",
        ),
        Attribute(
            "birthday", PERSON, "date", "birthday",
            ("The birthday of {e} is {v}.", "{e} was born on {v}.", "Every year {e} celebrates a birthday on {v}."),
            "{e} turns a year older soon. The cake is ordered for {v}.",
            ("When is the birthday of {e}?", "On which date was {e} born?"),
            "When should you bring a present to {e}?",
        ),
        Attribute(
            "phone", PERSON, "thousands", "phone number",
            ("The desk phone of {e} is {v}.", "{e} can be called at {v}.", "Dial {v} to reach {e}."),
            "{e} has a new desk with a phone. Its label reads {v}.",
            ("What is the phone number of {e}?", "Which number reaches {e}?"),
            "You want to ring up {e}; which digits do you need?",
        ),
        Attribute(
            "coat", PERSON, "colour", "colour of coat",
            ("{e} wears a {v} coat.", "The coat of {e} is {v}.", "Everyone knows the {v} coat of {e}."),
            "{e} left something warm on the hook. It is {v}, with long sleeves.",
            ("What colour is the coat of {e}?", "Which colour of coat does {e} wear?"),
            "By what shade of outerwear could you spot {e} in a crowd?",
        ),
        Attribute(
            "pet", PERSON, "animal", "pet",
            ("{e} keeps a {v} as a pet.", "The pet of {e} is a {v}.", "A tame {v} belongs to {e}."),
            "{e} never comes home to an empty house. A {v} waits at the door.",
            ("Which pet does {e} keep?", "What animal is the pet of {e}?"),
            "What creature lives with {e}?",
        ),
        Attribute(
            "captain", SHIP, PERSON, "captain",
            ("The captain of {e} is {v}.", "{v} is the captain of {e}.", "{e} sails under captain {v}."),
            "On {e} one person gives the orders. The crew calls that person {v}.",
            ("Who is the captain of {e}?", "Who commands {e}?"),
            "Whom must everyone aboard {e} obey?",
        ),
        Attribute(
            "port", SHIP, TOWN, "home port",
            ("The home port of {e} is {v}.", "{e} is registered in {v}.", "{v} is the home port of {e}."),
            "{e} rests all winter. Its berth is in {v}.",
            ("What is the home port of {e}?", "Where is {e} registered?"),
            "Which harbour does {e} return to in the end?",
        ),
        Attribute(
            "hull", SHIP, "colour", "colour of hull",
            ("The hull of {e} is {v}.", "{e} has a {v} hull.", "Workers painted the hull of {e} {v}."),
            "{e} got a fresh coat of paint. Below the rail it is now {v}.",
            ("What colour is the hull of {e}?", "Which colour was the hull of {e} painted?"),
            "What tint would you see on the side of {e}?",
        ),
        Attribute(
            "departure", SHIP, "time", "departure",
            ("{e} departs at {v}.", "The departure time of {e} is {v}.", "At {v}, {e} leaves the quay."),
            "{e} is nearly ready. The ropes are let go at {v}.",
            ("When does {e} depart?", "What is the departure time of {e}?"),
            "At what hour is it too late to board {e}?",
        ),
        Attribute(
            "crew", SHIP, "number", "size of crew",
            ("{e} has a crew of {v}.", "The crew of {e} numbers {v}.", "{v} sailors serve on {e}."),
            "{e} needs many hammocks. The last tally was {v}.",
            ("How large is the crew of {e}?", "How many sailors serve on {e}?"),
            "How many mouths must the cook of {e} feed?",
        ),
        Attribute(
            "seat", COMPANY, TOWN, "head office",
            ("{e} is based in {v}.", "The head office of {e} is in {v}.", "{v} is the seat of {e}."),
            "{e} bought a large house. Its address is in {v}.",
            ("Where is {e} based?", "In which town is {e} based?"),
            "To which town do you travel to visit the directors of {e}?",
        ),
        Attribute(
            "founder", COMPANY, PERSON, "founder",
            ("{e} was founded by {v}.", "The founder of {e} is {v}.", "{v} founded {e}."),
            "{e} began in a small shed. The shed belonged to {v}.",
            ("Who founded {e}?", "Who is the founder of {e}?"),
            "Who first had the idea to start {e}?",
        ),
        Attribute(
            "product", COMPANY, "item", "main product",
            ("{e} makes {v}.", "The main product of {e} is {v}.", "Most {v} are made by {e}."),
            "{e} has one workshop. All day it turns out {v}.",
            ("What is the main product of {e}?", "What does {e} make?"),
            "What comes off the benches of {e}?",
        ),
        Attribute(
            "since", COMPANY, "year", "founding year",
            ("{e} has existed since {v}.", "The founding year of {e} is {v}.", "{v} was the first year of {e}."),
            "{e} has a stone over the door. The stone says {v}.",
            ("What is the founding year of {e}?", "Since which year has {e} existed?"),
            "From when does the history of {e} start?",
        ),
        Attribute(
            "mayor", TOWN, PERSON, "mayor",
            ("The mayor of {e} is {v}.", "{v} is the mayor of {e}.", "{e} elected {v} as mayor."),
            "{e} has a new town hall. The best office belongs to {v}.",
            ("Who is the mayor of {e}?", "Who was elected mayor of {e}?"),
            "Who governs the people of {e}?",
        ),
        Attribute(
            "market", TOWN, "day", "market day",
            ("The market day of {e} is {v}.", "{e} holds its market on {v}.", "On {v} there is a market in {e}."),
            "{e} fills with carts once a week. That happens on {v}.",
            ("What is the market day of {e}?", "On which day does {e} hold its market?"),
            "When do farmers bring goods to the square of {e}?",
        ),
        Attribute(
            "river", TOWN, "word", "river",
            ("The river {v} runs through {e}.", "{e} lies on the river {v}.", "The river of {e} is called {v}."),
            "{e} has three bridges. The water under them is the {v}.",
            ("Which river runs through {e}?", "On which river does {e} lie?"),
            "What stream do you cross in {e}?",
        ),
        Attribute(
            "leader", PROJECT, PERSON, "leader",
            ("{e} is led by {v}.", "The leader of {e} is {v}.", "{v} leads {e}."),
            "{e} needed a steady hand. The board gave the task to {v}.",
            ("Who leads {e}?", "Who is the leader of {e}?"),
            "Whom do you blame if {e} fails?",
        ),
        Attribute(
            "deadline", PROJECT, "date", "deadline",
            ("The deadline of {e} is {v}.", "{e} must be finished by {v}.", "{e} is due on {v}."),
            "{e} has little time left. The last day is {v}.",
            ("What is the deadline of {e}?", "When is {e} due?"),
            "On which date should the team of {e} be done?",
        ),
        Attribute(
            "budget", PROJECT, "thousands", "budget in crowns",
            ("The budget of {e} is {v} crowns.", "{e} may spend {v} crowns.", "{v} crowns were granted to {e}."),
            "{e} opened an account. It holds {v} crowns.",
            ("What is the budget of {e}?", "How many crowns may {e} spend?"),
            "How much money is there for {e}?",
        ),
    )
}  # fmt: skip

HOPS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("employer", "seat"): (
        "In which town is the employer of {e} based?",
        "Where is the company that employs {e} based?",
    ),
    ("captain", "home"): (
        "What is the home town of the captain of {e}?",
        "In which town did the captain of {e} grow up?",
    ),
    ("leader", "phone"): (
        "What is the phone number of the leader of {e}?",
        "Which number reaches the leader of {e}?",
    ),
    ("founder", "pet"): ("Which pet does the founder of {e} keep?",),
    ("mayor", "harbour_code"): ("What is the harbour code of the mayor of {e}?",),
    ("port", "market"): ("What is the market day of the home port of {e}?",),
}
"""Pairs of attributes, the second stated of the first's value, and questions over both."""

GROUPS: Final = {
    group.key: group
    for group in (
        Group(
            "store", "list", PLACE, "item",
            ("{g} holds {v}.", "A load of {v} was put in {g}.", "The {v} are stored in {g}."),
            "{g}; holds; {v}",
            ("List every item stored in {g}.", "Name everything that {g} holds."),
        ),
        Group(
            "attend", "list", PROJECT, PERSON,
            (
                "{v} came to the meeting of {g}.",
                "At the meeting of {g}, {v} was present.",
                "{v} attended the meeting of {g}.",
            ),
            "{g}; came to the meeting; {v}",
            ("List everyone who attended the meeting of {g}.", "Who came to the meeting of {g}? Name all."),
        ),
        Group(
            "call", "list", SHIP, TOWN,
            ("{g} called at {v}.", "In {m}, {g} called at {v}.", "{g} made a stop at {v}."),
            "{g}; called at; {v}",
            ("List every town that {g} called at.", "Name all the stops of {g}."),
        ),
        Group(
            "ship", "count", COMPANY, "item",
            (
                "{g} shipped a crate of {v}.",
                "A crate of {v} was shipped by {g}.",
                "On {d}, {g} shipped a crate of {v}.",
            ),
            "{g}; shipped a crate; {v}",
            ("How many crates did {g} ship?", "Count the crates shipped by {g}."),
        ),
        Group(
            "mend", "count", PERSON, TOWN,
            (
                "{g} repaired a clock in {v}.",
                "A clock in {v} was repaired by {g}.",
                "On {d}, {g} repaired a clock in {v}.",
            ),
            "{g}; repaired a clock; {v}",
            ("How many clocks did {g} repair?", "Count the clocks repaired by {g}."),
        ),
        Group(
            "letter", "count", TOWN, PERSON,
            ("A letter from {v} reached {g}.", "On {d}, {g} got a letter from {v}.", "{v} sent a letter to {g}."),
            "{g}; got a letter; {v}",
            ("How many letters reached {g}?", "Count the letters sent to {g}."),
        ),
        Group(
            "tons", "maxmin", SHIP, "item",
            (
                "{g} carried {n} tons of {v}.",
                "A load of {n} tons of {v} went on {g}.",
                "In {m}, {g} carried {n} tons of {v}.",
            ),
            "{g}; tons of {v}; {n}",
            ("What was the heaviest load of {g} in tons?",),
            ("What was the lightest load of {g} in tons?",),
        ),
        Group(
            "paid", "maxmin", PERSON, "item",
            ("{g} paid {n} crowns for {v}.", "For {v}, {g} paid {n} crowns.", "On {d}, {g} paid {n} crowns for {v}."),
            "{g}; crowns paid for {v}; {n}",
            ("What was the highest price that {g} paid?",),
            ("What was the lowest price that {g} paid?",),
        ),
        Group(
            "guests", "maxmin", TOWN, "day",
            (
                "{g} counted {n} visitors on a {v}.",
                "In {m}, {g} counted {n} visitors.",
                "There were {n} visitors in {g} on a {v}.",
            ),
            "{g}; visitors on a {v}; {n}",
            ("What was the largest number of visitors in {g}?",),
            ("What was the smallest number of visitors in {g}?",),
        ),
    )
}  # fmt: skip
"""``questions`` of a measuring group ask for the highest value, ``lowest`` for the lowest."""
