"""What the writer learns from: a prompt of lcrag's own, with questions about its passages and the right replies.

Every prompt is made by ``lcrag.text.prompts``, with passages as ``lcrag.text.passages`` makes them of lcrag's chunks. A
prompt may ask several questions about the same passages, one after the other, since reading them is what costs.
Replies end with the marker of the passage that each sentence rests on; a fifth of all questions have no answer in what
is read, and the reply is then NOT FOUND.
"""

from __future__ import annotations

import csv
import io
import random
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lcrag.text.passages import passages
from lcrag.text.prompts import NOT_FOUND, messages
from lcrag.text.sentences import sentences
from lcrag.text.words import stems
from lcrag.types import Chunk, Passage, Role, Task

sys.path.append(str(Path(__file__).parents[1]))

from worlds.documents import Fact
from worlds.vocabulary import ATTRIBUTES
from worlds.world import WORLD_CHARACTERS, Asked, World, capital, in_order, laid_out, pick_task, worker_note

CHARACTERS: Final = 4.3
"""Characters to a token, of English."""
LONGEST: Final = 6000
ABSENT: Final = 0.2
"""Share of questions whose answer is not in the passages."""
UNKNOWN, HIDDEN = 0.22, 0.1
"""Of questions with short answers: the share that looks as if its passage held the answer (SQuAD 2.0 and negatives of
the others), and the share whose passage is taken away."""
TURNS: Final = 4
"""Questions about the same passages, at most."""
WEIGHTS: Final = {
    "nq": 17,
    "squad": 15,
    "policy": 4,
    "covid": 7,
    "friends": 7,
    "clapnq": 5,
    "quotesum": 4,
    "meeting": 8,
    "whole_meeting": 2,
    "paper": 3,
    "pubmed": 5,
    "fetaqa": 8,
    "wiki_table": 5,
    "musique": 1,
    "catalogue": 4,
    "world": 13,
    "more_questions": 26,
}
MORE: Final = {"squad_train_part": 9, "squad_train_flan": 7, "fairytaleqa_train": 3, "timeqa_human_train": 2}
MORE_SHARE: Final = 2
"""Of the questions with passages, how often a source is drawn; MORE_SHARE where it is not named."""
ALIKE: Final = 40
"""Passages of the same source among which those that are most like the question are looked for."""
ROLES: Final = {"answer": 70, "note": 10, "summarise": 6, "synthesise": 8, "judge": 6}
"""What is asked of passages with questions that have a short answer."""
STEMS: Final = (
    "report",
    "notes",
    "guide",
    "minutes",
    "chapter-3",
    "letter",
    "survey",
    "log",
    "article",
    "index",
    "faq",
)
_TAG: Final = re.compile(r"\s*\{[^}]*\}")


@dataclass(frozen=True)
class Example:
    """Turns of one conversation: what is asked, and the right reply."""

    turns: tuple[tuple[str, str], ...]


