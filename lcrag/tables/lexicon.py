"""The English of questions to tables: what asks for a count or a sum, what compares, and which words go with which kind
of column. Words, not cases: a word that is not here, and not in the table, leaves a question unanswered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

IGNORED: Final = frozenset(
    "a an the of in at on for with that which who whose is are was were be been being have has had do does did there"
    " their its it his her to from by as also all any and exactly place placed"
    " him off anything something this these those they them i me we us you please can could anyone anybody someone"
    " tell into out listed recorded shown entered given found existing exist exists total's hold holds held contain"
    " contains include includes including come comes came s table file sheet spreadsheet data dataset database list"
    " catalogue catalog register document documents according where what when still just really actually ever already"
    " currently only called named please we our your my so then now during but e g ie eg".split()
)
"""Words that say nothing of their own once what they belong to is understood."""

AMOUNTS: Final = frozenset("amount count number total value sum sold cost costs".split())
"""Words behind what is counted in the name of a column: "fine amount", "units sold"."""
ADDED_UP: Final = frozenset(
    "revenue sales turnover takings units quantity amount cost costs hours fines votes points output production".split()
)
"""Columns that are added up where a question names a group and no sum: "the revenue per month"."""
PAID: Final = frozenset("donation gift payment fine fee bill invoice expense salary bonus grant price rent".split())
"""Rows that are amounts of money: "the average donation"."""
ANY: Final = frozenset("there any anyone anybody someone anything something".split())
ANYONE: Final = frozenset("anyone anybody someone".split())
YES: Final = frozenset("yes y true".split())
NO: Final = frozenset("no n false".split())
GENDERS: Final[Mapping[str, str]] = {
    word: code
    for code, words in (
        ("f w female woman", "women woman female females girl girls"),
        ("m male man", "men man male males boy boys"),
    )
    for word in words.split()
}
PLURALS: Final[Mapping[str, str]] = {"children": "child", "women": "woman", "men": "man", "people": "person"}
ORDINALS: Final = {"second": 2, "third": 3, "fourth": 4, "fifth": 5, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5}

ROW_NOUNS: Final = frozenset("everything row rows entry entries record records item items line lines one ones".split())

ASKING: Final = ("what", "which", "who", "whom", "list", "show", "name", "give", "find", "display", "tell", "return")

COUNTING: Final = (
    ("how", "many", "times"),
    ("how", "often"),
    ("how", "many"),
    ("number", "of"),
    ("count",),
    ("the", "count", "of"),
)
SUMMING: Final = (
    ("total",),
    ("sum",),
    ("in", "total"),
    ("altogether",),
    ("in", "all"),
    ("combined",),
    ("overall",),
    ("add", "up", "to"),
    ("amount", "to"),
)
AVERAGING: Final = (("average",), ("mean",), ("on", "average"), ("avg",), ("median",))
SHARING: Final = tuple((word, "of") for word in ("percentage", "percent", "share", "proportion", "fraction", "portion"))
GROWING: Final = frozenset(
    "grow grew grown rise rose risen increase increased change changed fall fell fallen drop dropped shrink shrank"
    " decrease decreased decline declined go up down".split()
)
"""Verbs of a difference between two days."""
DIFFERING: Final = (
    ("by", "how", "much"),
    ("change", "in"),
    ("growth", "of"),
    ("growth", "in"),
    ("increase", "in"),
    ("rise", "in"),
    ("difference", "between"),
    ("difference", "in"),
    *(("how", much, word) for much in ("much", "many") for word in "more less fewer higher lower".split()),
)
ASKS_WHETHER: Final = frozenset("is are was were did does do has have had".split())
"""First words of questions that yes or no answers."""
LINKS: Final = frozenset("is are was were did does do has have had be been come came went go goes get got".split())
"""Words before which a question names all, behind which a part of it: "what share of loans WERE late"."""
PERIODS: Final = frozenset("year years month months day days".split())
"""Parts of dates by which rows are grouped."""
EVERY: Final[Mapping[str, str]] = {
    "monthly": "month",
    "yearly": "year",
    "annual": "year",
    "annually": "year",
    "daily": "day",
}
"""Words that group by a part of the dates: "the monthly revenue"."""
ANTONYMS: Final[Mapping[str, str]] = {
    word: done
    for words, done in (
        ("open running active operating operational", "closed ended left stopped retired"),
        ("alive living", "died death deceased"),
        ("outstanding overdue missing", "returned paid settled"),
        ("owe owes owed owing due unsettled", "paid settled"),
        ("available", "sold rented taken"),
        ("time", "late delayed"),
        ("single", "married"),
    )
    for word in words.split()
}
"""What is not done yet, by the columns that say that it is: "still open" of a column "Closed"."""
DIFFERENT: Final = (("different",), ("distinct",), ("unique",))
GROUPING: Final = (
    ("per",),
    ("by", "each"),
    ("from", "each"),
    ("from", "every"),
    ("each",),
    ("every",),
    ("each", "of"),
    ("grouped", "by"),
    ("group", "by"),
    ("broken", "down", "by"),
    ("by",),
)
AGAINST: Final = (("against",), ("versus",), ("vs",), ("compared", "to"), ("compared", "with"))
"""Between two values: what is asked for is said of each."""
GATHERINGS: Final = frozenset(
    "marina harbour harbor club group society school college company firm business shop store library museum gallery"
    " collection zoo farm hospital clinic practice office team organisation organization association band choir"
    " theatre theater cinema gym hotel restaurant cafe garage workshop yard fleet portfolio programme program league"
    " tournament festival show fair market studio academy university nursery kennel shelter stable stables garden park"
    " books system records log archive inventory catalogue roster rota project community co-op charity charts".split()
)
"""Where all of the rows are: "the oldest boat in the marina"."""
SORTS: Final = frozenset("sort kind type variety make category class style".split())
"""Nouns before "of" that say no more than that there are several."""
FREQUENT: Final = frozenset("common frequent frequently often commonly popular numerous".split())

HIGHEST: Final = frozenset("highest greatest maximum max biggest largest top most".split())
LOWEST: Final = frozenset("lowest smallest minimum min least fewest bottom".split())

MORE: Final = frozenset("more over above exceeding exceeds exceed greater higher larger bigger upwards".split())
LESS: Final = frozenset("less fewer under below lower smaller".split())

SUPERLATIVES: Final[Mapping[str, tuple[str, int]]] = {
    word: (concept, sign)
    for concept, high, low in (
        ("time", "latest newest last", "earliest first"),
        ("strength", "strongest", "weakest"),
        ("temperature", "hottest warmest", "coldest coolest"),
        ("rain", "wettest", "driest"),
        ("rating", "best", "worst"),
        ("age", "oldest", "youngest"),
        ("money", "dearest priciest costliest", "cheapest"),
        ("weight", "heaviest", "lightest"),
        ("height", "tallest", "shortest"),
        ("length", "longest", "shortest"),
        ("size", "largest biggest", "smallest"),
        ("depth", "deepest", "shallowest"),
        ("width", "widest broadest", "narrowest"),
        ("speed", "fastest quickest", "slowest"),
        ("distance", "farthest furthest", "nearest closest"),
    )
    for sign, words in ((1, high), (-1, low))
    for word in words.split()
}
"""One-word superlatives: what they compare, and whether the highest or the lowest wins."""

ADJECTIVES: Final[Mapping[str, tuple[str, int]]] = {
    "valuable": ("money", 1),
    "expensive": ("money", 1),
    "costly": ("money", 1),
    "recent": ("time", 1),
    "recently": ("time", 1),
    "populous": ("people", 1),
    "populated": ("people", 1),
    "heavy": ("weight", 1),
    "old": ("age", 1),
    "tall": ("height", 1),
    "high": ("height", 1),
    "long": ("length", 1),
    "large": ("size", 1),
    "big": ("size", 1),
    "deep": ("depth", 1),
    "wide": ("width", 1),
    "fast": ("speed", 1),
    "far": ("distance", 1),
    "experienced": ("experience", 1),
}
COMPARATIVES: Final[Mapping[str, tuple[str, int]]] = {
    "older": ("age", 1),
    "younger": ("age", -1),
    "cheaper": ("money", -1),
    "dearer": ("money", 1),
    "heavier": ("weight", 1),
    "lighter": ("weight", -1),
    "taller": ("height", 1),
    "shorter": ("length", -1),
    "longer": ("length", 1),
    "deeper": ("depth", 1),
    "wider": ("width", 1),
    "faster": ("speed", 1),
    "slower": ("speed", -1),
    "later": ("time", 1),
    "earlier": ("time", -1),
}

CONCEPTS: Final[Mapping[str, frozenset[str]]] = {
    concept: frozenset(words.split())
    for concept, words in {
        "money": "price cost value amount fee worth valuation fare rent nightly",
        "spent": "budget expense expenditure spending charge bill",
        "age": "age",
        "weight": "weight mass weigh",
        "height": "height elevation altitude tall",
        "length": "length duration runtime distance minutes hours",
        "size": "size area population capacity",
        "depth": "depth",
        "width": "width breadth beam",
        "speed": "speed velocity",
        "distance": "distance",
        "people": "population inhabitants residents",
        "experience": "experience",
        "strength": "magnitude strength force intensity",
        "temperature": "temperature temp",
        "rain": "rain rainfall precipitation",
        "rating": "rating score grade mark points",
        "income": "revenue takings turnover sales charge bill paid payment total",
        "gender": "gender sex",
        "began": "built made founded planted born established opened launched commissioned created since",
        "born": "born birth birthday birthdate",
        "hired": "hired hire hiring start",
        "joined": "since joined hired hire start started registered enrolled appointed",
        "earned": "revenue takings turnover sales gross income profit receipts",
        "rank": "rank position place",
        "taken": "time duration seconds minutes hours",
        "place": "location place room city town venue where site country address store shelf",
        "pay": "salary wage pay income earnings",
    }.items()
}
"""Words of column names, as written (they are compared by their stems)."""

TABLE_WORDS: Final = frozenset(
    "table file sheet spreadsheet data dataset database list catalogue catalog register".split()
)
"""After a noun they make it the name of the table: "the cities table"."""
MEASURES: Final = ("age", "weight", "height", "length", "depth", "width", "speed", "distance")
"""Concepts whose words may stand for each other: "length" for minutes. Those of money and of places may not."""

GENERIC: Final = frozenset("date year name no nr number of the in on at id code day title".split())
"""Words of column names that questions leave out: "hired" is ``hire_date``."""

PEOPLE: Final = frozenset(
    "employee staff person people member customer student passenger patient user player personnel participant author"
    " teacher worker applicant volunteer client candidate guest competitor contestant athlete actor driver"
    " officer".split()
)
"""Tables whose rows are people."""
EMPLOYED: Final = frozenset("employee staff worker colleague".split())
"""People of tables with a pay, or the day that they were hired."""

NUMBER_WORDS: Final[Mapping[str, int]] = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
        " seventeen eighteen nineteen twenty".split()
    )
} | {"once": 1, "twice": 2}
