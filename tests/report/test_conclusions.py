"""The sentences of a comparison: what to use, how sure that is, and no more than the tests allow."""

from __future__ import annotations

import random

from support.results import analysed, many, question, refused, rows

from lcrag.report.conclusions import conclusions, remarks

NAMES = ("chunk_rag", "full_context", "router")


def sentences(answers: list[dict[str, str]]) -> list[str]:
    """The conclusions on questions whose right answer is Ann."""
    questions = [question(str(place), "Ann") for place in range(len(answers))]
    return conclusions(analysed(questions, rows({str(place): one for place, one in enumerate(answers)})))


def told(right: dict[str, int], n: int) -> list[str]:
    """The conclusions where each route is right on the first so many of ``n`` questions."""
    return sentences([{name: "Ann" if place < right[name] else "Ben" for name in NAMES} for place in range(n)])


def test_conclusions_name_the_route_to_use_and_how_sure_that_is() -> None:
    text = told({"chunk_rag": 10, "full_context": 30, "router": 28}, 40)[0]
    assert text.startswith(
        "Use full_context (--pipeline full_context): right on 30 of 40 questions (95% 23.9 to 34.3)."
    )
    assert "in 100% of the draws" in text
    assert text.endswith("its lead over chunk_rag is more than chance; its lead over router may be chance.")


def test_conclusions_say_what_always_taking_a_route_would_have_given() -> None:
    text = told({"chunk_rag": 10, "full_context": 30, "router": 28}, 40)[1]
    assert text.startswith("Always taking full_context would have been better than the router by 2 right answers, and")
    assert "reads 9.00 times as many tokens. It is better on 2 questions and worse on 0, which may be chance" in text
    assert "exact McNemar, p 0.500" in text


def test_conclusions_say_more_than_chance_only_after_the_correction() -> None:
    text = told({"chunk_rag": 0, "full_context": 30, "router": 22}, 40)[1]
    assert "p 0.008, after Holm's correction 0.008" in text
    assert "which is more than chance" in text
    text = told({"chunk_rag": 0, "full_context": 6, "router": 0}, 40)[1]
    assert "p 0.031, after Holm's correction 0.094" in text
    assert "which may be chance" in text


def test_conclusions_let_the_router_choose_where_it_is_best() -> None:
    first, second, *_ = told({"chunk_rag": 10, "full_context": 20, "router": 24}, 30)
    assert first.startswith("Let the router choose (no --pipeline): right on 24 of 30 questions")
    assert second.startswith(
        "No constant route is better than the router: always taking full_context, the best, loses 4 "
    )


def test_conclusions_name_equal_routes_and_cheaper_ones() -> None:
    text = told({"chunk_rag": 28, "full_context": 30, "router": 30}, 40)
    assert "as good, but no cheaper: full_context; its lead over chunk_rag may be chance" in text[0]
    assert text[1].startswith("Always taking full_context, the best constant route, gives as much as the router")
    text = told({"chunk_rag": 28, "full_context": 30, "router": 10}, 40)
    assert "Cheaper and not shown to be worse: chunk_rag, which reads 0.11 times as many tokens" in text[2]
    assert "gives 2 right answers less" in text[2]


def test_conclusions_recommend_nothing_where_nothing_is_right() -> None:
    assert told(dict.fromkeys(NAMES, 0), 12)[0] == "No route is right on any of the 12 questions."


def test_conclusions_count_partly_right_answers_in_part() -> None:
    questions = [question(str(place), "Ann, Ben and Cid") for place in range(12)]
    stored = rows({one.id: {"chunk_rag": "Ann", "full_context": "Ann and Ben", "router": "Ann"} for one in questions})
    stored["0", "full_context"]["answer"] = "Zoe"
    text = conclusions(analysed(questions, stored))[0]
    assert "7.3 right answers to 12 questions, partly right ones counted in part" in text


def test_conclusions_call_few_differences_of_equal_routes_more_than_chance() -> None:
    draw = random.Random(5)
    false = 0
    for _ in range(20):
        answers = [{name: draw.choice(("Ann", "Ben")) for name in NAMES} for _ in range(30)]
        false += any("is more than chance" in text for text in sentences(answers))
    assert false <= 3


def test_conclusions_list_the_pairs_that_differ() -> None:
    text = told({"chunk_rag": 0, "full_context": 40, "router": 40}, 40)[-1]
    assert text.startswith("Of 3 pairs of routes 2 differ by more than chance (Holm's correction): ")
    assert "full_context over chunk_rag by 1.000 (p < 0.001)" in text
    assert "none differs" in told(dict.fromkeys(NAMES, 5), 10)[-1]


def test_remarks_name_what_was_not_compared() -> None:
    questions, stored = many()
    extra = question("x")
    stored |= rows({"x": dict.fromkeys(NAMES, "Ann")})
    stored |= {(one.id, "compression"): refused(one.id, "compression") for one in [*questions, extra]}
    value = analysed([*questions, extra], stored, ("chunk_rag", "full_context", "compression"))
    assert remarks(value) == [
        "Left out, because no question here could use them: compression.",
        "1 question without a gold answer, not scored.",
    ]
    assert conclusions(value)[-2:] == remarks(value)
