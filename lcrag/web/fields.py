"""What a question may say besides itself, in the words that HTTP's and the tools' descriptions share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

Question = Annotated[str, Field(description="In any words. Example: Who signed the contract?")]
Route = Annotated[str | None, Field(description="Take this route or recipe. Example: chunk_rag:tokens=4000")]
Prefer = Annotated[
    Literal["quality", "balanced", "speed"] | None, Field(description="What to favour when routes differ.")
]
MaxTokens = Annotated[int | None, Field(gt=0, description="Read at most so many tokens.")]
Only = Annotated[
    list[str] | None,
    Field(description='Read only files whose path matches, as in .gitignore. Example: ["docs/2023/*.md"]'),
]
Since = Annotated[str | None, Field(description="Read only files changed on that day or later. Example: 2024-01-31")]
