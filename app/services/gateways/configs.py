"""Gateway configs: created, listed, updated and deleted for the account that owns them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.crypto.system_key import OpenedSystemKey
from app.domain.access.api_keys import Caller
from app.domain.access.scopes import Scope
from app.domain.audit.actions import Action
from app.domain.damage import DamagedRow
from app.domain.errors import AccountLimitReached, SecretsMissing, TamperedRow
from app.domain.gateways.configs import (
    MAX_CONFIGS,
    ConfigFilter,
    ConfigPage,
    GatewayConfig,
)
from app.domain.gateways.credentials import CustomHeader
from app.domain.gateways.drafts import ConfigDraft
from app.domain.gateways.errors import (
    GatewayConfigNameExists,
    GatewayConfigNotFound,
    GatewayConfigReadOnly,
)
from app.domain.gateways.origins import EndpointPolicy
from app.domain.gateways.system_configs import SystemConfigs
from app.domain.idempotency import RetryKey
from app.domain.ids import GATEWAY_CONFIG, is_id
from app.domain.operations.usage import ROW_BYTES, Usage
from app.repository.base import Conflict, Database, Repository, UnitOfWork
from app.repository.collections.batches import Position
from app.services.audit.trail import versioned, with_name
from app.services.gateways.named_secrets import find_secrets
from app.services.gateways.stored_config import dump_config, find_config, load_config
from app.services.idempotency import Idempotency, ResponseFormat
from app.services.keys.system_key import SystemKey
from app.services.rows.limits import Limits
from app.services.rows.pages import BoundedPage

MAX_PAGE_BYTES = 1024 * 1024
_BATCH = 100
_EVERY = ConfigFilter()
Headers = tuple[CustomHeader, ...]
_RESPONSES: ResponseFormat[GatewayConfig] = ResponseFormat(dump_config, load_config)
_DELETED = ResponseFormat(str, str)


@dataclass(eq=False, repr=False)
class GatewayConfigs:
    """The gateway configs of accounts, and those of the system."""

    _database: Database
    _system_key: SystemKey
    _idempotency: Idempotency
    _limits: Limits
    _system: SystemConfigs
    _policy: EndpointPolicy

    def create(self, caller: Caller, draft: ConfigDraft, retry: RetryKey | None) -> GatewayConfig:
        """Store a new config.

        Raises:
            InvalidRequest: A part of it breaks a rule.
            GatewayConfigNameExists: The account or the system has a config of this name; exactly
                one of many concurrent calls with one name does not raise this.
            ScopeMissing: It names secrets, and the caller may not use any.
            SecretsMissing: A secret that it names does not exist.
            AccountLimitReached: The account holds as much as it may.
        """
        self._check(caller, draft)
        with self._idempotency.attempt(caller, retry, _RESPONSES) as attempt:
            if attempt.response is not None:
                return attempt.response
            work, account_id = attempt.work, caller.account_id
            if work.gateway_configs.count(account_id, _EVERY) >= MAX_CONFIGS:
                raise AccountLimitReached("gateway configs", MAX_CONFIGS)
            headers = _resolved(work, caller, draft)
            new = draft.new(account_id, headers or (), attempt.now_ms)
            adding = _size(new)
            self._limits.require_room(work, account_id, adding, attempt.now_ms)
            try:
                work.gateway_configs.add(attempt.system_key.guard(new))
            except Conflict:
                raise GatewayConfigNameExists from None
            self._limits.note(account_id, adding, attempt.now_ms)
            named = with_name(attempt.system_key, account_id, new.name)
            return attempt.commit(new, Action.GATEWAY_CONFIG_CREATED, new.id, details=named)

    def list(
        self,
        caller: Caller,
        wanted: ConfigFilter,
        limit: int,
        after_id: str | None,
        *,
        with_total: bool,
    ) -> ConfigPage:
        """One page of the account's configs, newest first, and of the system's after them.

        It ends at ``limit`` configs or at 1 MiB, whichever comes first. A damaged row is shown as
        damaged; one whose id no client could ask for is left out.
        """
        page = BoundedPage[GatewayConfig | DamagedRow](limit, MAX_PAGE_BYTES)
        of_system = [config for config in self._system.all if _is_wanted(config, wanted)]
        with self._database.reading() as repository:
            for config in self._of_account(repository, caller.account_id, wanted, after_id):
                if not page.room:
                    page.has_more = True
                    break
                page.add(config, _shown_bytes(config))
            count = repository.gateway_configs.count(caller.account_id, wanted) if with_total else 0
        for config in of_system:
            if after_id is None or config.id < after_id:
                if not page.room:
                    page.has_more = True
                    break
                page.add(config, _shown_bytes(config))
        return ConfigPage(page.rows, page.has_more, count + len(of_system) if with_total else None)

    def get(self, caller: Caller, config_id: str) -> GatewayConfig | DamagedRow:
        """One config, by its id alone; as damaged, if its row was edited.

        Raises:
            GatewayConfigNotFound: Neither the account nor the system has one such.
        """
        with self._database.reading() as repository:
            try:
                return self._find(repository, self._system_key.opened(), caller, config_id)
            except TamperedRow as error:
                return error.row

    def update(
        self, caller: Caller, config_id: str, draft: ConfigDraft, retry: RetryKey | None
    ) -> GatewayConfig:
        """Change the parts of a config that the draft has.

        Tokens for it are refused from now on if it points elsewhere; all else counts for them, too.

        Raises:
            InvalidRequest: A part breaks a rule.
            GatewayConfigNotFound: The account has none such.
            GatewayConfigReadOnly: It is one of the system's.
            GatewayConfigNameExists: Another one has the name.
            ScopeMissing: The draft names secrets, and the caller may not use any.
            SecretsMissing: A secret that the draft names does not exist.
            TamperedRow: Its row was edited.
        """
        self._require_own(config_id)
        self._check(caller, draft)
        with self._idempotency.attempt(caller, retry, _RESPONSES) as attempt:
            if attempt.response is not None:
                return attempt.response
            work, account_id = attempt.work, caller.account_id
            before = self._find(work, attempt.system_key, caller, config_id)
            changed = draft.applied(before, _resolved(work, caller, draft))
            if changed == before:
                return attempt.commit_unchanged(before)
            changed = replace(
                changed,
                version=before.version + 1,
                updated_at_ms=max(attempt.now_ms, before.updated_at_ms),
            )
            larger = Usage(bytes=_size(changed).bytes - _size(before).bytes)
            self._limits.require_room(work, account_id, larger, attempt.now_ms)
            if changed.name != before.name and work.gateway_configs.named(account_id, changed.name):
                raise GatewayConfigNameExists
            try:
                work.gateway_configs.replace(attempt.system_key.guard(changed))
            except Conflict:
                raise GatewayConfigNameExists from None
            self._limits.note(account_id, larger, attempt.now_ms)
            subject = versioned(changed.id, changed.version)
            return attempt.commit(changed, Action.GATEWAY_CONFIG_UPDATED, subject)

    def delete(
        self, caller: Caller, config_id: str, retry: RetryKey | None
    ) -> GatewayConfig | DamagedRow:
        """Delete a config for good; its tokens are refused from now on. Returns what it was.

        Raises:
            GatewayConfigNotFound: The account has none such.
            GatewayConfigReadOnly: It is one of the system's.
        """
        self._require_own(config_id)
        with self._idempotency.attempt(caller, retry, _DELETED) as attempt:
            if attempt.response is not None:
                stored = attempt.response
                return load_config(stored) if stored else _damaged(caller, config_id)
            deleted: GatewayConfig | DamagedRow
            try:
                deleted = self._find(attempt.work, attempt.system_key, caller, config_id)
            except TamperedRow:
                deleted = _damaged(caller, config_id)
            attempt.work.gateway_configs.delete(caller.account_id, config_id)
            response = "" if isinstance(deleted, DamagedRow) else dump_config(deleted)
            attempt.commit(response, Action.GATEWAY_CONFIG_DELETED, config_id)
            return deleted

    def _check(self, caller: Caller, draft: ConfigDraft) -> None:
        draft.check(self._policy)
        if draft.name is not None and self._system.reserves(draft.name):
            raise GatewayConfigNameExists
        if draft.names_secrets:
            caller.require(Scope.GATEWAYS_USE)
        self._system_key.require_proof()

    def _require_own(self, config_id: str) -> None:
        if self._system.get(config_id) is not None:
            raise GatewayConfigReadOnly

    def _find(
        self, repository: Repository, opened: OpenedSystemKey, caller: Caller, config_id: str
    ) -> GatewayConfig:
        found = None
        if is_id(config_id, GATEWAY_CONFIG):
            found = find_config(repository, opened, self._system, caller.account_id, config_id)
        if found is None:
            raise GatewayConfigNotFound
        return found

    def _of_account(
        self, repository: Repository, account_id: str, wanted: ConfigFilter, after_id: str | None
    ) -> Iterator[GatewayConfig | DamagedRow]:
        opened = self._system_key.opened()
        after: Position | None = None if after_id is None else (after_id,)
        while True:
            batch = repository.gateway_configs.page(account_id, wanted, after, _BATCH)
            for stored in batch.rows:
                row = opened.verify_stored(stored, account_id)
                if row.id is not None and is_id(row.id, GATEWAY_CONFIG):
                    yield row
            if batch.after is None:
                return
            after = batch.after


def _resolved(work: UnitOfWork, caller: Caller, draft: ConfigDraft) -> Headers | None:
    """Return the custom headers of a draft with the ids and names of their secrets.

    Raises:
        SecretsMissing: Some of them do not exist.
    """
    if draft.custom_headers is None:
        return None
    refs = {header.secret for header in draft.custom_headers if header.secret is not None}
    found = find_secrets(work, caller, refs)
    missing = sorted(refs - found.keys())
    if missing:
        raise SecretsMissing(tuple(missing))
    return tuple(
        CustomHeader(header.name, value=header.value)
        if header.secret is None
        else CustomHeader(header.name, found[header.secret].id, found[header.secret].name)
        for header in draft.custom_headers
    )


def _is_wanted(config: GatewayConfig, wanted: ConfigFilter) -> bool:
    """Return True if the filter selects a config of the system, as the database does others."""
    name = config.name.lower()
    return (
        (wanted.id is None or wanted.id == config.id)
        and (wanted.name is None or wanted.name.lower() in name)
        and (wanted.search is None or wanted.search == config.id or wanted.search.lower() in name)
    )


def _size(config: GatewayConfig) -> Usage:
    return Usage(bytes=len(config.custom_headers) + ROW_BYTES)


def _shown_bytes(config: GatewayConfig | DamagedRow) -> int:
    """More than a shown config takes."""
    if isinstance(config, DamagedRow):
        return ROW_BYTES
    texts = (config.description, config.custom_headers, config.allow, config.deny)
    return 8 * ROW_BYTES + sum(len(text.encode()) for text in texts if text is not None)


def _damaged(caller: Caller, config_id: str) -> DamagedRow:
    return DamagedRow.at(GatewayConfig.table, caller.account_id, config_id)
