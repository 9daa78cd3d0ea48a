"""Systems of the literature as a pipeline with options: by name wherever a pipeline's name is taken.

The router does not offer them: what is not measured better here is there to be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Recipe:
    """``route``: a pipeline with its options, as ``--pipeline`` takes it. ``about``: what it does, in a line."""

    route: str
    paper: str
    about: str


RECIPES: Final[dict[str, Recipe]] = {
    "adaptive_rag": Recipe(
        "ask_first:by=question",
        "Adaptive-RAG (Jeong et al. 2024, arXiv 2403.14403)",
        "chooses how much to read by how complex the question is, seeing nothing else",
    ),
    "alr2": Recipe(
        "full_context:select=quotes",
        "ALR² (arXiv 2410.03227)",
        "copies the sentences that matter, checks that they are there, answers from them",
    ),
    "cfic": Recipe(
        "chunk_rag:select=sentences",
        "CFIC, Grounding Language Model with Chunking-Free In-Context Retrieval (arXiv 2402.09760)",
        "names the first words of the sentences that matter, answers from them; of the best chunks, not of everything",
    ),
    "context_picker": Recipe(
        "chunk_rag:tokens=8000,select=passages,rounds=2",
        "Context-Picker (arXiv 2512.14465)",
        "picks passages, then those of them that are needed, answers from these",
    ),
    "doubledipper": Recipe(
        "chunk_rag:shots=3",
        "DoubleDipper, Can Few-shot Work in Long-Context? (arXiv 2406.13632)",
        "writes questions with answers on three passages, as examples before the question",
    ),
    "ecorag": Recipe(
        "compression:sufficient=on",
        "ECoRAG (arXiv 2506.05167)",
        "takes the best sentences until they are judged to suffice",
    ),
    "hiddentables": Recipe(
        "table:values=off",
        "HiddenTables (Watson et al. 2024, arXiv 2406.10803)",
        "writes a program over the names of columns alone, and runs it on tables that no model sees",
    ),
    "paraphrase": Recipe(
        "full_context:select=repeat",
        "Paraphrasing The Original Text Makes High Accuracy Long-Context QA (arXiv 2312.11193)",
        "repeats the sentences that matter, then answers, in one reply",
    ),
    "pre_route": Recipe(
        "ask_first:by=documents",
        "Pre-Route, Route Before Retrieve (Chen et al. 2026, arXiv 2605.10235)",
        "chooses between the best chunks and everything, seeing the question, and names, lengths and first lines",
    ),
    "self_route": Recipe(
        "escalate:tokens=2000,steps=1",
        "Self-Route (Li et al. 2024, arXiv 2407.16833)",
        "the best chunks, then everything where the model says that they do not hold the answer",
    ),
}
