"""Gateway configs as a client sends them, before the secrets that they name are looked up."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from app.domain.access.name_limits import NameLimit
from app.domain.errors import InvalidRequest
from app.domain.gateways.configs import (
    GatewayConfig,
    check_denied_names,
    check_description,
    check_name,
)
from app.domain.gateways.credentials import (
    AuthMechanism,
    AuthType,
    CustomHeader,
    NewCustomHeader,
    check_auth,
    check_custom_headers,
    check_distinct,
    dump_headers,
)
from app.domain.gateways.origins import EndpointPolicy, parse_origin
from app.domain.gateways.rules import Rule, check_rules, dump_rules
from app.domain.ids import GATEWAY_CONFIG, new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDraft:
    """A new config, or what changes of one; ``None`` for what a client did not send.

    Attributes:
        secrets: Names of secrets, and beginnings of names; none of them lifts the limit.
    """

    name: str | None = None
    description: str | None = None
    endpoint: str | None = None
    auth: AuthMechanism | None = None
    custom_headers: tuple[NewCustomHeader, ...] | None = None
    allow: tuple[Rule, ...] | None = None
    deny: tuple[Rule, ...] | None = None
    secrets: tuple[str, ...] | None = None
    deny_query: tuple[str, ...] | None = None
    scrub: bool | None = None

    @property
    def names_secrets(self) -> bool:
        """True if a custom header is to hold a secret."""
        return any(header.secret is not None for header in self.custom_headers or ())

    def check(self, policy: EndpointPolicy) -> None:
        """Refuse what no config may have, as far as it is known without the rest of the config.

        Raises:
            InvalidRequest: The rule that is broken; repeats no input.
        """
        if self.name is not None:
            check_name(self.name)
        check_description(self.description)
        if self.endpoint is not None:
            policy.check(parse_origin(self.endpoint))
        if self.auth is not None:
            check_auth(self.auth)
        check_custom_headers(self.custom_headers or ())
        check_rules("allow", self.allow or ())
        check_rules("deny", self.deny or ())
        check_denied_names(self.deny_query or ())
        self.limit()

    def limit(self) -> NameLimit | None:
        """Return the secrets that may be joined to the config, ``None`` for all.

        Raises:
            InvalidRequest: One is neither a name nor a beginning, or they are too many.
        """
        if not self.secrets:
            return None
        try:
            return NameLimit.of(self.secrets)
        except InvalidRequest:
            rule = "must hold at most 64 names of secrets, or beginnings with * at the end"
        raise InvalidRequest("The gateway config is not valid.", {"secrets": rule})

    def new(self, account_id: str, headers: Iterable[CustomHeader], now_ms: int) -> GatewayConfig:
        """Return a new config, of a draft with a name, an endpoint and a mechanism.

        Args:
            headers: Its custom headers, with the ids of their secrets.
        """
        assert None not in (self.name, self.endpoint, self.auth)  # noqa: S101 - the schema requires
        blank = GatewayConfig(
            account_id=account_id,
            id=new_id(GATEWAY_CONFIG),
            name=self.name or "",
            description=None,
            endpoint=self.endpoint or "",
            auth=self.auth or AuthMechanism(AuthType.BEARER),
            custom_headers=dump_headers(()),
            allow=None,
            deny=None,
            secrets=None,
            deny_query=(),
            scrub=True,
            version=1,
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
        )
        return self.applied(blank, headers)

    def applied(
        self, config: GatewayConfig, headers: Iterable[CustomHeader] | None
    ) -> GatewayConfig:
        """Return the config with the parts that the draft has.

        Args:
            headers: The custom headers of the draft, with the ids of their secrets.

        Raises:
            InvalidRequest: A custom header has the name of another one, or of the credential's.
        """
        changes: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "endpoint": None if self.endpoint is None else parse_origin(self.endpoint).text,
            "auth": self.auth,
            "custom_headers": None if headers is None else dump_headers(headers),
            "deny_query": self.deny_query,
            "scrub": self.scrub,
        }
        changes = {name: value for name, value in changes.items() if value is not None}
        if self.allow is not None:
            changes["allow"] = stored_rules(self.allow)
        if self.deny is not None:
            changes["deny"] = stored_rules(self.deny)
        if self.secrets is not None:
            changes["secrets"] = self.limit()
        changed = replace(config, **changes)
        check_distinct(changed.auth, [header.name for header in changed.headers])
        return changed


def stored_rules(rules: tuple[Rule, ...] | None) -> str | None:
    """Return the stored text of rules; none of them is no rule."""
    return dump_rules(rules) if rules else None
