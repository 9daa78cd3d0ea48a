"""Refusals in other words are refusals; answers that contain a denial are answers."""

from __future__ import annotations

import pytest

from lcrag.text.prompts import says_nothing
from lcrag.text.refusals import refuses


@pytest.mark.parametrize(
    "text",
    [
        "The passages do not hold the answer to the question.",
        "The provided passages do not contain information about the price of the mill.",
        "The passages don't mention who built it. [1][2]",
        "I'm sorry, but the documents do not specify a date.",
        "I cannot find the answer in the passages.",
        "I could not find any information on that.",
        "There is no information about lactose in the passages.",
        "There is no mention of a lighthouse keeper in the given text.",
        "Based on the provided passages, it is not possible to determine the cost.",
        "The answer is not provided in the text.",
        "It is not stated in the passages. The passages do not mention a price.",
        "Not mentioned in the passages.",
        "No information is given.",
        "None of the passages mention a ferry.",
        "Unanswerable",
        "N/A",
        "Die Passagen enthalten keine Angaben dazu.",
        "In den Dokumenten wird das nicht erwähnt.",
        "Les passages ne mentionnent pas le prix.",
        "Aucune information n'est donnée.",
        "Los pasajes no contienen la respuesta.",
        "No se menciona en el texto.",
        "I passaggi non contengono la risposta.",
        "Os trechos não mencionam o preço.",
        "De passages noemen geen prijs.",
    ],
)
def test_refuses_knows_the_forms_of_models(text: str) -> None:
    assert refuses(text)
    assert says_nothing(text)


@pytest.mark.parametrize(
    "text",
    [
        "The mill was not mentioned in the will of 1742.",
        "No.",
        "No ferry runs on Sundays.",
        "There is no bridge at Crake End.",
        "The contract does not allow subletting.",
        "The council did not adopt option B; it adopted option C.",
        "£1,860",
        "The document was signed by Anna Holm. The passages do not say when.",
        "Der Vertrag erlaubt keine Untervermietung.",
        "Nothing was found in the hold but salt.",
        "It was not until 1871 that the light was lit.",
        "They never found the bell.",
        "Not found in the hold was the bell of the Old Margery.",
        "The source of the Wend is a spring above Tolland.",
    ],
)
def test_refuses_leaves_answers_alone(text: str) -> None:
    assert not refuses(text)
    assert not says_nothing(text)


def test_refuses_is_false_for_nothing() -> None:
    assert not refuses("")
    assert says_nothing("")
