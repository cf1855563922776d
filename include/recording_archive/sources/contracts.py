"""The contracts of the two APIs of Genesys Cloud: where a client gets its token, with which scopes, and remedies."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["INTERACTIONS", "PLATFORM", "Contract"]


@dataclass(frozen=True, slots=True)
class Contract:
    """The terms on which one API grants access; ``scopes`` must be in a token reply that names any."""

    token_path: str
    scopes: frozenset[str]
    role_remedy: str


INTERACTIONS = Contract(
    token_path="/login/oauth2/token",  # noqa: S106 - a path, not a secret
    scopes=frozenset({"recording:read", "interaction:read"}),
    role_remedy=(
        "In Genesys Cloud Admin > Integrations > OAuth open the client and give it the scopes recording:read and "
        "interaction:read (Scope) and, under Roles, a role with the permission Recording > Recording > View in every "
        "division whose recordings are to be archived (Admin > People & Permissions > Roles / Permissions)"
    ),
)
PLATFORM = Contract(
    token_path="/oauth/token",  # noqa: S106 - a path, not a secret
    scopes=frozenset(),
    role_remedy=(
        "In Genesys Cloud Admin > People & Permissions > Roles / Permissions add the permission that the reply names "
        "to the role of the OAuth client, and under Admin > Integrations > OAuth > Roles grant it in every division "
        "whose recordings are to be archived; docs/genesys-cloud.md lists all of them"
    ),
)
