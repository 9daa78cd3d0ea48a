"""The Model Context Protocol: ``ask``, ``plan``, ``search`` and ``show`` as tools of an assistant."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Any, Final, TypeVar

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

import lcrag
from lcrag import queries
from lcrag.errors import LcragError
from lcrag.types import Policy
from lcrag.web.fields import MaxTokens, Only, Prefer, Question, Route, Since
from lcrag.web.pool import Pool

T = TypeVar("T")

INSTRUCTIONS: Final = """\
Answers from the user's own documents. ask gives an answer whose citations are exact quotes with file and line or page;
search gives passages to read yourself; show gives a cited passage with the lines around it; plan tells, without calling
a model, how ask would read and at what cost."""
READS: Final = ToolAnnotations(read_only_hint=True, open_world_hint=False)

Limit = Annotated[int, Field(ge=1, le=queries.MOST_HITS, description="So many passages at most.")]
Place = Annotated[str, Field(description="FILE:LINE, FILE:pPAGE, FILE:START-END (characters), or FILE, as cited.")]
Quote = Annotated[str | None, Field(description="Words to find there, as the file has them.")]


def tools(pool: Pool, policy: Policy) -> MCPServer[Any]:
    """A server of these tools; ``policy``: where a question says nothing else. ``pool`` has been started."""
    server: MCPServer[Any] = MCPServer(
        "lcrag", version=lcrag.__version__, instructions=INSTRUCTIONS, log_level="WARNING"
    )

    @server.tool(title="Ask the documents", annotations=READS)
    async def ask(
        question: Question,
        pipeline: Route = None,
        prefer: Prefer = None,
        max_tokens: MaxTokens = None,
        only: Only = None,
        since: Since = None,
    ) -> CallToolResult:
        """Answer a question from the documents, with citations."""
        own = queries.policy_with(policy, {"pipeline": pipeline, "prefer": prefer, "max_tokens": max_tokens})
        answer, value = await _phrased(
            pool.run(lambda session: queries.ask(queries.choose(session, only, since), question, own))
        )
        text = TextContent(type="text", text=queries.answer_text(answer))
        return CallToolResult(content=[text], structured_content=value)

    @server.tool(title="Plan a question", annotations=READS)
    async def plan(
        question: Question,
        pipeline: Route = None,
        prefer: Prefer = None,
        max_tokens: MaxTokens = None,
        only: Only = None,
        since: Since = None,
    ) -> dict[str, Any]:
        """Every way to answer, with tokens, seconds and P(correct), and the one that ask would take."""
        own = queries.policy_with(policy, {"pipeline": pipeline, "prefer": prefer, "max_tokens": max_tokens})
        return await _phrased(
            pool.run(lambda session: queries.plan(queries.choose(session, only, since), question, own))
        )

    @server.tool(title="Search the documents", annotations=READS)
    async def search(question: Question, limit: Limit = 10, only: Only = None, since: Since = None) -> dict[str, Any]:
        """The passages that match best, with file, line or page, and score."""
        return await _phrased(
            pool.run(lambda session: queries.search(queries.choose(session, only, since), question, limit))
        )

    @server.tool(title="Show a passage", annotations=READS)
    async def show(place: Place, quote: Quote = None) -> dict[str, Any]:
        """The passage that a citation names, with the lines around it."""
        return await _phrased(pool.run(lambda session: queries.show(session, place, quote)))

    return server


async def _phrased(result: Awaitable[T]) -> T:
    """An error of lcrag as the assistant reads it, the hint included."""
    try:
        return await result
    except LcragError as error:
        raise ToolError(f"{error}: {error.hint}" if error.hint else str(error)) from error
