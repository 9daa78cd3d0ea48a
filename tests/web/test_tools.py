"""The tools of ``lcrag serve --mcp``, called over stdio by the official SDK's own client."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from support.scripted import KEEPER, write_documents

from lcrag.web.app import Asked

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def connect(tmp_path: Path) -> Callable[[Callable[[Client], Awaitable[None]]], None]:
    """Start the command in a folder with documents, and give its client to a function."""
    write_documents(tmp_path / "docs")
    settings = {
        "PYTHONPATH": str(ROOT),
        "LCRAG_CACHE_DIR": str(tmp_path / "cache"),
        "LCRAG_BACKEND": "embedded",
        "LCRAG_DENSE": "off",
        "LCRAG_READER": "off",
    }
    command = ["-W", "error", str(ROOT / "tests/support/scripted.py"), "serve", "--mcp", "docs"]
    parameters = StdioServerParameters(command=sys.executable, args=command, env=os.environ | settings, cwd=tmp_path)

    @asynccontextmanager
    async def client() -> AsyncIterator[Client]:
        with (tmp_path / "stderr").open("w") as errors:
            async with Client(stdio_client(parameters, errlog=errors)) as connected:
                yield connected

    def run(use: Callable[[Client], Awaitable[None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(60), client() as connected:
                await use(connected)

        asyncio.run(main())

    return run


def text_of(result: Any) -> str:
    [content] = result.content
    return str(content.text)


def test_tools_answer_the_sdks_client(connect: Callable[[Callable[[Client], Awaitable[None]]], None]) -> None:
    async def use(client: Client) -> None:
        listed = (await client.list_tools()).tools
        assert [tool.name for tool in listed] == ["ask", "plan", "search", "show"]
        assert all(tool.description for tool in listed)
        fields = Asked.model_json_schema()["properties"]
        for name, field in listed[0].input_schema["properties"].items():
            assert field["description"] == fields[name]["description"], "HTTP says the same"

        asked = await client.call_tool("ask", {"question": "who?", "pipeline": "chunk_rag"})
        assert not asked.is_error
        assert text_of(asked).startswith(f"{KEEPER} [1].\n\n[1] docs/a.md:3")
        value = asked.structured_content
        assert value is not None
        assert value["schema"] == "lcrag.answer/1"
        [citation] = value["citations"]

        shown = await client.call_tool("show", {"place": f"{citation['source']}:{citation['line']}"})
        assert shown.structured_content is not None
        assert shown.structured_content["quote"].startswith("The keeper of the light was")

        planned = await client.call_tool("plan", {"question": "who?", "max_tokens": 100_000})
        assert planned.structured_content is not None
        assert planned.structured_content["schema"] == "lcrag.plan/1"

        found = await client.call_tool("search", {"question": "light", "limit": 1})
        assert found.structured_content is not None
        assert len(found.structured_content["hits"]) == 1

        chosen = await client.call_tool("search", {"question": "light", "only": ["b.md"], "since": "2000-01-01"})
        assert chosen.structured_content is not None
        assert {Path(hit["source"]).name for hit in chosen.structured_content["hits"]} == {"b.md"}

    connect(use)


def test_tools_say_what_is_wrong(connect: Callable[[Callable[[Client], Awaitable[None]]], None]) -> None:
    async def use(client: Client) -> None:
        for name, arguments, message in (
            ("ask", {"question": "who?", "pipeline": "nix"}, "no pipeline 'nix'"),
            ("ask", {"question": " "}, "the question is empty"),
            ("ask", {"question": "backend"}, "the backend failed three times: lcrag doctor"),
            ("show", {"place": "/etc/passwd"}, "no such file: /etc/passwd"),
            ("search", {"question": "who?", "limit": 0}, "limit"),
        ):
            result = await client.call_tool(name, arguments)
            assert result.is_error, name
            assert message in text_of(result)
        nothing = await client.call_tool("ask", {"question": "nowhere"})
        assert not nothing.is_error
        assert text_of(nothing).startswith("Not in ")

    connect(use)
