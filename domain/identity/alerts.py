"""Suspicious sign-ins: noticed while people sign in, shown to administrators until one has looked at them."""

import asyncio
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from domain.identity.entities import AlertKind, SignIn, SignInAlert
from domain.kernel.actor import Actor, Origin, Permission
from domain.kernel.clock import now
from domain.kernel.errors import N_, NotFound
from domain.kernel.events import Change, Signal
from domain.kernel.paging import Page, clamp
from domain.ports import Letter, Mailer
from domain.transaction import Transaction, UnitOfWork
from domain.users.entities import User

SAME_STORY = timedelta(hours=24)
"""What happens again within this time is counted on the alert that is there."""
SPRAY_WINDOW, SPRAY_ACCOUNTS = timedelta(minutes=15), 5
FAILURES_BEFORE_SUCCESS = 5
REMEMBERED = timedelta(days=90)
PATH = "/admin/security"
MAIL = N_("A sign-in to Samråd looks suspicious. See what it was, and tell us that you have looked at it:\n\n{link}\n")


ALERT_NAMES: dict[AlertKind, str] = {
    AlertKind.REPEATED_FAILURES: N_("Many wrong passwords for one account"),
    AlertKind.MANY_ACCOUNTS: N_("One address tries many accounts"),
    AlertKind.SUCCESS_AFTER_FAILURES: N_("Signed in after many wrong passwords"),
    AlertKind.NEW_PLACE: N_("An administrator signed in from a new place and device"),
}


@dataclass(frozen=True, slots=True)
class AlertView:
    """An alert with the account it is about, where that still is there."""

    alert: SignInAlert
    user: User | None


class SignInWatch:
    """Looks at each sign-in, in the transaction that records it. `threshold`: failures that lock an account."""

    def __init__(self, threshold: int, mailer: Mailer | None = None) -> None:
        self._threshold, self._mailer = threshold, mailer
        self._telling: set[asyncio.Task[None]] = set()

    async def refused(
        self, tx: Transaction, tenant_id: UUID, user_id: UUID, origin: Origin, failures: int
    ) -> SignInAlert | None:
        """After the `failures`-th wrong password in a row for an account; the alert, when it is a new one."""
        if failures >= self._threshold:
            return await self._raise(tx, AlertKind.REPEATED_FAILURES, tenant_id, user_id, origin)
        if origin.ip and await tx.sign_ins.accounts_tried(origin.ip, now() - SPRAY_WINDOW) >= SPRAY_ACCOUNTS:
            return await self._raise(tx, AlertKind.MANY_ACCOUNTS, tenant_id, None, origin)
        return None

    async def opened(
        self, tx: Transaction, user: User, origin: Origin, *, failures: int, admin: bool
    ) -> SignInAlert | None:
        """Before a session is opened."""
        if failures >= FAILURES_BEFORE_SUCCESS:
            return await self._raise(tx, AlertKind.SUCCESS_AFTER_FAILURES, user.tenant_id, user.id, origin)
        if admin and _is_new_place(origin, await tx.sign_ins.since(user.id, now() - REMEMBERED)):
            return await self._raise(tx, AlertKind.NEW_PLACE, user.tenant_id, user.id, origin)
        return None

    def tell(self, uow: UnitOfWork, alert: SignInAlert | None) -> None:
        """Mail the administrators about a new alert, where there is a mail server: after the commit, beside the sign-in."""
        if alert is None or self._mailer is None or not self._mailer.ready:
            return
        task = asyncio.create_task(self._mail(self._mailer, uow, alert), name="sign-in alert")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    @staticmethod
    async def _mail(mailer: Mailer, uow: UnitOfWork, alert: SignInAlert) -> None:
        async with uow.read(alert.tenant_id) as tx:
            administrators = await tx.users.administrators()
        subject = ALERT_NAMES[AlertKind(alert.kind)]
        await mailer.send(*(Letter(each.email, each.language, subject, MAIL, PATH) for each in administrators))

    @staticmethod
    async def _raise(
        tx: Transaction, kind: AlertKind, tenant_id: UUID, user_id: UUID | None, origin: Origin
    ) -> SignInAlert | None:
        moment = now()
        known = await tx.sign_ins.open_alert(kind, user_id, origin.ip, moment - SAME_STORY)
        tx.signal(Signal(f"tenant:{tenant_id}", "sign_in_alert"))
        if known is not None:
            known.times, known.last_at = known.times + 1, moment
            return None
        alert = SignInAlert(
            tenant_id=tenant_id,
            kind=kind,
            user_id=user_id,
            ip=origin.ip,
            user_agent=(origin.user_agent or "")[:500] or None,
            last_at=moment,
        )
        await tx.add(alert)
        system = Actor(tenant_id=tenant_id, user_id=user_id or tenant_id, kind="system", origin=origin)
        tx.record(system, Change("sign_in_alert", "sign_in_alert", alert.id, kind, new={"kind": str(kind)}))
        return alert


class SignInAlertService:
    """What administrators see of it."""

    def __init__(self, uow: UnitOfWork) -> None:
        self._uow = uow

    async def page(
        self, actor: Actor, *, unseen: bool = False, limit: int | None = None, cursor: str | None = None
    ) -> Page[AlertView]:
        """Alerts, newest first; the total counts those that nobody has looked at."""
        actor.require(Permission.ADMIN)
        async with self._uow.read(actor.tenant_id) as tx:
            page = await tx.sign_ins.alerts(unseen=unseen, limit=clamp(limit), cursor=cursor)
            known = await tx.users.many([alert.user_id for alert in page.items if alert.user_id])
        views = [AlertView(alert, known.get(alert.user_id) if alert.user_id else None) for alert in page.items]
        return Page(views, page.next_cursor, page.total)

    async def seen(self, actor: Actor, alert_id: UUID) -> SignInAlert:
        """Note that an administrator has looked at it."""
        actor.require(Permission.ADMIN)
        async with self._uow.begin(actor.tenant_id) as tx:
            alert = await tx.get(SignInAlert, alert_id)
            if alert is None:
                raise NotFound
            if alert.seen_at is None:
                alert.seen_at, alert.seen_by = now(), actor.user_id
                tx.record(actor, Change("sign_in_alert_seen", "sign_in_alert", alert.id, alert.kind))
                tx.signal(Signal(f"tenant:{actor.tenant_id}", "sign_in_alert"))
        return alert


def _is_new_place(origin: Origin, earlier: Sequence[SignIn]) -> bool:
    """Whether neither the network nor the kind of device was seen before; the very first sign-in is not news."""
    if not earlier or not origin.ip:
        return False
    networks = {_network(each.ip) for each in earlier}
    devices = {_device(each.user_agent) for each in earlier}
    return _network(origin.ip) not in networks and _device(origin.user_agent) not in devices


def _network(ip: str | None) -> str:
    """The neighbourhood of an address: /24, or /48 of IPv6."""
    try:
        address = ipaddress.ip_address(ip or "")
    except ValueError:
        return ""
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


def _device(user_agent: str | None) -> str:
    """What a browser calls itself, without versions: those change every few weeks."""
    return re.sub(r"[\d._]+", "", user_agent or "")