def chatml(listed: Sequence[dict[str, str]]) -> str:
    """The messages in SmolLM2's template, the assistant's turn begun."""
    turns = "".join(f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n" for message in listed)
    return f"{turns}<|im_start|>assistant\n"


def example(asked: Sequence[tuple[Task, str]]) -> Example:
    """One conversation about the passages of the first task; the later ones ask about the same."""
    (first, reply), *more = asked
    turns = [(chatml(messages(first)), reply)]
    for task, then in more:
        tail = messages(Task(task.role, task.question, (), task.notes))[1:]
        turns.append(("\n" + chatml(tail), then))
    return Example(tuple(turns))


class Tasks:
    """Draws examples from what ``data.py`` collected."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self.kinds = [kind for kind in WEIGHTS if self._has(kind)]
        self.weights = [WEIGHTS[kind] for kind in self.kinds]
        self._questions_in: dict[str, dict[int, list[dict[str, Any]]]] = {}
        self._chunks_of: dict[str, dict[int, list[int]]] = {}
        self._known: dict[str, list[dict[str, Any]]] = {}
        self._unknown: dict[str, list[dict[str, Any]]] = {}
        self._more: dict[str, list[dict[str, Any]]] = {}
        for question in data.get("more", ()):
            self._more.setdefault(question["src"], []).append(question)
        for source, held in data["questions"].items():
            self._known[source] = [question for question in held["questions"] if "answer" in question]
            self._unknown[source] = [question for question in held["questions"] if "answer" not in question]
            asked = self._questions_in[source] = {}
            for question in held["questions"]:
                asked.setdefault(question["document"], []).append(question)
            chunks = self._chunks_of[source] = {}
            for at, (number, _, _) in enumerate(held["chunks"]):
                chunks.setdefault(number, []).append(at)

    def _has(self, kind: str) -> bool:
        names = {
            "more_questions": "more",
            "meeting": "qmsum_train",
            "whole_meeting": "qmsum_train",
            "paper": "scitldr",
            "pubmed": "pubmedqa",
        }
        if kind in ("world", "catalogue"):
            return True
        held = self.data["questions"] if kind in ("nq", "squad", "policy", "covid") else self.data
        return bool(held.get(names.get(kind, kind) + ("s" if kind == "wiki_table" else "")))

    def draw(self, r: random.Random) -> Example:
        """One example of a kind drawn by WEIGHTS."""
        while True:
            kind = r.choices(self.kinds, self.weights)[0]
            made = self._of_chunks(r, kind) if kind in self.data["questions"] else getattr(self, f"_{kind}")(r)
            if made is not None:
                return made

    def _of_chunks(self, r: random.Random, source: str) -> Example | None:
        """Questions with short answers over lcrag's own chunks and its own hard negatives."""
        held = self.data["questions"][source]
        known, unknown = self._known[source], self._unknown[source]
        question = r.choice(unknown if unknown and r.random() < UNKNOWN else known)
        role: Role = r.choices(list(ROLES), list(ROLES.values()))[0]  # type: ignore[assignment]
        together = [question]
        if role == "answer" and source != "nq":
            others = [one for one in self._questions_in[source][question["document"]] if "answer" in one]
            together += r.sample(others, min(len(others), r.choice((0, 1, 2, TURNS - 1))))
        together = list({one["q"]: one for one in together}.values())
        hidden_too = {one["q"] for one in together if source != "policy" and r.random() < HIDDEN}
        absent = {one["q"] for one in together if "answer" not in one or one["q"] in hidden_too}
        own = {one["q"]: self._chunks_with(source, one) for one in together}
        taken = {at for one in together if one["q"] not in hidden_too for at in own[one["q"]]}
        budget = _budget(r)
        hidden = {at for one in together if one["q"] in hidden_too for at in own[one["q"]]} - taken
        pool = [at for one in together for at in one["negatives"][: r.randint(3, 12)]]
        around = [
            at for at in self._chunks_of[source][question["document"]] if any(abs(at - one) <= 4 for one in taken)
        ]
        fillers = list(dict.fromkeys([*pool, *around]))
        while len(fillers) < budget // 100 and source != "policy":
            fillers.append(r.randrange(len(held["chunks"])))
        r.shuffle(fillers)
        texts = held["documents"]
        size = sum(self._size(source, at) for at in taken)
        for at in fillers:
            if size + self._size(source, at) > budget:
                break
            if at in taken or at in hidden or self._answers(source, at, together, absent):
                continue
            taken.add(at)
            size += self._size(source, at)
        if not taken:
            return None
        names: dict[int, str] = {}
        chunks = []
        for at in taken:
            number, start, end = held["chunks"][at]
            name = names.setdefault(number, _name(r, number))
            text = texts[number][start:end]
            chunks.append(Chunk(at, f"{source}{number}", name, start, end, text, round(len(text) / CHARACTERS)))
        read = passages(chunks)
        asked = []
        for one in together:
            answer, evidence, marker = self._answer(source, one, read, one["q"] in absent)
            asked.append(self._task(r, role, one["q"], read, answer, evidence, marker))
        return example(asked[:1] if role != "answer" else asked)

    def _task(
        self,
        r: random.Random,
        role: Role,
        question: str,
        read: Sequence[Passage],
        answer: str,
        evidence: str,
        marker: int,
    ) -> tuple[Task, str]:
        question = _asked(r, question)
        if role == "judge":
            return Task(role, question, tuple(read)), "yes" if answer else "no"
        reply = f"{answer} [{marker}]" if answer else NOT_FOUND
        if role == "answer":
            return Task(role, question, tuple(read)), reply
        line = f"{evidence} [{marker}]" if answer else NOT_FOUND
        if role == "note" or (role == "summarise" and r.random() < 0.5):
            notes = () if role == "summarise" else tuple(_noise(r, read, marker, r.choice((0, 0, 0, 1, 2))))
            return Task(role, question, tuple(read), notes), line
        notes = _noise(r, read, marker, r.choice((0, 1, 2, 3, 5)))
        if answer:
            notes.insert(r.randint(0, len(notes)), line)
        if not notes:
            notes = _noise(r, read, -1, 1)
        return Task(role, question, (), _joined(r, notes)), reply if role == "synthesise" else line

    def _chunks_with(self, source: str, question: dict[str, Any]) -> list[int]:
        """The chunks that hold the evidence; of a question without an answer, those of its passage."""
        start, end = question.get("evidence") or question["passage"]
        chunks = self.data["questions"][source]["chunks"]
        listed = self._chunks_of[source][question["document"]]
        return [at for at in listed if chunks[at][1] < end and start < chunks[at][2]]

    def _size(self, source: str, at: int) -> int:
        _, start, end = self.data["questions"][source]["chunks"][at]
        return round((end - start) / CHARACTERS)

    def _answers(self, source: str, at: int, together: Sequence[dict[str, Any]], absent: set[str]) -> bool:
        """Whether a chunk that is read for other reasons holds the answer to a question that should have none."""
        held = self.data["questions"][source]
        number, start, end = held["chunks"][at]
        text = held["documents"][number][start:end].lower()
        for one in together:
            if one["q"] in absent and "answer" in one:
                a, b = one["answer"]
                if held["documents"][one["document"]][a:b].lower() in text:
                    return True
        return False

    def _answer(
        self, source: str, question: dict[str, Any], read: Sequence[Passage], absent: bool
    ) -> tuple[str, str, int]:
        """The answer, its sentences and their marker; "" where there is none."""
        if absent or "answer" not in question:
            return "", "", 0
        text = self.data["questions"][source]["documents"][question["document"]]
        (start, end), (a, b) = question["answer"], question["evidence"]
        for passage in read:
            if passage.document_id == f"{source}{question['document']}" and passage.start <= start < passage.end:
                return _flat(text[start:end]), _flat(text[a:b]), passage.marker
        raise ValueError(f"the answer of {question['q']!r} is not in what is read")

    def _friends(self, r: random.Random) -> Example | None:
        scene = r.choice(self.data["friends"])
        if not scene["questions"]:
            return None
        held = [(scene["lines"], True)]
        for _ in range(r.choice((0, 0, 1, 2, 4))):
            held.append((r.choice(self.data["friends"])["lines"], False))
        r.shuffle(held)
        read: list[Passage] = []
        line_of: dict[int, int] = {}
        absent = r.random() < ABSENT and len(held) > 1
        for lines, own in held:
            if own and absent:
                continue
            start = 0
            while start < len(lines):
                end = min(len(lines), start + r.randint(4, 18))
                read.append(_passage(r, len(read) + 1, "\n".join(lines[start:end]), "scene"))
                if own:
                    line_of.update((number, len(read)) for number in range(start, end))
                start = end
        asked: list[tuple[Task, str]] = []
        for question in r.sample(scene["questions"], min(len(scene["questions"]), r.choice((1, 1, 2, TURNS)))):
            marker = line_of.get(question["line"])
            reply = f"{_flat(question['a'])} [{marker}]" if marker else NOT_FOUND
            asked.append((Task("answer", _asked(r, question["q"]), tuple(read)), reply))
        return example(asked) if sum(passage.tokens for passage in read) <= LONGEST else None

    def _clapnq(self, r: random.Random) -> Example:
        entry = r.choice(self.data["clapnq"])
        others = [
            other for other in r.sample(self.data["clapnq"], r.choice((0, 1, 2, 4, 8))) if other["q"] != entry["q"]
        ]
        hidden = bool(entry["a"] and others) and r.random() < 0.12
        listed = [(other["title"], other["text"]) for other in others]
        if not hidden:
            listed.append((entry["title"], entry["text"]))
        r.shuffle(listed)
        read = [_passage(r, number, text, title) for number, (title, text) in enumerate(listed, 1)]
        reply = NOT_FOUND if hidden or not entry["a"] else cited(_flat(entry["a"]), read)
        return example([(Task("answer", _asked(r, entry["q"]), tuple(read)), reply)])

    def _quotesum(self, r: random.Random) -> Example:
        entry = r.choice(self.data["quotesum"])
        order = list(range(len(entry["passages"])))
        r.shuffle(order)
        read = [
            _passage(r, n, entry["passages"][place][1], entry["passages"][place][0]) for n, place in enumerate(order, 1)
        ]
        markers = "".join(f"[{order.index(number - 1) + 1}]" for number in entry["from"])
        reply = f"{_flat(entry['a'])} {markers}" if len(sentences(entry["a"])) == 1 else cited(entry["a"], read)
        return example([(Task("answer", _asked(r, entry["q"]), tuple(read)), reply)])

    def _meeting(self, r: random.Random) -> Example | None:
        meeting = r.choice(self.data["qmsum_train"])
        question = r.choice(meeting["specific"])
        turns = [_TAG.sub("", turn) if r.random() < 0.8 else turn for turn in meeting["turns"]]
        wanted = {n for a, b in question["spans"] for n in range(int(a), int(b) + 1) if n < len(turns)}
        pieces = _pieces(turns)
        evidence = [piece for piece in pieces if wanted & set(range(*piece))]
        budget = r.choice((600, 1000, 1000, 2000, 2000, 4000))
        chosen = _within(r, turns, evidence, budget * 0.8)
        chosen += _within(r, turns, [piece for piece in pieces if piece not in evidence], budget * 0.2)
        read = _of_turns(r, turns, sorted(chosen))
        reply = cited(_flat(question["a"]), read, least=0.45)
        return example([(Task("answer", question["q"], tuple(read)), reply)]) if reply and read else None

    def _whole_meeting(self, r: random.Random) -> Example | None:
        meeting = r.choice(self.data["qmsum_train"])
        question = r.choice(meeting["general"])
        if r.random() < 0.5:
            notes = [f"{_flat(one['a'])} [{number}]" for number, one in enumerate(meeting["specific"][:12], 1)]
            read = [Passage(n, "", "", 0, 0, note, 0) for n, note in enumerate(notes, 1)]
            reply = cited(_flat(question["a"]), read, least=0.3)
            return example([(Task("synthesise", question["q"], (), tuple(notes)), reply)]) if reply else None
        turns = [_TAG.sub("", turn) for turn in meeting["turns"]]
        read = _of_turns(r, turns, sorted(_within(r, turns, _pieces(turns), r.choice((1000, 2000, 4000)))))
        reply = cited(_flat(question["a"]), read, least=0.35)
        return example([(Task("answer", question["q"], tuple(read)), reply)]) if reply else None

    def _paper(self, r: random.Random) -> Example:
        entries = r.sample(self.data["scitldr"], r.choice((1, 1, 2, 3)))
        read = [_passage(r, number, entry["text"], "") for number, entry in enumerate(entries, 1)]
        reply = " ".join(f"{_flat(r.choice(entry['a']))} [{number}]" for number, entry in enumerate(entries, 1))
        one = ("What is this about?", "Summarise the text in one sentence.", "What is the main contribution?", "tl;dr")
        many = ("Summarise these texts.", "What are these documents about?", "Give an overview.")
        return example([(Task("answer", r.choice(one if len(entries) == 1 else many), tuple(read)), reply)])

    def _pubmed(self, r: random.Random) -> Example | None:
        entry = r.choice(self.data["pubmedqa"])
        absent = r.random() < ABSENT
        listed = [] if absent else list(entry["passages"])
        for other in r.sample(self.data["pubmedqa"], r.choice((1, 2, 4)) if absent else r.choice((0, 0, 1, 3))):
            if other["q"] != entry["q"]:
                listed += other["passages"]
        if not listed:
            return None
        read = [_passage(r, number, text, "") for number, text in enumerate(listed, 1)]
        if r.random() < 0.5:
            r.shuffle(listed)
            read = [_passage(r, number, text, "") for number, text in enumerate(listed, 1)]
        own = [passage for passage in read if passage.text in entry["passages"]]
        reply = NOT_FOUND if absent else cited(_flat(entry["a"]), own, least=0.3)
        if reply not in ("", NOT_FOUND) and entry["decision"] in ("yes", "no") and r.random() < 0.4:
            reply = f"{entry['decision'].capitalize()}. {reply}"
        return example([(Task("answer", entry["q"], tuple(read)), reply)]) if reply else None

    def _fetaqa(self, r: random.Random) -> Example | None:
        entry = r.choice(self.data["fetaqa"])
        rows = [[_flat(cell) for cell in row] for row in entry["table"]]
        kept = sorted({0, *(row for row, _ in entry["cells"] if row < len(rows))})
        more = [row for row in range(1, len(rows)) if row not in kept]
        kept = sorted([*kept, *r.sample(more, min(len(more), r.choice((0, 3, 8, 20, 40))))])
        title = f"{entry['title']} > {entry['section']}"
        listed = [(title, _table(r, [rows[row] for row in kept]))]
        for other in r.sample(self.data["fetaqa"], r.choice((0, 0, 1, 2))):
            if other["title"] != entry["title"]:
                listed.append((f"{other['title']} > {other['section']}", _table(r, other["table"][:12])))
        absent = len(listed) > 1 and r.random() < ABSENT
        if absent:
            listed = listed[1:]
        r.shuffle(listed)
        read = [_passage(r, number, text, name, "table") for number, (name, text) in enumerate(listed, 1)]
        own = [passage.marker for passage in read if passage.context == title]
        reply = NOT_FOUND if absent or not own else f"{_flat(entry['a'])} [{own[0]}]"
        if sum(passage.tokens for passage in read) > LONGEST:
            return None
        return example([(Task("answer", _asked(r, entry["q"]), tuple(read)), reply)])

    def _wiki_table(self, r: random.Random) -> Example:
        entry = r.choice(self.data["wiki_tables"])
        read = [_passage(r, 1, _table(r, entry["rows"]), "", "table")]
        asked = r.sample(entry["questions"], min(len(entry["questions"]), TURNS))
        return example([(Task("answer", _asked(r, q), tuple(read)), f"{_flat(a)} [1]") for q, a in asked])

    def _musique(self, r: random.Random) -> Example | None:
        entry = r.choice(self.data["musique"])
        with_answer = [text for text in entry["passages"] if entry["a"].lower() in text.lower()]
        listed = [text for text in entry["passages"] if text not in with_answer]
        listed = listed[: r.choice((2, 4, len(listed)))] + with_answer
        r.shuffle(listed)
        read = [_passage(r, number, text, "") for number, text in enumerate(listed, 1)]
        marker = next((passage.marker for passage in read if passage.text in with_answer), None)
        if marker is None or sum(passage.tokens for passage in read) > LONGEST:
            return None
        return example([(Task("answer", entry["q"], tuple(read)), f"{entry['a']} [{marker}]")])

    def _more_questions(self, r: random.Random) -> Example | None:
        """A question with its own passages among others of its source: of the same title, and like the question."""
        sources = list(self._more)
        source = r.choices(sources, [MORE.get(name, MORE_SHARE) for name in sources])[0]
        question = r.choice(self._more[source])
        own = [passage for passage in question["passages"] if passage["gold"] or not question["a"]]
        rest = [passage for passage in question["passages"] if passage not in own]
        replies = question["a"] or ([question["long"]] if question.get("long") else [])
        role: Role = "answer"
        if question["a"] and source != "boolq_train_part":
            role = r.choices(("answer", "note", "judge"), (84, 10, 6))[0]  # type: ignore[assignment]
        hidden = bool(question["a"]) and role != "note" and len(own) == 1 and r.random() < HIDDEN
        wanted = set(question["q"].lower().split())
        others = [r.choice(self._more[source]) for _ in range(ALIKE)]
        near = [passage for other in others for passage in other["passages"][:1]]
        near.sort(key=lambda passage: -len(wanted & set(passage["text"].lower().split())))
        titled = [passage for passage in near if passage["title"] and passage["title"] == own[0]["title"]]
        answers = [answer.lower() for answer in question["a"]]
        budget = _budget(r) * CHARACTERS
        listed = [] if hidden else list(own)
        size = sum(len(passage["text"]) for passage in listed)
        for passage in [*rest, *titled, *near]:
            if size + len(passage["text"]) > budget:
                break
            text = passage["text"].lower()
            if passage in listed or passage in own or any(answer in text for answer in answers):
                continue
            listed.append(passage)
            size += len(passage["text"])
        if not listed or size > LONGEST * CHARACTERS:
            return None
        r.shuffle(listed)
        read = [_passage(r, n, passage["text"], passage["title"]) for n, passage in enumerate(listed, 1)]
        asked = _asked(r, question["q"])
        if role == "judge":
            return example([(Task(role, asked, tuple(read)), "no" if hidden or not replies else "yes")])
        if hidden or not replies:
            return example([(Task(role, asked, tuple(read)), NOT_FOUND)])
        markers = "".join(f"[{n}]" for n, passage in enumerate(listed, 1) if passage in own)
        if role == "note":
            held = [(n, passage["text"]) for n, passage in enumerate(listed, 1) if passage in own]
            lines = [
                f"{_flat(text[a:b])} [{n}]"
                for n, text in held
                for a, b in sentences(text)
                if any(answer in text[a:b].lower() for answer in answers)
            ]
            return example([(Task(role, asked, tuple(read)), lines[0])]) if lines else None
        if not question["a"]:
            reply = cited(_flat(replies[0]), read)
            return example([(Task(role, asked, tuple(read)), reply)]) if reply else None
        return example([(Task(role, asked, tuple(read)), f"{_flat(replies[0]).rstrip('.')} {markers}")])

    def _catalogue(self, r: random.Random) -> Example:
        """Rows that differ by one character of their number or date: the exact one answers, a neighbour does not."""
        dated = r.random() < 0.35
        fields = r.sample(("price", "shelf", "supplier", "weight", "status", "colour"), 3)
        keys = _dates(r) if dated else _numbers(r)
        rows = [[key, *(_field(r, field) for field in fields)] for key in keys]
        r.shuffle(rows)
        if dated and r.random() < 0.8:
            rows.sort()
        known = [row for row in rows if r.random() < 0.8] or rows[:1]
        prose = r.random() < 0.4
        text = "".join(_sentence(row, fields) for row in known) if prose else _table(r, [["number", *fields], *known])
        lines = text.splitlines(keepends=True)
        size = r.randint(6, 20)
        parts = ["".join(lines[at : at + size]) for at in range(0, len(lines), size)]
        context = " ".join(("number", *fields))
        read = [_passage(r, n, part, "" if prose else context, "table") for n, part in enumerate(parts, 1)]
        asked = []
        for row in r.sample(rows, min(len(rows), TURNS)):
            place = r.randrange(3)
            shown = _said(r, row[0]) if dated else row[0]
            marker = next((passage.marker for passage in read if row[0] in passage.text), None)
            question = r.choice(("What is the {f} of {k}?", "{k}: which {f}?", "Which {f} does {k} have?"))
            reply = f"{row[place + 1]} [{marker}]" if marker and row in known else NOT_FOUND
            asked.append((Task("answer", question.format(f=fields[place], k=shown), tuple(read)), reply))
        return example(asked)

    def _world(self, r: random.Random) -> Example | None:
        """Lists, counts, extremes, comparisons and two hops over generated facts, answered in words."""
        tokens = r.choice((300, 500, 800, 1200, 2000))
        world = World(r, tokens * WORLD_CHARACTERS)
        asked = [made for _ in range(TURNS) if (made := world.ask(pick_task(r))) is not None]
        read = laid_out(r, world, tokens)
        turns = [
            (Task("answer", one.question, read), _told(r, one))
            for one in {one.question: one for one in asked}.values()
            if all(fact.marker for fact in one.facts)
        ]
        if r.random() < 0.3 and (compared := _compared(r, world)):
            turns.append((Task("answer", compared[0], read), compared[1]))
        if not turns:
            return None
        if asked and r.random() < 0.25:
            (task, _), one = turns[0], asked[0]
            if task.question == one.question:
                return example([(Task("note", one.question, read), worker_note(one.facts) or NOT_FOUND)])
        return example(turns)


MONTHS: Final = "January February March April May June July August September October November December".split()


def _numbers(r: random.Random) -> list[str]:
    """Part numbers that are easily taken for each other."""
    stem = "".join(r.choices("ABCDEFGHKLMNPRSTX", k=r.choice((1, 2, 3))))
    first = r.randint(100, 99000)
    tail = r.choice(("", "", "/{}", "-{}", "{}"))
    numbers = [
        f"{stem}{r.choice('- /')}{first + r.randint(0, 40)}{tail.format(r.choice('0123ABC'))}" for _ in range(40)
    ]
    return list(dict.fromkeys(numbers))[: r.randint(4, 24)]


def _dates(r: random.Random) -> list[str]:
    year = r.randint(1990, 2026)
    dates = {f"{year}-{r.randint(1, 12):02d}-{r.randint(1, 28):02d}" for _ in range(r.randint(4, 24))}
    return list(dates)


def _said(r: random.Random, date: str) -> str:
    """A date of the form 2024-03-12 as people write it."""
    year, month, day = date.split("-")
    name = MONTHS[int(month) - 1]
    return r.choice(
        (f"{int(day)} {name} {year}", f"{name} {int(day)}, {year}", f"{int(day)}.{int(month)}.{year}", date)
    )


def _field(r: random.Random, field: str) -> str:
    drawn = {
        "price": f"{r.choice('€£$')}{r.randint(1, 999)}.{r.randint(0, 99):02d}",
        "shelf": f"{r.choice('ABCDEF')}{r.randint(1, 399)}",
        "supplier": r.choice(
            ("Brandt", "Osterlund", "Kimura", "Dalby & Sons", "Perez", "Norwood", "Hale", "Lindqvist")
        ),
        "weight": f"{r.randint(1, 90)}.{r.randint(0, 9)} kg",
        "status": r.choice(("in stock", "sold out", "on order", "under repair", "returned", "cancelled")),
        "colour": r.choice(("red", "grey", "blue", "black", "green", "white")),
    }
    return drawn[field]


def _sentence(row: Sequence[str], fields: Sequence[str]) -> str:
    described = ", ".join(f"{field} {value}" for field, value in zip(fields, row[1:], strict=True))
    return f"{row[0]}: {described}.\n"


def _told(r: random.Random, asked: Asked) -> str:
    """The answer in words, a marker after each thing."""
    facts = in_order(asked.facts)
    if asked.task == "absent" or not facts:
        return NOT_FOUND
    if asked.task == "twohop":
        first, second = asked.facts
        return f"{second.value} [{first.marker}][{second.marker}]" if first.marker != second.marker else _cited(second)
    if asked.task == "list":
        return _series([_cited(fact) for fact in facts])
    if asked.task == "count":
        return f"{_series([_cited(fact) for fact in facts])}: {len(facts)}"
    if asked.task == "maxmin":
        return _cited((max if asked.highest else min)(facts, key=lambda fact: int(fact.value)))
    return _cited(facts[0])


def _compared(r: random.Random, world: World) -> tuple[str, str] | None:
    """Two entities by the same attribute."""
    by_key: dict[str, list[Fact]] = {}
    for fact in world.facts.values():
        by_key.setdefault(fact.key, []).append(fact)
    several = [facts for facts in by_key.values() if len(facts) > 1 and all(fact.marker for fact in facts)]
    if not several:
        return None
    one, other = r.sample(r.choice(several), 2)
    label = ATTRIBUTES[one.key].label
    question = r.choice(
        (
            "Compare the {l} of {a} and {b}.",
            "How do {a} and {b} differ in {l}?",
            "{a} and {b}: what is the {l} of each?",
        )
    )
    reply = f"{capital(one.entity)}: {_cited(one)}. {capital(other.entity)}: {_cited(other)}."
    if one.value.isdigit() and other.value.isdigit() and r.random() < 0.5 and one.value != other.value:
        more = one if int(one.value) > int(other.value) else other
        return (
            f"Which has the higher {label}, {one.entity} or {other.entity}?",
            f"{capital(more.entity)}: {reply}",
        )
    return question.format(l=label, a=one.entity, b=other.entity), reply


def _cited(fact: Fact) -> str:
    return f"{fact.value} [{fact.marker}]"


def _series(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def cited(text: str, read: Sequence[Passage], least: float = 0.0) -> str:
    """The sentences of ``text``, each with the marker of the passage that shares most of its words.

    A sentence of whose words no passage has a share of ``least`` is left out: what was read does not say it.
    """
    held = [frozenset(stems(passage.text)) for passage in read]
    kept = []
    for start, end in sentences(text):
        own = frozenset(stems(text[start:end]))
        shares = [len(own & words) / max(1, len(own)) for words in held]
        best = max(range(len(read)), key=lambda place: shares[place])
        if shares[best] >= least:
            kept.append(f"{_flat(text[start:end])} [{read[best].marker}]")
    return " ".join(kept)


def _budget(r: random.Random) -> int:
    return r.choice((250, 500, 500, 700, 1000, 1000, 1500, 2000, 3000, 4500))


def _asked(r: random.Random, question: str) -> str:
    """The question as people type it: often as it is, sometimes with a capital and its mark, or without either."""
    drawn, question = r.random(), _flat(question)
    if drawn < 0.4:
        return question[:1].upper() + question[1:] + ("" if question.endswith(("?", ".")) else "?")
    return question.rstrip("?") if drawn > 0.9 else question


def _flat(text: object) -> str:
    return " ".join(str(text).split())


def _name(r: random.Random, number: int) -> str:
    return f"docs/{r.choice(STEMS)}-{number}{r.choice(('.txt', '.md', '.pdf', '.html', '.docx'))}"


def _passage(r: random.Random, marker: int, text: str, context: str, kind: str = "") -> Passage:
    name = (
        f"docs/{r.choice(STEMS)}-{r.randint(1, 99)}{'.csv' if kind == 'table' else r.choice(('.txt', '.md', '.pdf'))}"
    )
    shown = context if kind == "table" or r.random() < 0.5 else ""
    return Passage(marker, name, name, 0, len(text), text, round(len(text) / CHARACTERS), context=shown)


def _noise(r: random.Random, read: Sequence[Passage], marker: int, number: int) -> list[str]:
    """Sentences of other passages, as notes that do not help."""
    others = [passage for passage in read if passage.marker != marker]
    lines = []
    for passage in r.sample(others, min(len(others), number)):
        spans = sentences(passage.text)
        if spans:
            start, end = r.choice(spans)
            lines.append(f"{_flat(passage.text[start:end])} [{passage.marker}]")
    return lines


def _joined(r: random.Random, lines: Sequence[str]) -> tuple[str, ...]:
    return ("\n".join(lines),) if r.random() < 0.4 else tuple(lines)


def _pieces(turns: Sequence[str]) -> list[tuple[int, int]]:
    """Turns in chunks of about 128 tokens, as lcrag cuts a dialogue."""
    pieces, start, size = [], 0, 0
    for number, turn in enumerate(turns):
        size += len(turn)
        if size > 128 * CHARACTERS:
            pieces.append((start, number + 1))
            start, size = number + 1, 0
    return [*pieces, (start, len(turns))] if start < len(turns) else pieces


def _within(
    r: random.Random, turns: Sequence[str], pieces: Sequence[tuple[int, int]], tokens: float
) -> list[tuple[int, int]]:
    chosen, size = [], 0.0
    for a, b in r.sample(list(pieces), len(pieces)):
        size += sum(len(turn) for turn in turns[a:b]) / CHARACTERS
        if size > tokens and chosen:
            break
        chosen.append((a, b))
    return chosen


def _of_turns(r: random.Random, turns: Sequence[str], pieces: Sequence[tuple[int, int]]) -> list[Passage]:
    name = _name(r, r.randint(1, 99))
    starts = [0]
    for turn in turns:
        starts.append(starts[-1] + len(turn) + 1)
    text = "\n".join(turns) + "\n"
    return passages(
        Chunk(
            a,
            name,
            name,
            starts[a],
            starts[b],
            text[starts[a] : starts[b]],
            round((starts[b] - starts[a]) / CHARACTERS),
        )
        for a, b in pieces
    )


def _table(r: random.Random, rows: Sequence[Sequence[str]]) -> str:
    """A table as lcrag reads it: of CSV, of a sheet, or of Markdown."""
    style = r.random()
    if style < 0.4:
        text = io.StringIO()
        csv.writer(text, delimiter=r.choice(",,;\t"), lineterminator="\n").writerows(rows)
        return text.getvalue()
    if style < 0.7:
        return "\n".join(" ¦ ".join(row) for row in rows)
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join((head, f"|{'---|' * len(rows[0])}", *body))
