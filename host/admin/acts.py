"""TABLE ACTS: every administrative act by name. The command line and the scenario language are made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from host.acquirer import CLOCK_OFFSET
from host.admin import (
    calendar,
    campaigns,
    clock,
    contracts,
    disputes,
    ending,
    fallbacks,
    grounds,
    holds,
    keys,
    lists,
    loans,
    lookup,
    merchants,
    models,
    money,
    notices,
    orders,
    parameters,
    partners,
    post,
    recovery,
    registration,
    repairs,
    reports,
    risk,
    rules,
    second_person,
    service,
    signatures,
    swap,
    tokens,
    trail,
)
from host.admin.desk import Desk, Result, in_bounds
from host.admin.rights import RIGHTS
from host.admin.rules import host_policy
from host.admin.wording import field_of
from host.errors import AdminError
from host.keys import KeyDesk
from host.policy import Policy
from host.retirement import audit
from host.store.books import Books
from host.store.database import Store

Act = Callable[..., Result]

ACTS: Final[Mapping[str, Act]] = MappingProxyType(
    {
        act.__name__: act
        for act in (
            orders.order,
            orders.ship,
            orders.deliver,
            orders.bind,
            orders.key_card,
            keys.allow_download,
            keys.renew_tmk,
            registration.submit,
            registration.review,
            registration.register,
            registration.reject,
            registration.file_paper,
            registration.papers,
            registration.renew_merchant,
            registration.reregister,
            merchants.bind_card,
            merchants.set_limits,
            merchants.deposit,
            merchants.merchants,
            partners.partner,
            partners.partners,
            holds.hold,
            holds.release,
            holds.hold_scope,
            holds.release_scope,
            holds.file_evidence,
            holds.pay_arrears,
            holds.extend_activation,
            holds.holds,
            rules.publish_policy,
            rules.schedule_maintenance,
            rules.policy,
            rules.policies,
            calendar.sweep,
            ending.retire_model,
            campaigns.plan_campaign,
            campaigns.start_campaign,
            campaigns.pause_campaign,
            campaigns.resume_campaign,
            campaigns.cancel_campaign,
            campaigns.exempt,
            campaigns.campaign,
            campaigns.campaigns,
            campaigns.run_jobs,
            grounds.end_contract,
            grounds.renew_contract,
            grounds.report_violation,
            grounds.appeal,
            grounds.decide_appeal,
            grounds.violations,
            grounds.risk_scope,
            grounds.risk_stop,
            grounds.overdue_updates,
            grounds.plan_breaches,
            grounds.offer_model,
            grounds.alternatives,
            notices.notices,
            notices.inbox,
            notices.mark_message,
            notices.verify_notice,
            notices.receive_message,
            notices.inspect_notices,
            notices.complain,
            notices.close_complaint,
            notices.complaints,
            post.promote,
            ending.stop,
            ending.retire,
            ending.lose,
            ending.tamper,
            ending.replace,
            repairs.report_fault,
            repairs.receive_device,
            repairs.repair_device,
            repairs.return_device,
            repairs.scrap_device,
            repairs.cancel_repair,
            repairs.repairs,
            loans.lend_spare,
            loans.return_spare,
            loans.loans,
            loans.refurbish,
            fallbacks.open_fallback,
            fallbacks.close_fallback,
            fallbacks.pay_fallback,
            fallbacks.settle_fallbacks,
            fallbacks.fallbacks,
            swap.quote_swap,
            swap.begin_swap,
            swap.swaps,
            swap.cancel_swap,
            ending.require_firmware,
            ending.publish_firmware,
            models.add_model,
            models.certify_model,
            models.block_models,
            models.blocklist,
            models.affected,
            models.recommend_firmware,
            models.block_firmware,
            models.rollout,
            money.payout,
            money.accounts,
            money.verify,
            money.run_payouts,
            contracts.amend_rate,
            contracts.amendments,
            contracts.set_category,
            contracts.set_payout_term,
            contracts.inspect_contracts,
            reports.reconcile,
            reports.cost,
            reports.impact,
            risk.alerts,
            risk.clear_alert,
            risk.failures_alike,
            disputes.open_dispute,
            disputes.answer_dispute,
            disputes.resolve_dispute,
            disputes.withdraw_dispute,
            disputes.lose_dispute,
            disputes.overdue_disputes,
            disputes.disputes,
            disputes.evidence,
            signatures.signatures,
            signatures.missing_signatures,
            signatures.signature,
            service.diagnose,
            service.announce,
            parameters.publish_parameters,
            parameters.ask_for,
            parameters.parameters,
            lookup.terminals,
            lookup.show,
            lookup.transactions,
            lookup.batches,
            lookup.audit,
            lookup.models,
            clock.clock_advance,
            recovery.accept_books,
            trail.verify_audit,
            trail.erase,
            trail.certificates,
            tokens.create_token,
            tokens.revoke_token,
            tokens.tokens,
            second_person.propose,
            second_person.confirm,
            second_person.withdraw,
            second_person.proposals,
            lists.page,
        )
    }
)


def perform(
    store: Store, act: str, now: datetime, /, *, policy: Policy | None = None, actor: str = "admin", **arguments: Any
) -> Result:
    """Carry out one act in a unit of its own and wait until it is durable; one that looks up holds up nobody.

    Raises AdminError and StoreError.
    """

    def unit(books: Books) -> Result:
        return conduct(desk_at(books, store.keys, now, policy=policy, actor=actor), act, arguments)

    right = RIGHTS.get(act)
    return store.run(unit) if right is None or right.changes else store.read(unit).result()


def desk_at(
    books: Books, keys: KeyDesk, now: datetime, *, policy: Policy | None = None, actor: str = "admin", token: str = ""
) -> Desk:
    """A desk in a unit, at the lab's time. Raises AdminError for an actor who cannot be written down."""
    lab_now = now + timedelta(seconds=books.counter(CLOCK_OFFSET))
    desk = Desk(books, keys, policy or host_policy(books), int(lab_now.timestamp()), actor, token)
    desk.line(actor=actor)
    return desk


def rotate_master_key(store: Store, key: bytes, now: datetime, *, actor: str = "admin") -> None:
    """Seal the store's keys under another master key, 32 bytes. Raises AdminError and StoreError."""
    desk = store.run(lambda books: desk_at(books, store.keys, now, actor=actor))
    store.rotate_master_key(key, audit(actor, "", "rotate master key", "sealed under a new one", desk.at))


def conduct(desk: Desk, act: str, arguments: Mapping[str, Any]) -> Result:
    """One act at a desk; one that writes leaves an audit row, its own or a plain one. Raises AdminError."""
    in_bounds(arguments)
    writes, audits = desk.books.writes, desk.books.audits
    try:
        result = ACTS[act](desk, **arguments)
    except AdminError as error:
        error.field = error.field or field_of(error.code, error.message, arguments)
        raise
    if desk.books.writes > writes and desk.books.audits == audits:
        desk.note("", act, "done")
    return result
