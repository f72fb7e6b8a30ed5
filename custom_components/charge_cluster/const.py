"""Names that the Home Assistant side of the integration shares: its domain, its platforms, the keys it stores under.

What is stored is read back by `configuration.py` alone; a key that changes its meaning needs a migration.
"""

import logging
from enum import StrEnum
from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "charge_cluster"
EVENT_PROGRESS: Final = f"{DOMAIN}_progress"
"""Fired with each word of a charge point on something that it does in its own time."""
EVENT_NOTICE: Final = f"{DOMAIN}_notice"
"""Fired with what a charge point tells of its own accord: events of its security, and of what somebody had it watch."""
LOGGER = logging.getLogger(__package__)

PLATFORMS: Final[tuple[Platform, ...]] = (
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.CALENDAR,
    Platform.DATETIME,
    Platform.EVENT,
    Platform.NUMBER,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
    Platform.TIME,
)

ENTRY_VERSION: Final = 1
ENTRY_MINOR_VERSION: Final = 1

ONE_PHASE: Final = "1"
THREE_PHASES: Final = "3"
"""How many phases a supply has, as its form stores it."""

DEFAULT_PORT: Final = 9000
"""The port that charge points are told to dial; the one that most installers know."""

SUPPLY_ID: Final = "supply"
"""Id of the supply among the circuits of a site; clusters have the id of their subentry."""

RELEASE_GRACE_S: Final = 60.0
"""How long a site goes on running after its entry was unloaded, for the set-up that follows to take it over."""


class SubentryType(StrEnum):
    """What can be added to a site."""

    CLUSTER = "cluster"
    CHARGE_POINT = "charge_point"
    SATELLITE = "satellite"
    METER = "meter"
    TARIFF = "tariff"


class TariffKind(StrEnum):
    """What a tariff can be, as its subentry stores it."""

    BANDS = "bands"
    PRICES = "prices"
    CHEAP_TIMES = "cheap_times"
    CO2 = "co2"
    FEED_IN = "feed_in"
    DEMAND_CHARGE = "demand_charge"
    SOLAR = "solar"


class Key(StrEnum):
    """Keys in the data of the entry and its subentries, and of the form fields that fill them."""

    NAME = "name"
    PORT = "port"
    PHASES = "phases"
    RATING = "rating"
    RATINGS = "ratings"
    RATING_L1 = "rating_l1"
    RATING_L2 = "rating_l2"
    RATING_L3 = "rating_l3"
    MARGIN = "margin"
    BASE_LOAD = "base_load"
    SHARING = "sharing"
    AUTHORISATION = "authorisation"
    UNANSWERED = "unanswered"
    ASK_TIMEOUT = "ask_timeout"
    CONCURRENCY = "concurrency"
    ACCEPT_ALL_TAGS = "accept_all_tags"
    """In place of `authorisation` in entries that were stored before there was a choice."""
    ON_TIME = "on_time"
    USUAL_MODE = "usual_mode"
    """What was chosen when the site was set up; an entity changes it afterwards."""
    KNOWN_CLUSTERS = "known_clusters"

    NEUTRAL = "neutral"
    UNBALANCE = "unbalance"
    POWER = "power"
    DEMAND = "demand"
    DEMAND_WINDOW = "demand_window"
    GENERATION = "generation"
    GENERATION_CREDIT = "generation_credit"
    RESTART_STAGGER = "restart_stagger"
    ENCRYPTION = "encryption"
    TLS = "tls"
    TLS_CERTIFICATE = "tls_certificate"
    TLS_KEY = "tls_key"
    TLS_PORT = "tls_port"
    TLS_ONLY = "tls_only"
    TLS_NAMES = "tls_names"
    CLIENT_CERTIFICATES = "client_certificates"
    CLIENT_AUTHORITY = "client_authority"
    PROTECTION = "protection"
    DEVICE_KIND = "device_kind"
    DEVICE_RATED = "device_rated"
    LONG_DELAY = "long_delay"
    SHORT_PICKUP = "short_pickup"
    SHORT_DELAY = "short_delay"
    INSTANTANEOUS = "instantaneous"

    PARENT = "parent"
    WAYS = "ways"

    IDENTITY = "identity"
    CLUSTER = "cluster"
    CIRCUIT = "circuit"
    CONNECTORS = "connectors"
    MASTER = "master"
    CHARGE_POINT = "charge_point"
    NUMBER = "number"
    ROTATION = "rotation"
    ROTATIONS = "rotations"
    ONWARD = "onward"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    MINIMUM_SINGLE_PHASE = "minimum_single_phase"
    STEP = "step"
    STEPS = "steps"
    SWITCHES_PHASES = "switches_phases"
    OCPP_VERSION = "ocpp_version"
    FALLBACK = "fallback"
    PRIORITY = "priority"
    SECURITY = "security"
    KEY = "key"
    NEW_KEY = "new_key"
    IDENTITIES = "identities"
    NEW_CLUSTER = "new_cluster"
    SITE = "site"
    ADVANCED = "advanced"

    SOURCE = "source"
    HOST = "host"
    UNIT = "unit"
    PROFILE = "profile"
    INTERVAL = "interval"
    CURRENTS = "currents"
    POWERS = "powers"
    VOLTAGES = "voltages"
    SCOPE = "scope"
    RATIO = "ratio"
    INVERTED = "inverted"
    TIMEOUT = "timeout"

    KIND = "kind"
    BANDS = "bands"
    PRICE = "price"
    CHEAP_PRICE = "cheap_price"
    OFF_PEAK = "off_peak"
    OFF_PEAK_BELOW = "off_peak_below"
    HOLIDAYS = "holidays"
    ENTITY = "entity"
    ENTITIES = "entities"
    PRICE_UNIT = "price_unit"
    FACTOR = "factor"
    PLUS = "plus"
    WEIGHT = "weight"
    VALUE_PER_KG = "value_per_kg"
    BEGINS = "begins"
    ENDS = "ends"
    DAYS = "days"
    FROM_MONTH = "from_month"
    TO_MONTH = "to_month"
    WEEKENDS = "weekends"

    CONNECTOR = "connector"
    TESTS = "tests"
    SIMULATE = "simulate"
