"""A Milvus: what is asked of it, and the two kinds of collections that an index has there."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

from lcrag.errors import NotInstalled, NotRunning

TOKEN: Final = "LCRAG_MILVUS_TOKEN"
"""In the environment: the user's token, or user:password."""
MOST_WORDS: Final = 65_535
"""Characters of a VARCHAR at most; a chunk has some 128 tokens, and more only where it cannot be split."""


class Milvus:
    """The Milvus at ``uri``: http://HOST:19530, or a file of Milvus Lite.

    Raises NotInstalled without pymilvus, NotRunning when it does not answer.
    """

    def __init__(self, uri: str) -> None:
        try:
            from pymilvus import MilvusClient
        except ImportError as error:
            raise NotInstalled(f"pymilvus cannot be imported: {error}", hint='pip install "lcrag[milvus]"') from error
        self._uri = uri
        self._loaded: set[str] = set()
        self._client = self._translated(MilvusClient, uri, token=os.environ.get(TOKEN, ""))

    def ask(self, method: str, *values: Any, **named: Any) -> Any:
        """What this method of pymilvus' client returns. Raises NotRunning when it fails."""
        return self._translated(getattr(self._client, method), *values, **named)

    def read(self, method: str, name: str, **named: Any) -> Any:
        """The same of a collection that is read: it must be loaded first, which a restarted server has forgotten."""
        if name not in self._loaded:
            self.ask("load_collection", name)
            self._loaded.add(name)
        return self.ask(method, name, **named)

    @cached_property
    def is_lite(self) -> bool:
        return "lite" in str(self.ask("get_server_version"))

    def rows(self, name: str, where: str = "") -> int:
        """How many rows of a collection match a filter."""
        return int(self.read("query", name, filter=where, output_fields=["count(*)"])[0]["count(*)"])

    def _translated(self, call: Callable[..., Any], *values: Any, **named: Any) -> Any:
        from pymilvus.exceptions import MilvusException

        try:
            return call(*values, **named)
        except MilvusException as error:
            raise NotRunning(
                f"Milvus at {self._uri} failed: {error.message}",
                hint="is it running? A file of Milvus Lite is for one process at a time; for more:"
                " milvus-lite server --data-dir FILE",
            ) from error

    def create_words(self, name: str) -> None:
        """Chunks by id, with their words for BM25."""
        from pymilvus import DataType, Function, FunctionType

        schema = self._client.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field(
            "words",
            DataType.VARCHAR,
            max_length=MOST_WORDS,
            enable_analyzer=True,
            enable_match=True,
            analyzer_params={"tokenizer": "standard"},
        )
        schema.add_field("sparse", DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(
            Function(
                name="bm25",
                function_type=FunctionType.BM25,
                input_field_names=["words"],
                output_field_names=["sparse"],
            )
        )
        index = self._client.prepare_index_params()
        index.add_index(
            "sparse",
            index_type="SPARSE_INVERTED_INDEX",
            metric_type="BM25",
            params={"bm25_k1": 1.2, "bm25_b": 0.75},  # those of FTS5
        )
        self._create(name, schema, index)

    def create_vectors(self, name: str, dimensions: int) -> None:
        """Vectors by content."""
        from pymilvus import DataType

        schema = self._client.create_schema(auto_id=False)
        schema.add_field("content", DataType.VARCHAR, is_primary=True, max_length=64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimensions)
        index = self._client.prepare_index_params()
        index.add_index("vector", index_type="HNSW", metric_type="IP", params={"M": 16, "efConstruction": 200})
        self._create(name, schema, index)

    def _create(self, name: str, schema: Any, index: Any) -> None:
        self.ask("create_collection", name, schema=schema, index_params=index, consistency_level="Strong")
