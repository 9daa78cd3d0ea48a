"""BM25 over any question, in any script."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.corpora import index, matches, refreshed, write_docs

from lcrag.index.corpus import Corpus


@pytest.fixture
def corpus(tmp_path: Path) -> Iterator[Corpus]:
    with Corpus.open(tmp_path / "index") as corpus:
        yield corpus


def test_search_sorts_positive_scores_and_breaks_ties_by_id(corpus: Corpus) -> None:
    index(corpus, "tide", "the ship", "a ship", "ship of ships", "moon", "sun", "rain")
    ranking = corpus.lexical("Which ships?", 10)
    assert matches(corpus, "Which ships?") == ["ship of ships", "the ship", "a ship"]
    assert ranking[0][1] > ranking[1][1] == ranking[2][1] > 0
    assert corpus.lexical("Which ships?", 2) == ranking[:2]


@pytest.mark.parametrize(
    "question",
    [
        "",
        "  ",
        "?!",
        '"',
        "a AND (b OR",
        "NEAR(x y)",
        "text: *",
        "^x - {y}",
        "\0",
        "\ud7ff",
        "😀",
        "'’'",
        "NOT",
        "中",
        "ไม่",
    ],
)
def test_search_accepts_any_question(corpus: Corpus, question: str) -> None:
    index(corpus, "a ship", "another harbour")
    assert corpus.lexical(question, 10) == []
    assert all(term.chunks == 0 for term in corpus.terms(question))


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Wie hoch ist die Gebühr für Netzgeräte?", "Hochspannungsnetzgeräte kosten 48 Kronen"),
        ("Gebühr Netzgeräte", "Hochspannungsnetzgeräte kosten 48 Kronen"),
        ("Was kostet das Netzgerät und wie viel?", "Hochspannungsnetzgeräte kosten 48 Kronen"),
        ("Wie lang ist die Frist?", "Kündigungsfristen: drei Monate"),
        ("Welche Begrenzung ist vorgesehen?", "Geschwindigkeitsbegrenzungen gelten"),
        ("Hoe hoog is de verzekering van het huis?", "De ziekenhuisverzekering kost 9 euro"),
        ("Vad kostar försäkring och hur?", "Avgiften är sjukhusförsäkring"),
    ],
)
def test_search_finds_a_compound_by_its_part(corpus: Corpus, question: str, text: str) -> None:
    index(corpus, "Werkzeuge", text, "ett annat dokument")
    assert matches(corpus, question)[0] == text


def test_search_in_english_takes_words_whole(corpus: Corpus) -> None:
    index(corpus, "They accompany us.", "The company is old.")
    assert matches(corpus, "Which company did Müller found?") == ["The company is old."]


def test_search_accepts_a_page_of_text(corpus: Corpus) -> None:
    index(corpus, "a ship", "another harbour", *(f"word {number}" for number in range(300)))
    question = " ".join(map(str, range(1000, 6000))) + " ship" * 5000
    assert matches(corpus, question) == ["a ship"]
    assert len(corpus.terms(question)) == 5001
    german = "Wie ist der " + " ".join(
        f"{chr(97 + number % 26) * 3}wort{chr(97 + number // 26) * 3}" for number in range(600)
    )
    assert matches(corpus, f"{german} Ship") == ["a ship"]


def test_search_uses_stop_words_only_if_there_is_nothing_else(corpus: Corpus) -> None:
    index(corpus, "to be or not to be", "the ship is to be", "moon", "sun", "rain")
    assert matches(corpus, "what is to be with the ship")[0] == "the ship is to be"
    assert [term.text for term in corpus.terms("what is to be with the ship")] == ["ship"]
    assert matches(corpus, "to be or not to be")[0] == "to be or not to be"


def test_search_prefers_whole_identifiers(corpus: Corpus) -> None:
    key = "8aa4abc9-3555-4fe3-8482-852ffd18c3b0"
    index(
        corpus, "3555 8482 8aa4abc9 4fe3 852ffd18c3b0", f'{{"{key}": 1}}', "call foo_bar-12 now", "foo 12 bar", "x", "y"
    )
    assert matches(corpus, f"What is the value of {key}?")[0] == f'{{"{key}": 1}}'
    assert matches(corpus, "where is `foo_bar-12`?")[0] == "call foo_bar-12 now"
    assert len(matches(corpus, "foo_bar-12")) == 2


def test_search_ignores_possessives_accents_and_endings(corpus: Corpus) -> None:
    index(corpus, "Maria sails", "a café", "नदी हिन्दी", "rain", "sun")
    assert matches(corpus, "Maria's sailing?") == ["Maria sails"]
    assert matches(corpus, "CAFE\u0301") == ["a café"]
    assert matches(corpus, "हिन्दी") == ["नदी हिन्दी"]


def test_search_finds_scripts_without_spaces(corpus: Corpus) -> None:
    index(corpus, "港口于一九三一年开放。", "灯塔建于一八七零年。", "เรือลำใหญ่เข้าท่า", "rain", "猫")
    assert matches(corpus, "港口什么时候开放?")[0] == "港口于一九三一年开放。"
    assert matches(corpus, "เรือ")[0] == "เรือลำใหญ่เข้าท่า"
    assert matches(corpus, "猫?") == ["猫"]
    assert matches(corpus, "塔") == ["灯塔建于一八七零年。"]


def test_search_includes_source_and_headings(corpus: Corpus, tmp_path: Path) -> None:
    docs = write_docs(tmp_path / "docs")
    refreshed(corpus, docs)
    (docs / "c.txt").rename(docs / "regulations.txt")
    refreshed(corpus, docs)
    assert matches(corpus, "regulations")[0].startswith("Tolls")
    last = list(corpus.chunks())[1].id
    assert [chunk.context for chunk in corpus.get([last])] == ["Harbour > Cranes"]
    assert last in dict(corpus.lexical("cranes of the harbour", 5))


def test_terms_have_frequency_and_idf(corpus: Corpus) -> None:
    index(corpus, "ships sail", "a ship", "moon", "sun")
    assert [(term.text, term.chunks, round(term.idf, 6)) for term in corpus.terms("Do ships sail to Mars?")] == [
        ("ship", 2, round(math.log(1 + 2.5 / 2.5), 6)),
        ("sail", 1, round(math.log(1 + 3.5 / 1.5), 6)),
        ("mar", 0, round(math.log(1 + 4.5 / 0.5), 6)),
    ]
