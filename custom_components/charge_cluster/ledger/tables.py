"""The tables of the ledger. Times are UTC POSIX seconds, energy in Wh, currents in A."""

from __future__ import annotations

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    CursorResult,
    Index,
    MetaData,
    UniqueConstraint,
    delete,
    literal_column,
    select,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session as OrmSession, mapped_column

NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
"""Named constraints, so that migrations can change them in SQLite's batch mode."""


class Base(DeclarativeBase):
    """All tables."""

    metadata = MetaData(naming_convention=NAMING)


class ChargeTransaction(Base):
    """The billable part of a session."""

    __tablename__ = "charge_transaction"
    __table_args__ = (
        UniqueConstraint(
            "charge_point_id", "connector", "started_at", "meter_start_wh", "id_tag_key", name="uq_content"
        ),
        Index("ix_charge_transaction_open", "charge_point_id", "stopped_at"),
        Index("ix_charge_transaction_charger", "charge_point_id", "charger_id"),
        {"sqlite_autoincrement": True},
    )

    transaction_id: Mapped[int] = mapped_column(primary_key=True)
    """Never used twice, so that a late message never ends another transaction."""
    charge_point_id: Mapped[str]
    connector: Mapped[int]
    id_tag: Mapped[str | None]
    id_tag_key: Mapped[str]
    """What tells apart those of one moment and register: the charger's own id, else the idTag, else nothing.

    Empty rather than NULL: SQL takes two NULLs as different.
    """
    meter_start_wh: Mapped[int]
    started_at: Mapped[float]
    received_at: Mapped[float]
    reservation_id: Mapped[int | None]
    adopted: Mapped[bool] = mapped_column(default=False)
    meter_stop_wh: Mapped[int | None]
    stopped_at: Mapped[float | None]
    stop_id_tag: Mapped[str | None]
    stop_reason: Mapped[str | None]
    last_meter_wh: Mapped[int | None]
    charger_id: Mapped[str | None]
    """The id that the charger gave it (OCPP 2.x)."""


class OrphanStop(Base):
    """An end whose beginning is not known; kept, because somebody may have to pay for it."""

    __tablename__ = "orphan_stop"
    __table_args__ = (UniqueConstraint("charge_point_id", "transaction_id", "stopped_at", name="uq_orphan"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    charge_point_id: Mapped[str]
    transaction_id: Mapped[int]
    id_tag: Mapped[str | None]
    meter_stop_wh: Mapped[int]
    stopped_at: Mapped[float]
    received_at: Mapped[float]
    stop_reason: Mapped[str | None]


class MeterValue(Base):
    """A periodic reading of a connector."""

    __tablename__ = "meter_value"
    __table_args__ = (Index("ix_meter_value_time", "measured_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    charge_point_id: Mapped[str]
    connector: Mapped[int]
    transaction_id: Mapped[int | None]
    measured_at: Mapped[float]
    energy_wh: Mapped[float | None]
    power_w: Mapped[float | None]
    l1_a: Mapped[float | None]
    l2_a: Mapped[float | None]
    l3_a: Mapped[float | None]


class Session(Base):
    """A session from plug-in to plug-out."""

    __tablename__ = "session"
    __table_args__ = (
        Index("ix_session_time", "site_id", "started_at"),
        Index("ix_session_end", "site_id", "ended_at"),
    )

    session_id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str]
    connector: Mapped[str]
    started_at: Mapped[float]
    ended_at: Mapped[float | None]
    energy_wh: Mapped[float]
    id_tag: Mapped[str | None]
    transaction_id: Mapped[str | None]
    held_back_s: Mapped[float] = mapped_column(default=0.0)
    departure_at: Mapped[float | None]
    wanted_wh: Mapped[float | None]
    phases: Mapped[int | None]
    cost: Mapped[float | None]
    saving: Mapped[float | None]
    saving_against_alone: Mapped[float | None]
    unpriced_wh: Mapped[float] = mapped_column(default=0.0, server_default="0")
    currency: Mapped[str | None]
    forgotten: Mapped[bool] = mapped_column(default=False, server_default="0")
    """Whether habits are no longer learned from it."""


class DemandMinute(Base):
    """A minute of a circuit."""

    __tablename__ = "demand_minute"

    site_id: Mapped[str] = mapped_column(primary_key=True)
    circuit_id: Mapped[str] = mapped_column(primary_key=True)
    minute_start: Mapped[int] = mapped_column(primary_key=True)
    l1_a: Mapped[float]
    l2_a: Mapped[float]
    l3_a: Mapped[float]
    mean_power_w: Mapped[float]
    samples: Mapped[int]


class LimitOrder(Base):
    """A limit that was sent, and what became of it."""

    __tablename__ = "limit_order"
    __table_args__ = (Index("ix_limit_order_connector", "site_id", "connector", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[str]
    connector: Mapped[str]
    at: Mapped[float]
    limit_a: Mapped[float]
    before_a: Mapped[float | None]
    reason: Mapped[str]
    circuit_id: Mapped[str | None]
    outcome: Mapped[str]
    drawn_a: Mapped[float | None]
    sent_at: Mapped[float | None]
    form: Mapped[str | None]
    seen_a: Mapped[float | None]
    seen_at: Mapped[float | None]


class Driver(Base):
    """A person or vehicle known by a token."""

    __tablename__ = "driver"

    id_tag: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    enabled: Mapped[bool] = mapped_column(default=True)
    expires_at: Mapped[float | None]
    priority: Mapped[int | None]
    kind: Mapped[str | None]
    group_id: Mapped[str | None]
    at_once: Mapped[int | None]
    leave_by_s: Mapped[float | None]
    """Seconds after local midnight."""
    usual_wh: Mapped[float | None]
    target_soc: Mapped[float | None]
    """Percent."""
    battery_wh: Mapped[float | None]
    battery_entity: Mapped[str | None]


class Kept(Base):
    """What a site must find again after a restart, as JSON."""

    __tablename__ = "kept"

    site_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[str]


class CommissioningFinding(Base):
    """The outcome of a commissioning test."""

    __tablename__ = "commissioning_finding"
    __table_args__ = (Index("ix_commissioning_finding_test", "site_id", "subject", "test", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[str]
    subject: Mapped[str]
    test: Mapped[str]
    verdict: Mapped[str]
    at: Mapped[float]
    firmware: Mapped[str | None]
    figures: Mapped[str]
    """As JSON."""
    outdated: Mapped[bool] = mapped_column(default=False)


def delete_some(session: OrmSession, table: type[Base], condition: ColumnElement[bool], at_most: int) -> int:
    """Delete rows that fulfil a condition, not more than so many; return how many."""
    row: ColumnClause[int] = literal_column("rowid")
    some = select(row).select_from(table).where(condition).limit(at_most)
    deleted = session.execute(delete(table).where(row.in_(some)), execution_options={"synchronize_session": False})
    return deleted.rowcount if isinstance(deleted, CursorResult) else 0
