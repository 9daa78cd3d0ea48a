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
    "agentwrite": Recipe(
        "report:mode=chained",
        "AgentWrite, LongWriter: Unleashing 10,000+ Word Generation (Bai et al. 2024, arXiv 2408.07055)",
        "plans a report, then writes its sections one after the other, each with the end of what is written",
    ),
    "alr2": Recipe(
        "full_context:select=quotes",
        "ALR² (arXiv 2410.03227)",
        "copies the sentences that matter, checks that they are there, answers from them",
    ),
    "booookscore_merge": Recipe(
        "summarise:mode=merge,chained=on",
        "BooookScore (Chang et al. 2024, arXiv 2310.00785)",
        "sums up pieces, then their summaries, level by level, each seeing the end of the one before it",
    ),
    "booookscore_refine": Recipe(
        "summarise:mode=refine",
        "BooookScore (Chang et al. 2024, arXiv 2310.00785)",
        "adds to one summary, piece by piece",
    ),
    "cfic": Recipe(
        "scan:by=quotes,window=32000",
        "CFIC, Grounding Language Model with Chunking-Free In-Context Retrieval (arXiv 2402.09760)",
        "copies the sentences that matter out of everything, checks that they are there, answers from them",
    ),
    "comorag": Recipe(
        "iterate:probes=3,cycles=5,memory=notes",
        "ComoRAG (arXiv 2508.10419)",
        "searches for what the passages name until they suffice, and keeps notes of what it read; without its layers",
    ),
    "context_picker": Recipe(
        "chunk_rag:tokens=8000,select=passages,rounds=2",
        "Context-Picker (arXiv 2512.14465)",
        "picks passages, then those that are needed, answers from these; a window below 12,000 needs :tokens=5000",
    ),
    "crag_clustered": Recipe(
        "summarise:by=clusters,over=hits",
        "CRAG, Clustered Retrieved Augmented Generation (Akesson and Santos 2024, arXiv 2406.00029)",
        "sums up the best chunks that are alike together, then these summaries",
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
    "extagents": Recipe(
        "chain_of_agents:mode=rounds,worker_tokens=8000",
        "ExtAgents, Scaling External Knowledge Input Beyond Context Windows of LLMs (arXiv 2505.21471)",
        "workers note down what matters and read again, with the notes of all, where that is not enough",
    ),
    "longcite": Recipe(
        "full_context:cite=after",
        "LongCite (Zhang et al. 2024, arXiv 2409.02897)",
        "answers, then looks for the sources of what has none",
    ),
    "enterprise": Recipe(
        "summarise:by=documents",
        "Leveraging Long-Context LLMs in Enterprise Applications (Godbole et al. 2024, arXiv 2409.18454)",
        "sums up each document, then says what they share and where they differ",
    ),
    "l2mac": Recipe(
        "report:mode=program",
        "L2MAC, Large Language Model Automatic Computer (Holt et al. 2023, arXiv 2310.02003)",
        "as agentwrite, with a list of the names and numbers used so far; without its tools",
    ),
    "infiniretri": Recipe(
        "scan:by=attention,window=1024,keep=1000",
        "InfiniRetri, Infinite Retrieval: Attention Enhanced LLMs in Long-Context Processing (arXiv 2502.12962)",
        "carries the sentences that the question attends to most from window to window; the hf backend alone can tell",
    ),
    "lamsum": Recipe(
        "summarise:mode=extract",
        "LaMSUM (Chhikara et al. 2024, arXiv 2406.15809)",
        "lets the model vote for the sentences of the documents that sum them up, in several orders",
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
    "rr": Recipe(
        "iterate:cycles=0",
        "Answering Unseen Questions With Smaller Language Models (Hartill et al. 2023, arXiv 2308.04711)",
        "what an answer would need is searched for as well, before the first try; no rationale is taken as evidence",
    ),
    "self_route": Recipe(
        "escalate:tokens=2000,steps=1",
        "Self-Route (Li et al. 2024, arXiv 2407.16833)",
        "the best chunks, then everything where the model says that they do not hold the answer",
    ),
    "summary_rag": Recipe(
        "chunk_rag:layer=section",
        "Long Context vs. RAG for LLMs: An Evaluation and Revisits (Li et al. 2025, arXiv 2501.01880)",
        "finds sections by their summaries too, and reads the text under them; after lcrag index --layers section",
    ),
    "xl3m": Recipe(
        "scan:by=certainty",
        "XL3M (Wang et al. 2024, arXiv 2405.17755)",
        "asks every window and looks at the first token of the reply alone, answers from the windows that seem to know",
    ),
}
