"""BM25 over the chunks with SQLite's FTS5, which shares the file and the transaction with everything else.

Measured on 100,000 chunks (98 MB), 102 questions, 200 hits, two busy cores: FTS5 builds in 5 to 10 s to 71 MB and
answers in 134 ms (427 at most) with every word, in 22 to 36 ms with ``MAX_POSTINGS``; on a million chunks in 75 ms.
tantivy builds in 7 s to 34 MB and answers in 1.6 ms, but it is a second store without a common transaction, and a
question waits for other things than these 36 ms.
FTS5 also tokenises and stems (Porter) the question, so nothing here has to imitate it.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Iterable
from functools import lru_cache

from lcrag.index.selection import is_selected
from lcrag.text.words import LEAST_PART, STOP_WORDS, fold, joins_words, spaced, spaced_pairs
from lcrag.types import Term

MAX_POSTINGS = 50_000
"""Frequent words are dropped from a query once the rarer ones occur in this many chunks together."""

MAX_PHRASES = 128
"""The rarest words of a question that is a pasted page of text."""

MAX_PARTS = 16
"""The longest words of a question that are looked for so."""

MAX_COMPOUNDS = 64
ENDINGS = ("", "e", "en", "er", "es", "n", "s")
"""Of nouns in the languages that join words."""

TEXT_WEIGHT, CONTEXT_WEIGHT, SOURCE_WEIGHT = 1.0, 1.0, 1.0

_TOKENIZE = "tokenize = \"porter unicode61 remove_diacritics 2 categories 'L* N* Co M*'\""
SCHEMA = f"""CREATE VIRTUAL TABLE lexical USING fts5(text, context, source, content = '', {_TOKENIZE});
INSERT INTO lexical (lexical, rank) VALUES ('hashsize', {1 << 26})"""
"""The text is the first column because FTS5 marks each posting of any other: .63 of the text size, .88 as the last.
Postings are collected in 64 MB before they are written: 3.2 s for 100 MB of text, 4.7 s with FTS5's default of 1 MB.
"""
_QUESTION_SCHEMA = (
    f"CREATE VIRTUAL TABLE temp.question USING fts5(word, {_TOKENIZE})",
    "CREATE VIRTUAL TABLE temp.question_terms USING fts5vocab(temp, question, instance)",
    "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, lexical, row)",
    "CREATE VIRTUAL TABLE temp.postings USING fts5vocab(main, lexical, instance)",
)

_BETWEEN_WORDS = re.compile(r"[\s\0'’]+")
_JOINERS = re.compile(r"[!-/:-@\[-`{-~\u2010-\u2015]+")


def add(db: sqlite3.Connection, rows: Iterable[tuple[int, str, str, str]]) -> None:
    """Index ``(chunk id, source, context, text)`` rows."""
    db.executemany(
        "INSERT INTO lexical (rowid, source, context, text) VALUES (?, ?, ?, ?)",
        (_folded(row) for row in rows),
    )


def remove(db: sqlite3.Connection, rows: Iterable[tuple[int, str, str, str]]) -> None:
    """Remove rows; they must be exactly what was added, because FTS5 has no copy."""
    db.executemany(
        "INSERT INTO lexical (lexical, rowid, source, context, text) VALUES ('delete', ?, ?, ?, ?)",
        (_folded(row) for row in rows),
    )


def _folded(row: tuple[int, str, str, str]) -> tuple[int, str, str, str]:
    chunk, source, context, text = row
    return chunk, _folded_name(source), _folded_name(context), spaced(fold(text))


@lru_cache(1000)
def _folded_name(text: str) -> str:
    """A source or a context, which many chunks in a row share."""
    return spaced(fold(text))


def search(db: sqlite3.Connection, question: str, limit: int) -> list[tuple[int, float]]:
    """Chunk ids with their BM25 scores (positive), best first, ties by id. [] for a question without words."""
    postings = 0
    chosen: list[str] = []
    for chunks, phrase in sorted(_phrases(db, question))[:MAX_PHRASES]:
        postings += chunks
        if chosen and postings > MAX_POSTINGS:
            break
        chosen.append('"{}"'.format(phrase.replace('"', '""')))
    if not chosen:
        return []
    chosen_only = " AND EXISTS (SELECT 1 FROM chunks WHERE id = lexical.rowid)" if is_selected(db) else ""
    rows = db.execute(
        f"SELECT rowid, -bm25(lexical, ?, ?, ?) AS score FROM lexical WHERE lexical MATCH ?{chosen_only}"
        " ORDER BY score DESC, rowid LIMIT ?",
        (TEXT_WEIGHT, CONTEXT_WEIGHT, SOURCE_WEIGHT, " OR ".join(chosen), limit),
    )
    return [(chunk, score) for chunk, score in rows]


def terms(db: sqlite3.Connection, question: str, size: int) -> tuple[Term, ...]:
    """The question's stemmed terms in its order, without stop words unless there is nothing else.

    ``idf = ln(1 + (N - df + 0.5) / (df + 0.5))`` over the ``size`` chunks (Robertson and Zaragoza 2009; Lucene's form,
    never negative).
    """
    stems = dict.fromkeys(stem for _, word in _words(db, question) for stem in word)
    chunks = _frequencies(db, stems)
    return tuple(
        Term(stem, chunks[stem], math.log(1 + (size - chunks[stem] + 0.5) / (chunks[stem] + 0.5))) for stem in stems
    )


def _phrases(db: sqlite3.Connection, question: str) -> list[tuple[int, str]]:
    """The phrases to search for, each as ``(chunks that may contain it, phrase)``.

    A word that FTS5 takes apart (``foo_bar-12``, a UUID) is searched for as a phrase of its parts, and also part by
    part. In a language that joins words, the longer words that contain one of the question's are searched for too.
    """
    words = _words(db, question)
    if joins_words(question):
        words += _compounds(db, [text for text, _ in words])
    chunks = _frequencies(db, (stem for _, word in words for stem in word))
    most = {text: min(chunks[stem] for stem in stems) for text, stems in words}
    return [(number, text) for text, number in most.items() if number]


def _words(db: sqlite3.Connection, question: str) -> list[tuple[str, tuple[str, ...]]]:
    """The question's words, each with its terms in FTS5; compound words are followed by their parts."""
    texts: list[str] = []
    for text in _BETWEEN_WORDS.split(spaced_pairs(fold(question))):
        parts = [part for part in _JOINERS.split(text) if part]
        texts.extend((text, *parts) if len(parts) > 1 else parts)
    texts = list(dict.fromkeys(texts))
    stems = _stems(db, texts)
    words = [(text, stems[text]) for text in texts if text in stems]
    return [word for word in words if word[0].lower() not in STOP_WORDS] or words


