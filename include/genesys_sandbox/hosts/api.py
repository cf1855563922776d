"""The API host: tokens, the interactions query, the renewal of one media URL; and the control plane beside it."""

from __future__ import annotations

from urllib.parse import parse_qs

from genesys_sandbox.access import WINDOW_S
from genesys_sandbox.faults.concerns import listed_by, named_by
from genesys_sandbox.faults.fields import spoil
from genesys_sandbox.faults.replies import disturb
from genesys_sandbox.hosts.control import CONTROL_PREFIX, control
from genesys_sandbox.hosts.queries import answer_query, read_query
from genesys_sandbox.hosts.wire import Exchange
from genesys_sandbox.platform.routes import Route, find_route
from genesys_sandbox.reply import Reply, api_error, json_reply
from genesys_sandbox.settings.fault import MODIFIERS, Fault

TOKEN_PATH = "/login/oauth2/token"  # noqa: S105  # a path
PLATFORM_TOKEN_PATH = "/oauth/token"  # noqa: S105  # a path
INTERACTIONS_PATH = "/api/v2/recording/interactions/"
SCOPES = frozenset({"recording:read", "interaction:read"})


class ApiExchange(Exchange):
    """Requests to the login and API host."""

    def endpoint(self) -> str | None:
        """Name of the endpoint, by path; the control plane is left out of the counters."""
        if self.route.startswith(CONTROL_PREFIX):
            return None
        if self.route in (TOKEN_PATH, PLATFORM_TOKEN_PATH):
            return "token"
        if platform := find_route(self.command, self.route):
            return platform[0].kind
        if self.route == f"{INTERACTIONS_PATH}query":
            return "query"
        return "renew" if self.route.startswith(INTERACTIONS_PATH) else "other"

    def answer(self, body: bytes) -> Reply:
        """The JSON reply of the endpoint, or a JSON error."""
        platform = find_route(self.command, self.route)
        return self._platform(*platform, body) if platform else self._interactions(body)

    def _interactions(self, body: bytes) -> Reply:
        match self.request_log.kind, self.command:
            case "control", _:
                return control(self.cloud, self.command, self.route, body, caller=self.client_address[0])
            case "token", "POST":
                return self._token(body)
            case "query", "POST":
                return self._refusal() or self._query(body)
            case "renew", "GET":
                return self._refusal() or self._renew()
            case "other", _:
                return api_error(404, "not.found", "HTTP 404 Not Found")
        allowed = "GET" if self.request_log.kind == "renew" else "POST"
        return api_error(405, "method.not.allowed", "HTTP 405 Method Not Allowed").with_headers(Allow=allowed)

    def _token(self, body: bytes) -> Reply:
        """Client credentials (RFC 6749, sections 4.4 and 5.2)."""
        if not self.cloud.tokens.knows_client(self.authorization):
            refused = {"error": "invalid_client", "error_description": "Client id or secret is wrong."}
            return json_reply(refused, 401, WWW_Authenticate='Basic realm="sandbox"')
        if parse_qs(body.decode(errors="replace")).get("grant_type") != ["client_credentials"]:
            return json_reply({"error": "unsupported_grant_type"}, 400)
        faults = self.cloud.faults.due("token")
        default = self.cloud.options.scope if self.route == TOKEN_PATH else ""  # the platform's reply names none
        scope = next((fault.scope for fault in faults if fault.kind == "scope"), default)
        life_s = max(1, int(self.cloud.options.token_life_s))
        granted = {"access_token": self.cloud.tokens.issue(scope), "token_type": "bearer", "expires_in": life_s}
        return self._disturbed(json_reply(granted | ({"scope": scope} if scope else {})), faults)

    def _platform(self, route: Route, found: dict[str, str], body: bytes) -> Reply:
        """One operation of the platform API, with the headers that tell how much of the minute is used up."""
        if self.cloud.tokens.scope(self.authorization) is None:
            return api_error(401, "bad.credentials", "Invalid login credentials.")
        allowed = self.cloud.options.rate_per_minute or 10**9
        count, reset_s = self.cloud.tokens.count(self.authorization)
        limits = {
            "inin_ratelimit_count": str(count),
            "inin_ratelimit_allowed": str(allowed),
            "inin_ratelimit_reset": str(reset_s),
        }
        if count > allowed:
            message = f"Rate limit exceeded the maximum [{allowed}] requests within [{WINDOW_S}] seconds"
            return api_error(429, "too.many.requests", message).with_headers(Retry_After=str(reset_s), **limits)
        named = named_by(self.cloud.world, found, self.query.get("id", "").split(","), body)
        reply = None if named else self._carried_out(route, found, body)
        concerns = listed_by(self.cloud.world, reply) if reply else named
        faults = self.cloud.faults.due(route.kind, route=f"{self.command} {self.route}", concerns=concerns)
        if reply is None:
            refused = any(_refuses(fault) for fault in faults)
            reply = json_reply({}) if refused else self._carried_out(route, found, body)
        return self._disturbed(reply, faults).with_headers(**limits)

    def _carried_out(self, route: Route, found: dict[str, str], body: bytes) -> Reply:
        return route.refusal(self.cloud) or route.reply(self.cloud, found, self.path, body)

    def _query(self, body: bytes) -> Reply:
        faults = self.cloud.faults.due("query")
        try:
            page = answer_query(self.cloud, read_query(body), {fault.kind for fault in faults})
        except ValueError as error:
            return api_error(400, "bad.request", str(error))
        return self._disturbed(json_reply(page), faults)

    def _renew(self) -> Reply:
        recording = self.cloud.library.get(self.route.removeprefix(INTERACTIONS_PATH))
        if recording is None:
            return api_error(404, "not.found", "The requested interaction was not found.")
        faults = self.cloud.faults.due("renew", recording)
        return self._disturbed(json_reply(self.cloud.entry(recording)), faults)

    def _disturbed(self, reply: Reply, faults: list[Fault]) -> Reply:
        for fault in sorted(faults, key=lambda fault: fault.kind not in MODIFIERS):  # fields first, then the whole
            if fault.kind == "token_expired":
                self.cloud.tokens.revoke_all()
            reply = disturb(spoil(reply, fault), fault, url=self.path)
        return reply

    def _refusal(self) -> Reply | None:
        """An error for a token that is not valid, asks too often, or lacks a scope; in this order, as Genesys does."""
        scope = self.cloud.tokens.scope(self.authorization)
        if scope is None:
            code = "bad.credentials" if self.authorization else "authentication.required"
            return api_error(401, code, "Invalid login credentials.").with_headers(WWW_Authenticate="Bearer")
        return self._too_many() or self._out_of_scope(scope)

    def _too_many(self) -> Reply | None:
        allowed = self.cloud.options.rate_per_minute
        count, reset_s = self.cloud.tokens.count(self.authorization) if allowed else (0, 0)
        if count <= allowed:
            return None
        message = f"Rate limit exceeded the maximum [{allowed}] requests within [{WINDOW_S}] seconds"
        return api_error(429, "too.many.requests", message).with_headers(
            Retry_After=str(reset_s), inin_ratelimit_allowed=str(allowed), inin_ratelimit_reset=str(reset_s)
        )

    @staticmethod
    def _out_of_scope(scope: str) -> Reply | None:
        missing = SCOPES - set(scope.split()) if scope else None
        if not missing:
            return None
        return api_error(403, "missing.permissions", f"The token lacks the scope {', '.join(sorted(missing))}.")


def _refuses(fault: Fault) -> bool:
    """Tell if a fault stands for a request that was not carried out: nothing has changed after it."""
    refused = fault.kind == "status" and (fault.status or 503) < 500
    return refused or fault.kind in {"unauthorized", "token_expired", "forbidden", "not_found"}
