"""`lcrag ask` with one question: streams, formats, exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from support.invocation import Lcrag
from support.scripted import COST, EVIL, KEEPER, QuestionBackend

from lcrag.session import Session
from lcrag.types import Emit, Event, Policy, Settings


def test_ask_prints_the_answer_and_nothing_else_on_standard_output(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "who was it?")
    assert result.code == 0
    assert result.out == f"{KEEPER} [1].\n\n[1] docs/a.md:3  “{KEEPER}”\n"
    assert "cannot read docs/broken\\x1b[1m.pdf: not a readable pdf file" in result.err
    assert "backend: embedded" in result.err


def test_ask_says_that_a_served_model_is_not_measured(
    lcrag: Lcrag, backend: QuestionBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "is not measured" not in lcrag("ask", "docs", "who was it?").err
    monkeypatch.setattr(backend, "name", "server")
    assert "is not measured: lcrag calibrate --quick" in lcrag("ask", "docs", "who was it?").err


def test_ask_prints_messages_of_a_session_with_their_hint(lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(dense: str, name: str | None, emit: Emit) -> None:
        emit(Event("index", {"message": "ranking by words only", "hint": "pip install something"}))

    monkeypatch.setattr("lcrag.session.session.open_embedder", missing)
    result = lcrag("ask", "docs", "who?")
    assert result.code == 0
    assert "lcrag: ranking by words only\n  pip install something\n" in result.err


def test_ask_without_sources_prints_the_answer_alone(lcrag: Lcrag) -> None:
    assert lcrag("ask", "docs", "who?", "--no-sources").out == f"{KEEPER} [1].\n"


def test_ask_writes_a_page_for_a_browser(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "who?", "--html", "r.html")
    assert result.out.startswith(KEEPER)
    assert "written: r.html" in result.err
    page = Path("r.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "<mark>The keeper of the light was" in page
    assert lcrag("ask", "docs", "nowhere", "--html", "r.html").code == 1
    assert "<mark>" not in Path("r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("who?", "--html", "no/r.html"), "there is no folder no"),
        (("who?", "--html", "docs"), "--html docs is a folder"),
        (("--questions", "q.txt", "--html", "r.html"), "--html is for one question"),
        (("who?", "--session", "s", "--html", "r.html"), "--html is for one question"),
        (("who?", "--session", "s", "--ray", "local"), "--session does not go with --ray"),
    ],
)
def test_ask_refuses_what_it_cannot_write_or_combine(lcrag: Lcrag, more: tuple[str, ...], says: str) -> None:
    Path("q.txt").write_text("who?\n")
    result = lcrag("ask", "docs", *more)
    assert result.code == 2
    assert says in result.err


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("who?", 0),
        (COST, 0),
        ("nowhere", 1),
        ("package", 3),
        ("server", 3),
        ("budget", 4),
        ("backend", 5),
        ("bug", 70),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"], ["--ndjson"]])
def test_ask_exit_codes(lcrag: Lcrag, question: str, code: int, form: list[str]) -> None:
    assert lcrag("ask", "docs", question, *form).code == code


def test_ask_without_an_answer_prints_how_much_was_read_and_leaves_standard_output_empty(lcrag: Lcrag) -> None:
    everything, part = lcrag("ask", "docs", "nowhere"), lcrag("ask", "docs", "nowhere", "--no-escalate")
    assert everything.code == part.code == 1
    assert everything.out == part.out == lcrag("ask", "docs", "nowhere", "--stream").out == ""
    read = lcrag("ask", "docs", "nowhere", "--pipeline", "chunk_rag", "--json").json["read"]
    assert f"Not in the {read['of']:,} tokens that were read." in everything.err
    assert "\n  docs/broken\\x1b[1m.pdf: not a readable pdf file" in everything.err
    assert "\n  docs/a.bin: a format that lcrag does not read\n" in everything.err
    part = lcrag("ask", "docs", "nowhere", "--pipeline", "chunk_rag")
    assert f"Not in the {read['tokens']:,} of {read['of']:,} tokens that were read" in part.err
    assert "--pipeline full_context" in part.err


def test_ask_prints_both_sides_of_a_contradiction_with_their_dates(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", COST)
    assert result.code == 0
    assert result.out.startswith("The light on the Calf cost £1,860 [1].\nThe light on the Calf cost £2,100. [2]\n")
    assert "The documents contradict each other: [1] 1860; [2] 2100 (3 May 2023).\n" in result.err
    answer = lcrag("ask", "docs", COST, "--json").json
    assert answer["conflicts"] == [{"markers": [1, 2], "dates": [None, "3 May 2023"], "values": ["1860", "2100"]}]


def test_ask_json_has_every_key_of_its_schema(lcrag: Lcrag) -> None:
    answer = lcrag("ask", "docs", "who?", "--json").json
    keys = (
        "schema id question answer short status citations statements dropped_markers conflicts plan usage read steps"
        " trace program backend model index"
    )
    assert list(answer) == keys.split()
    assert answer["schema"] == "lcrag.answer/1"
    assert answer["id"] is answer["short"] is answer["trace"] is None
    assert list(answer["read"]) == ["tokens", "of", "coverage", "complete", "left_out"]
    assert 0 < answer["read"]["tokens"] < answer["read"]["of"] == answer["index"]["tokens"]
    assert answer["index"] == {"documents": 6, "skipped": 2} | {
        key: answer["index"][key] for key in ("chunks", "tokens")
    }
    [citation] = answer["citations"]
    assert list(citation) == ["marker", "source", "start", "end", "line", "page", "part", "quote"]
    assert (citation["source"], citation["line"], citation["page"]) == ("docs/a.md", 3, None)
    assert answer["steps"] == [{"pipeline": "chunk_rag", "status": "answered", "usage": answer["usage"]}]
    assert list(answer["usage"]) == ["input_tokens", "cached_tokens", "output_tokens", "calls", "seconds"]
    assert answer["plan"]["schema"] == "lcrag.plan/1"


def test_ask_json_without_an_answer(lcrag: Lcrag) -> None:
    answer = lcrag("ask", "docs", "nowhere", "--json").json
    assert (answer["status"], answer["answer"], answer["short"]) == ("not_retrieved", "", None)
    assert answer["read"]["tokens"] == answer["read"]["of"]
    assert not answer["read"]["complete"]
    assert answer["read"]["left_out"]["count"] == 2
    assert [file["source"] for file in answer["read"]["left_out"]["files"]] == ["docs/broken\\x1b[1m.pdf", "docs/a.bin"]
    for path in Path("docs").glob("*.[bp][id][nf]"):
        path.unlink()
    answer = lcrag("ask", "docs", "nowhere", "--json").json
    assert (answer["status"], answer["read"]["complete"]) == ("not_found", True)
    assert "Not in these documents: all " in lcrag("ask", "docs", "nowhere").err


def test_ask_all_sources_names_every_file_that_was_left_out(lcrag: Lcrag) -> None:
    for number in range(9):
        Path(f"docs/{number}.doc").write_bytes(b"\xd0\xcf\x11\xe0")
        Path(f"docs/{number}.pdf").write_bytes(b"%PDF")
    some, every = lcrag("ask", "docs", "nowhere"), lcrag("ask", "docs", "nowhere", "--all-sources")
    assert some.err.count("not a readable pdf") == 10
    assert "lcrag: cannot read 5 more files (-v names them)\n" in some.err
    assert lcrag("index", "docs", "-v").err.count("cannot read") == 10
    assert "  and 15 more (--all-sources names them)" in some.err
    assert every.err.count(".doc: ") == 9
    assert len(lcrag("ask", "docs", "nowhere", "--json").json["read"]["left_out"]["files"]) == 5
    assert len(lcrag("ask", "docs", "nowhere", "--json", "--all-sources").json["read"]["left_out"]["files"]) == 20


@pytest.mark.parametrize(
    ("question", "code", "kind", "hint"),
    [
        ("package", 3, "NotInstalled", "pip install sentence-transformers"),
        ("budget", 4, "OverBudget", "--max-tokens 2100"),
        ("backend", 5, "BackendFailed", "lcrag doctor"),
    ],
)
def test_ask_error_is_phrased_and_with_json_is_one_object(
    lcrag: Lcrag, question: str, code: int, kind: str, hint: str
) -> None:
    plain, result = lcrag("ask", "docs", question), lcrag("ask", "docs", question, "--json")
    assert plain.out == ""
    assert f"\n  {hint}\n" in plain.err
    assert result.json["schema"] == "lcrag.error/1"
    assert list(result.json) == ["schema", "code", "kind", "message", "hint"]
    assert (result.json["code"], result.json["kind"], result.json["hint"]) == (code, kind, hint)
    assert result.json["message"] in plain.err


def test_ask_unforeseen_fault_shows_its_traceback_and_exits_with_70(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "bug", "--json")
    assert (result.code, result.json["code"], result.json["kind"]) == (70, 70, "ZeroDivisionError")
    assert "Traceback" in result.err


def test_ask_system_error_is_one_line(lcrag: Lcrag, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(settings: Settings, emit: Emit, **_: object) -> Session:
        raise PermissionError(13, "Permission denied", "locked")

    monkeypatch.setattr(Session, "open", locked)
    result = lcrag("ask", "docs", "who?", "-q")
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
        (["ask", "no-such", "who?"], "check the path; quote a glob: 'docs/**/*.md'"),
        (["ask", "docs", "who?", "--config", "no.toml"], "lcrag ask --config FILE …"),
        (["plan", "docs"], 'lcrag plan docs "your question"'),
        (["index"], "lcrag index docs/"),
        (["such"], "lcrag --help"),
        ([], "lcrag --help"),
    ],
)
def test_wrong_usage_exits_with_2_and_the_line_to_type(lcrag: Lcrag, args: list[str], line: str) -> None:
    plain, with_json = lcrag(*args), lcrag(*args, "--json") if args else lcrag("--json")
    assert (plain.code, plain.out) == (2, "")
    assert plain.err.endswith(f"  {line}\n")
    assert with_json.code == with_json.json["code"] == 2
    assert with_json.json["schema"] == "lcrag.error/1"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["plan", "docs", "who?", "--only"], "lcrag: Option '--only' requires an argument.\n  lcrag plan --help\n"),
        (["-q", "index", "docs", "--ray"], "lcrag: Option '--ray' requires an argument.\n  lcrag index --help\n"),
        (
            ["index", "docs", "--layers", "chapter"],
            "lcrag: Invalid value for '--layers': 'chapter' is not one of 'section'.\n  lcrag index --help\n",
        ),
    ],
)
def test_wrong_values_of_options_are_phrased(lcrag: Lcrag, args: list[str], said: str) -> None:
    result = lcrag(*args)
    assert (result.code, result.out, result.err) == (2, "", said)


def test_ask_takes_an_option_after_two_dashes_for_the_question(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "--", "--json")
    assert result.out.startswith(KEEPER)
    assert lcrag.asked[0][0] == "--json"


def test_ask_passes_options_on(lcrag: Lcrag) -> None:
    Path("more").mkdir()
    lcrag(
        *"ask docs more who? --backend server --base-url http://x/v1 --model m --index here --dense off".split(),
        *"--embedder e --pipeline chunk_rag --prefer speed --max-tokens 9000 --max-seconds 1.5".split(),
        *"--min-quality 0.05 --reader off --no-escalate --seed 3 --temperature 0.5 --no-log".split(),
    )
    assert lcrag.settings == [
        Settings(
            paths=("docs", "more"),
            index="here",
            dense="off",
            embedder="e",
            reader="off",
            backend="server",
            base_url="http://x/v1",
            model="m",
            temperature=0.5,
            seed=3,
        )
    ]
    assert lcrag.asked == [("who?", Policy("speed", 9000, 1.5, 0.05, "chunk_rag"), False)]


def test_ask_without_options_takes_the_defaults(lcrag: Lcrag) -> None:
    lcrag("ask", "docs", "who?")
    assert lcrag.settings == [Settings(("docs",), dense="off", reader="off", log=True)]
    assert lcrag.asked == [("who?", Policy(), None)]


@pytest.mark.parametrize("before", [["--backend", "embedded"], ["--backend=embedded", "-q"], ["--index", "ask", "-v"]])
def test_shared_options_may_come_before_the_command(lcrag: Lcrag, before: list[str]) -> None:
    result = lcrag(*before, "ask", "docs", "who?")
    assert result.code == 0
    [settings] = lcrag.settings
    assert "--index" not in before or settings.index == "ask"
    assert "--index" in before or settings.backend == "embedded"


def test_the_last_of_two_values_counts(lcrag: Lcrag) -> None:
    lcrag("--backend", "server", "ask", "docs", "who?", "--backend", "embedded")
    assert lcrag.settings[0].backend == "embedded"


def test_ask_quiet_and_verbose(lcrag: Lcrag) -> None:
    assert lcrag("ask", "docs", "who?", "-q").err == ""
    assert lcrag("ask", "docs", "nowhere", "-q").err == ""
    assert lcrag("ask", "docs", "budget", "-q").err != ""
    loud = lcrag("ask", "docs", "who?", "-v").err
    assert "2 skipped" in loud
    plan = lcrag("ask", "docs", "who?", "--json").json["plan"]
    assert f"plan: {plan['reason']}" in loud
    assert "verbose = 1  (command line)" in loud
    assert "skipped" not in lcrag("ask", "docs", "who?").err


def test_ask_explain_prints_the_plan_on_standard_error(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "who?", "--explain")
    assert "P(correct)" in result.err
    plan = lcrag("ask", "docs", "who?", "--json").json["plan"]
    assert plan["counterfactuals"][0] in result.err
    assert result.out == lcrag("ask", "docs", "who?").out


def test_ask_keeps_control_characters_from_the_terminal(lcrag: Lcrag) -> None:
    plain, with_json = lcrag("ask", "docs", "evil", "--explain"), lcrag("ask", "docs", "evil", "--json")
    for character in "\x1b\x07\u202e\u202c\x9b":
        assert character not in plain.out + plain.err
    assert plain.out.count("red [31malert right to left2J") == 2  # the file's name is shown with escapes
    assert EVIL in with_json.json["answer"]
    assert with_json.json["citations"][0]["source"].startswith("docs/red ")


def test_ask_streams_no_control_characters(lcrag: Lcrag) -> None:
    streamed, whole = (lcrag("ask", "docs", "evil", flag).out for flag in ("--stream", "--no-stream"))
    assert streamed == whole


def test_ask_cuts_a_long_quote_in_text_only(lcrag: Lcrag) -> None:
    assert max(map(len, lcrag("ask", "docs", "long").out.split("\n\n")[1].splitlines())) < 250
    assert len(lcrag("ask", "docs", "long", "--json").json["citations"][0]["quote"]) > 500


def test_ask_json_is_one_line_for_every_reader(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "who?", "--json")
    assert len(result.out.splitlines()) == 1
    assert "\u2028" in result.json["citations"][0]["quote"]


def test_ask_reads_a_document_from_standard_input(lcrag: Lcrag) -> None:
    lcrag("ask", "-", "docs", "who?", stdin="Grüße\n".encode())
    lcrag("ask", "-", "who?", stdin="Viele Grüße aus der Stadt\n".encode("cp1252"))
    assert lcrag.settings[0].paths == ("-", "docs")
    assert [settings.stdin_text for settings in lcrag.settings] == ["Grüße\n", "Viele Grüße aus der Stadt\n"]


def test_ask_refuses_a_pdf_on_standard_input(lcrag: Lcrag) -> None:
    result = lcrag("ask", "-", "who?", stdin=b"%PDF-1.7\n...")
    assert result.code == 2
    assert "standard input is not text" in result.err


def test_ask_reads_the_question_from_standard_input(lcrag: Lcrag) -> None:
    assert lcrag("ask", "docs", "-", stdin=b"who was it?\n").code == 0
    assert lcrag.asked[0][0] == "who was it?"
    assert lcrag.settings[0].stdin_text is None


def test_ask_warns_if_the_question_is_a_file(lcrag: Lcrag) -> None:
    Path("a.md").touch()
    assert "the last word is the question: a.md" in lcrag("ask", "docs", "a.md").err
    assert "the last word" not in lcrag("ask", "docs", "who?").err


def test_ask_ndjson_has_the_events_in_order(lcrag: Lcrag) -> None:
    events = lcrag("ask", "docs", "stream", "--ndjson").lines
    kinds = [event["event"] for event in events]
    assert list(dict.fromkeys(kinds)) == "index estimate plan retrieve token citation usage answer".split()
    assert kinds.count("plan") == kinds.count("usage") == kinds.count("answer") == 1
    assert all(list(event)[:2] == ["event", "t"] for event in events)
    assert [event["t"] for event in events] == sorted(event["t"] for event in events)
    assert "".join(event["text"] for event in events if event["event"] == "token") == f"{KEEPER} [1]."
    by_kind = {event["event"]: event for event in events}
    assert by_kind["plan"]["schema"] == "lcrag.plan/1"
    assert by_kind["usage"]["input_tokens"] == by_kind["answer"]["usage"]["input_tokens"] > 0
    assert by_kind["answer"]["schema"] == "lcrag.answer/1"
    assert by_kind["answer"]["citations"][0]["marker"] == 1


def test_ask_ndjson_ends_with_the_answer(lcrag: Lcrag) -> None:
    kinds = [event["event"] for event in lcrag("ask", "docs", "who?", "--ndjson", "--no-stream").lines]
    assert kinds[-1] == "answer"
    assert "token" not in kinds


def test_ask_ndjson_has_errors_as_events(lcrag: Lcrag) -> None:
    last = lcrag("ask", "docs", "backend", "--ndjson").lines[-1]
    assert (last["event"], last["schema"], last["code"]) == ("error", "lcrag.error/1", 5)
    usage = lcrag("ask", "docs", "who?", "--ndjson", "--such").json
    assert (usage["event"], usage["code"]) == ("error", 2)


def test_ask_stream_prints_the_same_text(lcrag: Lcrag) -> None:
    streamed, whole = (lcrag("ask", "docs", "stream", flag).out for flag in ("--stream", "--no-stream"))
    assert streamed == whole == f"{KEEPER} [1].\n\n[1] docs/a.md:3  “{KEEPER}”\n"


def test_ask_stream_prints_a_corrected_answer_again(lcrag: Lcrag) -> None:
    out = lcrag("ask", "docs", "restream", "--stream").out
    assert out.startswith(f"The keeper was Berta [9].\n\n{KEEPER} [1].\n\n[1]")


def test_ask_stream_separates_the_answers_of_two_routes(lcrag: Lcrag, backend: QuestionBackend) -> None:
    replies = iter(["Dragons lived in Zanzibar [1].", f"{KEEPER} [1]."])
    backend.script(lambda task: next(replies))
    out = lcrag("ask", "docs", "stream", "--stream", "--pipeline", "chunk_rag", "--escalate", "--no-sources").out
    assert out == f"Dragons lived in Zanzibar [1].\n\n{KEEPER} [1].\n"


@pytest.mark.parametrize("option", [["--trace"], ["--shadow", "1"], ["--trace", "--shadow", "1"]])
def test_ask_trace_and_shadow_print_the_answer_once(lcrag: Lcrag, backend: QuestionBackend, option: list[str]) -> None:
    whole = lcrag("ask", "docs", "stream").out
    backend.tasks.clear()
    assert lcrag("ask", "docs", "stream", "--stream", *option).out == whole
    assert len(backend.tasks) > 1
    plain, events = lcrag("ask", "docs", "stream", "--ndjson"), lcrag("ask", "docs", "stream", "--ndjson", *option)
    kinds = [[event["event"] for event in result.lines] for result in (plain, events)]
    assert [kind for kind in kinds[1] if kind != "shadow"] == kinds[0]
    assert "".join(event["text"] for event in events.lines if event["event"] == "token") == f"{KEEPER} [1]."


def test_ask_trace_prints_the_passages_that_the_answer_depends_on(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "who?", "--trace")
    assert "* docs/a.md:1, characters 0 to " in result.err
    trace = lcrag("ask", "docs", "who?", "--trace", "--json").json["trace"]
    assert (trace["read"], trace["considered"], trace["reproduced"]) == (1, 1, True)
    assert [(passage["needed"], passage["minimal"]) for passage in trace["passages"]] == [(True, True)]
    assert f"{trace['usage']['calls']:,} calls, {trace['usage']['input_tokens']:,} tokens" in result.err


def test_ask_marks_unsupported_statements(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "unsure")
    assert result.out.startswith(f"{KEEPER} [1]. Dragons lived under the harbour of Zanzibar. [unsupported]\n")
    assert "citation markers without a source, left out: 1\n" in result.err
    answer = lcrag("ask", "docs", "unsure", "--json").json
    assert answer["answer"] == f"{KEEPER} [1]. Dragons lived under the harbour of Zanzibar."
    assert [(one["text"], one["supported"], one["citations"]) for one in answer["statements"]] == [
        (KEEPER, True, [1]),
        ("Dragons lived under the harbour of Zanzibar.", False, []),
    ]
    assert answer["dropped_markers"] == 1


def test_help_and_version_are_printed(lcrag: Lcrag) -> None:
    assert lcrag("--version").out.startswith("lcrag 0.")
    for command in ("ask", "plan", "compare", "index"):
        assert command in lcrag("--help").out
        for flag in ("--help", "-h"):
            result = lcrag(command, flag)
            assert result.code == 0
            assert f"Example: lcrag {command} docs/" in result.out


def test_ask_takes_a_question_in_any_encoding(lcrag: Lcrag) -> None:
    lcrag("ask", "docs", "wér?", "--json")
    assert "wér?" in lcrag("ask", "docs", "wér?", "--json").out
    assert lcrag("ask", "docs", "\udcff?", "--json").json["question"] == "\N{REPLACEMENT CHARACTER}?"


def test_output_links_only_in_terminals_that_open_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from lcrag.cli.output import LINKING, Output

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for name in (*LINKING, "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert not Output("plain").links(Terminal())
    monkeypatch.setenv("VTE_VERSION", "7600")
    assert Output("plain").links(Terminal())
    assert not Output("plain").links(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not Output("plain").links(Terminal())


def test_ask_reads_only_the_files_that_are_chosen(lcrag: Lcrag) -> None:
    """The index keeps the others."""
    every = json.loads(lcrag("ask", "docs", "who?", "--json").out)["index"]["documents"]
    chosen = json.loads(lcrag("ask", "docs", "who?", "--only", "b.*", "--only", "docs/a.md", "--json").out)
    assert chosen["index"]["documents"] == 2 < every
    result = lcrag("ask", "docs", "who?", "--only", "a.md", "--since", "2999-01-01")
    assert result.code == 2
    assert f"none of the {every} documents is chosen by --only 'a.md' --since 2999-01-01" in result.err
    assert json.loads(lcrag("ask", "docs", "who?", "--json").out)["index"]["documents"] == every


def test_ask_refuses_what_is_no_date(lcrag: Lcrag) -> None:
    result = lcrag("ask", "docs", "who?", "--since", "yesterday")
    assert result.code == 2
    assert "--since 2024-01-31" in result.err
