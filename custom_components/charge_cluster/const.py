"""Names that the Home Assistant side of the integration shares: its domain, its platforms, the keys it stores under.

What is stored is read back by `configuration.py` alone; a key that changes its meaning needs a migration.
"""

import logging
from enum import StrEnum
from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "charge_cluster"
LOGGER = logging.getLogger(__package__)

PLATFORMS: Final[tuple[Platform, ...]] = (
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.NUMBER,
    Platform.SENSOR,
    Platform.SWITCH,
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

MAXIMUM_PRIORITY: Final = 10
"""The highest priority of a charge point or connector; the lowest is 0."""

RELEASE_GRACE_S: Final = 60.0
"""How long a site goes on running after its entry was unloaded, for the set-up that follows to take it over."""


class SubentryType(StrEnum):
    """What can be added to a site."""

    CLUSTER = "cluster"
    CHARGE_POINT = "charge_point"
    METER = "meter"


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
    ACCEPT_ALL_TAGS = "accept_all_tags"
    ON_TIME = "on_time"
    KNOWN_CLUSTERS = "known_clusters"

    NEUTRAL = "neutral"
    UNBALANCE = "unbalance"
    POWER = "power"
    DEMAND = "demand"
    DEMAND_WINDOW = "demand_window"
    GENERATION = "generation"
    GENERATION_CREDIT = "generation_credit"
    RESTART_STAGGER = "restart_stagger"
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
    ROTATION = "rotation"
    ROTATIONS = "rotations"
    ONWARD = "onward"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    STEP = "step"
    FALLBACK = "fallback"
    PRIORITY = "priority"
    SECURITY = "security"
    KEY = "key"
    NEW_KEY = "new_key"
    IDENTITIES = "identities"
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

    CONNECTOR = "connector"
    TESTS = "tests"
    SIMULATE = "simulate"
