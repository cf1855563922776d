"""Every operation of the API under requests made from its own description, well and badly formed."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from schemathesis import checks
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

# What the description cannot say: that a cursor is one of ours, a date is one there may be, an empty field is none.
BEYOND_DESCRIPTION = [checks.positive_data_acceptance, checks.negative_data_rejection]


@pytest.mark.parametrize("mode", GenerationMode)
def test_answers_are_as_described(app_client: TestClient, mode: GenerationMode) -> None:
    """No server error, and no status, type or document that the description does not have."""
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app_client.app)
    asked = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        def answers(case: schemathesis.Case[Any]) -> None:
            told = case.as_transport_kwargs()
            reply = app_client.request(told.pop("method"), told.pop("url"), **told)
            case.validate_response(reply, excluded_checks=BEYOND_DESCRIPTION)

        answers()
        asked.append(operation.label)
    assert len(asked) == 40
