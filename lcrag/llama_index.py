"""lcrag where llama-index expects a query engine or a retriever.

    import lcrag
    from lcrag.llama_index import LcragQueryEngine

    docs = lcrag.open(documents=SimpleDirectoryReader("docs").load_data())
    print(LcragQueryEngine(docs).query("Who signed the contract?"))

Like the session, each belongs to one thread.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, Unpack

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.response.schema import Response
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from lcrag import queries
from lcrag.session import Session
from lcrag.types import Policy, PolicyOptions

__all__ = ["LcragQueryEngine", "LcragRetriever"]


class LcragRetriever(BaseRetriever):
    """The chunks that match best, as nodes with scores.

    ``limit``: at most so many. Metadata of a node: ``file_path``, ``file_name``, ``start`` and ``end`` (characters),
    ``line`` or ``page`` or ``part`` where the file has them, ``context`` (the headings above).
    """

    def __init__(self, session: Session, limit: int = 10, **more: Any) -> None:
        super().__init__(**more)
        self._session = session
        self._limit = limit

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = queries.search(self._session, query_bundle.query_str, self._limit)["hits"]
        return [_node(hit, hit["text"], hit["score"]) for hit in hits]


class LcragQueryEngine(BaseQueryEngine):
    """Answers by the route that lcrag chooses. ``options``: fields of the policy by name (``prefer``, ``pipeline`` …).

    The response's text has its markers and no list of sources; its source nodes are the quotes that it cites, in the
    order of their markers; its metadata is ``lcrag.answer/1``.
    """

    def __init__(self, session: Session, callback_manager: Any = None, **options: Unpack[PolicyOptions]) -> None:
        super().__init__(callback_manager)
        self._session = session
        self._policy = Policy(**options)

    def _query(self, query_bundle: QueryBundle) -> Response:
        answer, value = queries.ask(self._session, query_bundle.query_str, self._policy)
        nodes = [_node(citation, citation["quote"]) for citation in value["citations"]]
        return Response(queries.said(answer), source_nodes=nodes, metadata=value)

    async def _aquery(self, query_bundle: QueryBundle) -> Response:
        return self._query(query_bundle)

    def _get_prompt_modules(self) -> dict[str, Any]:
        return {}


def _node(place: dict[str, Any], text: str, score: float | None = None) -> NodeWithScore:
    """The text at a place of a document as a node; what the place does not have is left out of the metadata."""
    source, start, end = place["source"], place["start"], place["end"]
    metadata = {"file_path": source, "file_name": PurePath(source).name} | {
        key: place[key]
        for key in ("start", "end", "line", "page", "part", "context")
        if place.get(key) not in (None, "")
    }
    node = TextNode(
        id_=f"{source}:{start}-{end}",
        text=text,
        metadata=metadata,
        start_char_idx=start,
        end_char_idx=end,
        excluded_embed_metadata_keys=list(metadata),
    )
    return NodeWithScore(node=node, score=score)
