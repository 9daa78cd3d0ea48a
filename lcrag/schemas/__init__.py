"""The ids of everything that lcrag writes as JSON; the files next to this one hold the shapes that scripts rely on."""

from typing import Final

ANSWER: Final = "lcrag.answer/1"
ANSWERS: Final = "lcrag.answers/1"
COMPARE: Final = "lcrag.compare/1"
DOCTOR: Final = "lcrag.doctor/1"
ERROR: Final = "lcrag.error/1"
HISTORY: Final = "lcrag.history/1"
NOTED: Final = "lcrag.noted/1"
PLAN: Final = "lcrag.plan/1"
PROFILE: Final = "lcrag.profile/2"
RECIPES: Final = "lcrag.recipes/1"
RESULTS: Final = "lcrag.results/1"
