"""`lcrag ask`, one question: what is on which stream, in which form, with which exit code."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from support import fake_run
from support.invocation import Lcrag

from lcrag.types import Policy


def test_the_answer_and_nothing_else_is_on_standard_output(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "who was it?")
    assert result.code == 0
    assert result.out == (
        "It was Anna [1]. So they say [2].\n\n[1] docs/a.md:7  “It was Anna all along”\n[2] docs/b.pdf p. 3  “two”\n"
    )
    assert "cannot read docs/broken[1m.pdf: not a readable pdf file" in result.err
    assert "ranking by words only\n  pip install something" in result.err
    assert "backend: embedded" in result.err


def test_no_sources(lcrag: Lcrag) -> None:
    assert lcrag("ask", "docs", "who?", "--no-sources").out == "It was Anna [1]. So they say [2].\n"


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("who?", 0),
        ("both", 0),
        ("nowhere", 1),
        ("unread", 1),
        ("package", 3),
        ("server", 3),
        ("budget", 4),
        ("backend", 5),
        ("bug", 5),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"], ["--ndjson"]])
def test_exit_codes(lcrag: Lcrag, question: str, code: int, form: list[str]) -> None:
    assert lcrag("ask", "docs", question, *form).code == code


def test_not_found_says_how_much_was_read_and_leaves_standard_output_empty(lcrag: Lcrag) -> None:
    nowhere, unread = lcrag("ask", "docs", "nowhere"), lcrag("ask", "docs", "unread")
    assert nowhere.out == unread.out == ""
    assert "Not in these documents: all 24,000 tokens were read." in nowhere.err
    assert "Not in the 1,800 of 24,000 tokens that were read." in unread.err
    assert "--pipeline full_context" in unread.err


def test_contradiction_is_said(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "both")
    assert result.out == "Yes [1]. No [2].\n"
    assert "contradict" in result.err


def test_json_follows_the_contract_key_by_key(lcrag: Lcrag) -> None:
    answer = lcrag("ask", "docs", "who?", "--json").json
    keys = (
        "schema id question answer short status citations statements dropped_markers conflicts plan usage read steps"
        " trace backend model index"
    )
    assert list(answer) == keys.split()
    assert answer["schema"] == "lcrag.answer/1"
    assert answer["id"] is None
    assert answer["short"] == "Anna"
    assert answer["read"] == {"tokens": 1800, "of": 24000, "coverage": None}
    assert answer["index"] == {"documents": 3, "chunks": 40, "tokens": 24000, "skipped": 2}
    assert [list(citation) for citation in answer["citations"]] == [
        ["marker", "source", "start", "end", "line", "page", "part", "quote"]
    ] * 2
    assert (answer["citations"][1]["line"], answer["citations"][1]["page"]) == (None, 3)
    assert answer["steps"] == [{"pipeline": "chunk_rag", "status": "answered", "usage": answer["usage"]}]
    assert list(answer["usage"]) == ["input_tokens", "cached_tokens", "output_tokens", "calls", "seconds"]
    assert answer["plan"]["schema"] == "lcrag.plan/1"


def test_json_of_a_question_without_answer(lcrag: Lcrag) -> None:
    answer = lcrag("ask", "docs", "nowhere", "--json").json
    assert (answer["status"], answer["answer"], answer["short"]) == ("not_found", "", None)


@pytest.mark.parametrize(
    ("question", "code", "kind", "hint"),
    [
        ("package", 3, "NotInstalled", "pip install sentence-transformers"),
        ("budget", 4, "OverBudget", "--max-tokens 2100"),
        ("backend", 5, "BackendFailed", "lcrag doctor"),
    ],
)
def test_an_error_is_phrased_and_with_json_is_one_object(
    lcrag: Lcrag, question: str, code: int, kind: str, hint: str
) -> None:
    plain, result = lcrag("ask", "docs", question), lcrag("ask", "docs", question, "--json")
    assert plain.out == ""
    assert f"\n  {hint}\n" in plain.err
    assert result.json["schema"] == "lcrag.error/1"
    assert list(result.json) == ["schema", "code", "kind", "message", "hint"]
    assert (result.json["code"], result.json["kind"], result.json["hint"]) == (code, kind, hint)
    assert result.json["message"] in plain.err


def test_an_unforeseen_fault_shows_its_traceback_and_is_not_taken_for_nothing_found(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "bug", "--json")
    assert (result.code, result.json["code"], result.json["kind"]) == (5, 5, "ZeroDivisionError")
    assert "Traceback" in result.err


def test_a_folder_that_may_not_be_read_is_an_error_in_one_line(lcrag: Lcrag) -> None:
    result = lcrag("ask", "locked", "who?", "-q")
    assert result.code == 2
    assert result.err.splitlines() == ["lcrag: [Errno 13] Permission denied: 'locked'"]


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["ask"], 'lcrag ask docs/ "your question"'),
        (["ask", "docs"], 'lcrag ask docs "your question"'),
        (["ask", "missing/"], 'lcrag ask missing/ "your question"'),
        (["ask", "who was it?"], "lcrag ask . 'who was it?'"),
        (["ask", "docs", "  "], 'lcrag ask docs "your question"'),
        (["ask", "docs", "-"], 'lcrag ask docs "your question"'),
        (["ask", "-", "-"], 'lcrag ask - "your question"'),
        (["ask", "docs", "--resume", "out"], "lcrag ask docs/ --questions FILE --resume OUT"),
        (["ask", "docs", "who?", "--such"], "lcrag ask --help"),
        (["ask", "docs", "who?", "--prefer", "luck"], "lcrag ask --help"),
        (["ask", "docs", "who?", "--min-quality", "2"], "lcrag ask --help"),
        (["ask", "docs", "who?", "--max-tokens", "0"], "lcrag ask --help"),
        (["ask", "no-such", "who?"], 'lcrag ask docs/ "your question"'),
        (["ask", "docs", "who?", "--config", "no.toml"], "lcrag ask --config FILE …"),
        (["plan", "docs"], 'lcrag plan docs "your question"'),
        (["index"], "lcrag index docs/"),
        (["such"], "lcrag --help"),
        ([], "lcrag --help"),
    ],
)
def test_wrong_usage_is_2_with_the_line_to_type(lcrag: Lcrag, args: list[str], line: str) -> None:
    plain, with_json = lcrag(*args), lcrag(*args, "--json") if args else lcrag("--json")
    assert (plain.code, plain.out) == (2, "")
    assert plain.err.endswith(f"  {line}\n")
    assert with_json.code == with_json.json["code"] == 2
    assert with_json.json["schema"] == "lcrag.error/1"


def test_after_two_dashes_json_is_a_question(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "--", "--json")
    assert result.out.startswith("It was Anna")
    assert fake_run.asked[0][0] == "--json"


def test_options_reach_the_session_and_the_policy(lcrag: Lcrag) -> None:
    lcrag(
        *"ask docs more who? --backend embedded --base-url http://x/v1 --model m --index here --dense off".split(),
        *"--embedder e --pipeline p --prefer speed --max-tokens 9 --max-seconds 1.5 --min-quality 0.5".split(),
        *"--reader off --no-escalate".split(),
    )
    assert fake_run.opened == [
        fake_run.Settings(("docs", "more"), Path("here"), "embedded", "http://x/v1", "m", "off", "e", "off", log=True)
    ]
    assert fake_run.asked == [("who?", Policy("speed", 9, 1.5, 0.5, "p"), False)]


def test_without_options_run_decides(lcrag: Lcrag) -> None:
    lcrag("ask", "docs", "who?")
    assert fake_run.opened == [fake_run.Settings(("docs",), log=True)]
    assert fake_run.asked == [("who?", Policy(), None)]


@pytest.mark.parametrize("before", [["--backend", "embedded"], ["--backend=embedded", "-q"], ["--index", "ask", "-v"]])
def test_shared_options_may_stand_before_the_command(lcrag: Lcrag, before: list[str]) -> None:
    result = lcrag(*before, "ask", "docs", "who?")
    assert result.code == 0
    settings = fake_run.opened[0]
    assert "--index" not in before or settings.index == Path("ask")
    assert "--index" in before or settings.backend == "embedded"


def test_the_last_of_two_values_wins(lcrag: Lcrag) -> None:
    lcrag("--backend", "server", "ask", "docs", "who?", "--backend", "embedded")
    assert fake_run.opened[0].backend == "embedded"


def test_quiet_and_verbose(lcrag: Lcrag) -> None:
    assert lcrag("ask", "docs", "who?", "-q").err == ""
    assert lcrag("ask", "docs", "nowhere", "-q").err == ""
    assert lcrag("ask", "docs", "budget", "-q").err != ""
    loud = lcrag("ask", "docs", "who?", "-v").err
    assert "2 skipped" in loud
    assert "plan: the evidence is likely near the top" in loud
    assert "verbose = 1  (command line)" in loud
    assert "skipped" not in lcrag("ask", "docs", "who?").err


def test_explain_prints_the_plan_on_standard_error(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "who?", "--explain")
    assert "P(correct)" in result.err
    assert "full_context if quality mattered most" in result.err
    assert result.out == lcrag("ask", "docs", "who?").out


def test_control_characters_of_documents_do_not_reach_the_terminal(lcrag: Lcrag) -> None:
    plain, with_json = lcrag("ask", "docs", "evil", "--explain"), lcrag("ask", "docs", "evil", "--json")
    for character in "\x1b\x07\u202e\u202c\x9b":
        assert character not in plain.out + plain.err
    assert "red [31malert right to left2J" in plain.out
    assert with_json.json["answer"] == fake_run.EVIL
    assert with_json.json["citations"][0]["source"] == f"docs/{fake_run.EVIL}.md"


def test_a_long_quote_is_cut_in_text_only(lcrag: Lcrag) -> None:
    assert max(map(len, lcrag("ask", "docs", "evil").out.splitlines())) < 250
    assert len(lcrag("ask", "docs", "evil", "--json").json["citations"][0]["quote"]) > 500


def test_a_line_of_json_is_one_line_for_every_reader(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "who?", "--json")
    assert len(result.out.splitlines()) == 1  # the quote holds U+2028
    assert "\u2028" in result.json["citations"][0]["quote"]


def test_a_document_on_standard_input(lcrag: Lcrag) -> None:
    lcrag("ask", "-", "docs", "who?", stdin="Grüße\n".encode())
    lcrag("ask", "-", "who?", stdin="Viele Grüße aus der Stadt\n".encode("cp1252"))
    assert fake_run.opened[0] == fake_run.Settings(("-", "docs"), stdin_text="Grüße\n", log=True)
    assert fake_run.opened[1].stdin_text == "Viele Grüße aus der Stadt\n"


def test_a_pdf_on_standard_input_is_not_text(lcrag: Lcrag) -> None:
    result = lcrag("ask", "-", "who?", stdin=b"%PDF-1.7\n...")
    assert result.code == 2
    assert "standard input is not text" in result.err


def test_the_question_on_standard_input(lcrag: Lcrag) -> None:
    assert lcrag("ask", "docs", "-", stdin=b"who was it?\n").code == 0
    assert fake_run.asked[0][0] == "who was it?"
    assert fake_run.opened[0].stdin_text is None


def test_a_question_that_is_a_file_is_remarked_on(lcrag: Lcrag) -> None:
    Path("a.md").touch()
    assert "the last word is the question: a.md" in lcrag("ask", "docs", "a.md").err
    assert "the last word" not in lcrag("ask", "docs", "who?").err


def test_events(lcrag: Lcrag) -> None:
    events = lcrag("ask", "docs", "stream", "--ndjson").lines
    assert [event["event"] for event in events] == [
        *("index", "index", "index", "estimate", "plan", "usage", "token", "token", "token", "answer"),
    ]
    assert all(list(event)[:2] == ["event", "t"] for event in events)
    assert [event["t"] for event in events] == sorted(event["t"] for event in events)
    by_kind = {event["event"]: event for event in events}
    assert by_kind["plan"]["schema"] == "lcrag.plan/1"
    assert by_kind["usage"]["input_tokens"] == 1800
    assert by_kind["answer"]["schema"] == "lcrag.answer/1"
    assert by_kind["answer"]["citations"][0]["marker"] == 1


def test_the_answer_is_the_last_event(lcrag: Lcrag) -> None:
    kinds = [event["event"] for event in lcrag("ask", "docs", "who?", "--ndjson", "--no-stream").lines]
    assert kinds[-1] == "answer"
    assert "token" not in kinds


def test_an_error_is_an_event_too(lcrag: Lcrag) -> None:
    last = lcrag("ask", "docs", "backend", "--ndjson").lines[-1]
    assert (last["event"], last["schema"], last["code"]) == ("error", "lcrag.error/1", 5)
    usage = lcrag("ask", "docs", "who?", "--ndjson", "--such").json
    assert (usage["event"], usage["code"]) == ("error", 2)


def test_streaming_ends_in_the_same_text(lcrag: Lcrag) -> None:
    streamed, whole = (lcrag("ask", "docs", "stream", flag).out for flag in ("--stream", "--no-stream"))
    assert streamed == whole
    assert whole.startswith("It was Anna [1]. So [2].\n\n[1] ")


def test_a_streamed_answer_that_was_corrected_is_printed_again(lcrag: Lcrag) -> None:
    out = lcrag("ask", "docs", "restream", "--stream").out
    assert out.startswith("It was Berta [9].\n\nIt was Anna [1]. So they say [2].\n\n[1]")


def test_version_and_help(lcrag: Lcrag) -> None:
    assert lcrag("--version").out.startswith("lcrag 0.")
    for command in ("ask", "plan", "compare", "index"):
        assert command in lcrag("--help").out
        for flag in ("--help", "-h"):
            result = lcrag(command, flag)
            assert result.code == 0
            assert f"Example: lcrag {command} docs/" in result.out


def test_json_needs_no_ascii(lcrag: Lcrag) -> None:
    lcrag("ask", "docs", "wér?", "--json")
    assert "wér?" in lcrag("ask", "docs", "wér?", "--json").out
    assert json.loads(lcrag("ask", "docs", "\udcff?", "--json").out)["question"] == "\udcff?"


def test_links_only_where_the_terminal_opens_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from lcrag.cli.output import LINKING, Output

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for name in (*LINKING, "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert not Output("text").links(Terminal())
    monkeypatch.setenv("VTE_VERSION", "7600")
    assert Output("text").links(Terminal())
    assert not Output("text").links(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not Output("text").links(Terminal())


def test_what_has_no_support_is_marked_in_text_and_told_in_json(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "unsure")
    assert result.out.startswith("It was Anna [1]. She sang. [unsupported]\n")
    assert "markers that led to no source and were left out: 2" in result.err
    value = lcrag("ask", "docs", "unsure", "--json").json
    assert value["answer"] == "It was Anna [1]. She sang."
    assert [(one["text"], one["supported"], one["citations"]) for one in value["statements"]] == [
        ("It was Anna", True, [1]),
        ("She sang.", False, []),
    ]
    assert value["dropped_markers"] == 2


def test_both_sides_of_a_contradiction_are_told_with_their_dates(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "sides")
    assert "The documents contradict each other: [1] 1860 (3 May 2023[2J); [2] 2100.\n" in result.err
    assert result.code == 0
    value = lcrag("ask", "docs", "sides", "--json").json
    assert value["conflicts"] == [{"markers": [1, 2], "dates": ["3 May 2023\x1b[2J", None], "values": ["1860", "2100"]}]


def test_a_negative_answer_tells_what_was_read_and_how_sure_that_is(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "certified")
    assert result.code == 1
    told = "Not in these documents: 1,800 of 24,000 tokens were read, which would hold it with probability 0.97."
    assert told in result.err
    assert lcrag("ask", "docs", "certified", "--json").json["read"] == {"tokens": 1800, "of": 24000, "coverage": 0.97}


def test_the_trace_is_told_beside_the_answer(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "traced", "--trace")
    assert fake_run.opened[-1].trace
    assert result.out.startswith("It was Anna [1].\n")
    assert "* docs/a.md:7, characters 5 to 900\n" in result.err
    assert "  b.pdf p. 3, characters 0 to 9\n" in result.err
    assert "9 calls, 900 tokens" in result.err
    value = lcrag("ask", "docs", "traced", "--trace", "--json").json["trace"]
    assert (value["read"], value["considered"], value["reproduced"]) == (12, 10, True)
    assert [(one["needed"], one["minimal"]) for one in value["passages"]] == [(True, True), (True, False)]
