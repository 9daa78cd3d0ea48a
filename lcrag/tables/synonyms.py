"""Nouns that stand for one another: what people call the rows and columns of tables, whatever the table calls them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_GROUPS: Final = (
    "film movie picture title",
    "transfer deal move signing",
    "concert gig show performance",
    "show production play musical",
    "applicant candidate",
    "test exam examination",
    "ticket seat",
    "employee worker staff colleague",
    "pupil student learner",
    "patient case",
    "car vehicle automobile",
    "customer client buyer shopper guest",
    "visitor guest attendee",
    "user subscriber member account",
    "doctor physician consultant",
    "vet veterinarian surgeon",
    "company firm business organisation organization operator maker manufacturer brand",
    "shop store branch outlet",
    "town city municipality place settlement",
    "village hamlet settlement",
    "trip journey voyage ride sailing departure",
    "boat ship vessel ferry",
    "train service",
    "plane aircraft aeroplane airplane",
    "match game fixture",
    "team side club",
    "dish meal recipe",
    "book title volume",
    "borrower reader member",
    "loan borrowing checkout",
    "penalty fine",
    "road street",
    "teacher instructor tutor lecturer",
    "subject course class module",
    "illness disease diagnosis ailment condition complaint",
    "country nation nationality state",
    "job role position occupation post profession",
    "boss manager head supervisor",
    "child kid",
    "sex gender",
    "category kind type sort class genre",
    "fuel energy source",
    "plant station",
    "winner champion",
    "price cost fee fare charge",
    "pay salary wage wages earnings income",
    "income earnings revenue turnover takings sales gross",
    "cost expense expenditure spending outlay",
    "spending spent expenditure",
    "rating score grade mark stars",
    "people inhabitant resident population citizen person",
    "crowd attendance spectator audience attendee",
    "passenger rider traveller",
    "duration length runtime",
    "area size surface",
    "height altitude elevation",
    "weight mass",
    "date day",
    "amount sum value",
    "quantity number amount units",
    "rain rainfall precipitation",
    "delay lateness",
    "supplier vendor seller",
    "writer author",
    "artist painter",
    "owner keeper proprietor",
    "breed species",
    "home house flat apartment property dwelling",
    "room chamber",
    "mistake error fault",
    "accident crash collision incident",
    "stop halt",
    "line route",
    "origin source",
    "destination target",
    "month period",
    "region area district province",
    "county district shire",
    "department ward unit division section",
    "animal pet",
    "appointment visit consultation",
    "item product article goods",
    "payment transaction",
)
SYNONYMS: Final[Mapping[str, frozenset[str]]] = {
    word: frozenset(other for group in _GROUPS if word in group.split() for other in group.split() if other != word)
    for group in _GROUPS
    for word in group.split()
}
"""By word in the singular, its synonyms."""
CROWDS: Final = frozenset(
    "employee staff worker headcount visitor passenger attendee attendance spectator inhabitant resident population"
    " patient guest participant member volunteer people workforce".split()
)
"""Columns that "people" means where no other noun does."""
