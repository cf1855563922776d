"""The base class of every document that the API returns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class ApiDocument(BaseModel):
    """Camel case outside, snake case inside."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    def cells(self) -> Iterable[Any]:
        """The values as a table has them, in the order of the fields."""
        return self.model_dump(mode="json").values()