def _compounds(db: sqlite3.Connection, words: Iterable[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Words of the index that contain one of these, inflected or not, the shortest first: "netzgeräte" for "gerät".

    The stemmer is for English, so that "geräte" and "gerät" have two stems; each is looked for. Reads the whole
    vocabulary: 0.8 s for 166,000 words on two busy cores.
    """
    long = sorted((word.lower() for word in words if len(word) >= LEAST_PART and word.isalpha()), key=len)
    forms = [word + ending for word in long[-MAX_PARTS:] for ending in ENDINGS]
    cut = {stem: form[len(stem) :] for form, (stem, *_) in _stems(db, forms).items() if form.startswith(stem)}
    parts = [part for part in cut if len(part) >= LEAST_PART]
    if not parts:
        return []
    longer = " OR ".join(["(term GLOB ? AND term != ?)"] * len(parts))
    values = [value for part in parts for value in (f"*{part}*", part)]
    limited = f"SELECT term FROM vocabulary WHERE {longer} ORDER BY length(term), term LIMIT {MAX_COMPOUNDS}"
    terms = [term for (term,) in db.execute(limited, values)]
    # FTS5 stems what is searched for: the stem of this text must be the word of the index.
    texts = [term + ending for term in terms for ending in ("", *cut.values())]
    found = {stems: text for text, stems in _stems(db, list(dict.fromkeys(texts))).items()}
    return [(found[term,], (term,)) for term in terms if (term,) in found]


def _stems(db: sqlite3.Connection, texts: list[str]) -> dict[str, tuple[str, ...]]:
    """FTS5's terms of each text that has any."""
    if not db.execute("SELECT 1 FROM sqlite_temp_master WHERE name = 'question'").fetchone():
        for statement in _QUESTION_SCHEMA:
            db.execute(statement)
    db.execute("DELETE FROM question")
    db.executemany("INSERT INTO question (rowid, word) VALUES (?, ?)", enumerate(texts))
    stems: dict[str, tuple[str, ...]] = {}
    for row, term in db.execute("SELECT doc, term FROM question_terms ORDER BY doc, offset"):
        stems[texts[row]] = (*stems.get(texts[row], ()), term)
    return stems


def _frequencies(db: sqlite3.Connection, stems: Iterable[str]) -> dict[str, int]:
    """In how many chunks each term occurs."""
    chunks = {}
    counted = "SELECT doc FROM vocabulary WHERE term = ?"
    if is_selected(db):
        counted = (
            "SELECT count(DISTINCT doc) FROM postings WHERE term = ?"
            " AND EXISTS (SELECT 1 FROM chunks WHERE id = postings.doc)"
        )
    for stem in set(stems):
        row = db.execute(counted, (stem,)).fetchone()
        chunks[stem] = int(row[0]) if row else 0
    return chunks
