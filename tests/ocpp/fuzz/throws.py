"""What is thrown at a connection: a valid call, spoilt in one of many ways, and what has to become of it.

What has to become of it is known from how it was spoilt, not from what the listener makes of it: a call whose id can be
read is answered once, under that id; an answer nobody asked for and what is no message at all is passed over (OCPP 1.6)
or refused without an id (2.x); what breaks the rules of websockets ends the connection with the code for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from random import Random
from typing import Any

from . import vocabulary
from .vocabulary import Version
from .wire import BINARY, CONTINUATION, PING, TEXT, frame

CANARY = "CANARYxSECRET"
"""Is in what is thrown, and must never come back or be logged."""

LARGEST = 256 * 1024
OVERSIZE = 300_000
NESTING = (100, 3_000, 30_000)
TOO_LONG_PING = 126
MALFORMED, NOT_TEXT, TOO_BIG = 1002, 1007, 1009
"""Close codes of RFC 6455."""

type Json = Any


class Fate(Enum):
    """What has to become of a throw."""

    ANSWERED = auto()
    """Once, under its own id: with a result or a refusal."""
    UNREADABLE = auto()
    """It is no call: passed over in 1.6; in 2.x refused under its id, or under "-1" where that cannot be read."""
    EITHER = auto()
    """Answered or passed over: nobody can say what it still is."""
    ENDS = auto()
    """The connection is closed with one of the codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throw:
    """Something to send, and its fate."""

    how: str
    raw: bytes
    fate: Fate
    message_id: Json = None
    action: str = ""
    codes: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A valid call, to be spoilt."""

    message_id: str
    action: str
    payload: dict[str, Json]

    @property
    def parts(self) -> list[Json]:
        """Return it as it goes over the wire."""
        return [2, self.message_id, self.action, self.payload]


type Spoil = Callable[[Random, Version, Call], Throw]


def throw(rng: Random, version: Version, number: int) -> Throw:
    """Return one throw."""
    known = version.told if rng.random() < 0.85 else vocabulary.actions(version)
    action = rng.choice(known)
    call = Call(message_id=f"f{number}", action=action, payload=vocabulary.request(rng, version, action))
    spoil = rng.choices(SPOILS, WEIGHTS)[0]
    return spoil(rng, version, call)


# -- what is odd in itself --------------------------------------------------------------------------------------------


def odd_value(rng: Random) -> Json:
    """Return a value that hardly any field expects."""
    return rng.choice(ODD)(rng)


def _nested(rng: Random) -> Json:
    value: Json = CANARY
    for _ in range(rng.randint(1, 60)):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


ODD: tuple[Callable[[Random], Json], ...] = (
    lambda _: None,
    lambda _: [],
    lambda _: {},
    lambda _: "",
    lambda rng: rng.random() < 0.5,
    lambda rng: rng.choice((-1, 0, 2**31, 2**53 + 1, 2**63, 2**64 - 1, -(2**63), 10**19)),
    lambda rng: rng.choice((1.5, -0.0, 1e308, 5e-324, 1.0)),
    lambda _: CANARY,
    lambda rng: CANARY * rng.choice((10, 1000, 5000)),
    lambda rng: rng.choice(("NaN", "Infinity", "-1", "1e999", "٣", "1_0", "0x10", " 1 ", "1,5", "1.2.3")),
    lambda rng: rng.choice(("\u202e\u0000\n\r\x1b[31m", "é́́" * 20, "😀" * 30, "\u2028", "\ufeff", "ß" * 70)),
    lambda rng: rng.choice(
        ("9999-12-31T23:59:59Z", "0000-00-00T00:00:00Z", "yesterday", "2026-12-01", "T", "1" * 5000)
    ),
    lambda rng: [odd_value(rng) for _ in range(rng.randint(1, 3))],
    lambda rng: [{"value": CANARY}] * rng.choice((1, 300)),
    lambda rng: {f"{CANARY}{n}": n for n in range(rng.choice((1, 500)))},
    _nested,
)


def _places(value: Json, within: Json = None, key: Json = None) -> Iterator[tuple[Json, Json]]:
    """Yield every place of a payload as its container and key."""
    if within is not None:
        yield within, key
    if isinstance(value, dict):
        for name in value:
            yield from _places(value[name], value, name)
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from _places(value[index], value, index)


# -- payloads ---------------------------------------------------------------------------------------------------------


def spoil_payload(rng: Random, payload: dict[str, Json]) -> None:
    """Change one thing about a payload."""
    places = list(_places(payload))
    change = rng.randrange(5)
    if not places or change == 0:
        payload[rng.choice(("extra", "customData", CANARY, "", "__class__", "timestamp", "connectorId"))] = odd_value(
            rng
        )
        return
    within, key = rng.choice(places)
    match change:
        case 1:
            del within[key]
        case 2 if isinstance(within, list):
            within.extend([within[key]] * rng.choice((1, 10, 300)))
        case 2:
            within[key.swapcase()] = within.pop(key)
        case _:
            within[key] = odd_value(rng)


def odd_payload(rng: Random, _version: Version, call: Call) -> Throw:
    """One to five things about the payload are wrong."""
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        spoil_payload(rng, call.payload)
    return _answered("odd payload", call, call.parts)


def valid(_rng: Random, _version: Version, call: Call) -> Throw:
    """Nothing is wrong, but perhaps the moment."""
    return _answered("valid", call, call.parts)


def no_object(rng: Random, _version: Version, call: Call) -> Throw:
    """The payload is no object."""
    return _answered(
        "payload that is no object", call, [*call.parts[:3], rng.choice((None, [], "x", 1, True, [CANARY]))]
    )


# -- messages ---------------------------------------------------------------------------------------------------------


def odd_id(rng: Random, _version: Version, call: Call) -> Throw:
    """The id is not what it should be, but can be read."""
    odd = rng.choice((7, 0, -1, 1.5, "7" * 36, "ü" * 100, "😀", " ", "null", call.message_id + "\n"))
    return Throw(
        how="odd id",
        raw=_text([2, odd, call.action, call.payload]),
        fate=Fate.ANSWERED,
        message_id=odd,
        action=call.action,
    )


def no_id(rng: Random, _version: Version, call: Call) -> Throw:
    """The id cannot be read."""
    bad: Json = rng.choice((None, "", [], {}, True, [call.message_id], CANARY * 100))
    return Throw(how="no id", raw=_text([2, bad, call.action, call.payload]), fate=Fate.UNREADABLE)


def odd_type(rng: Random, _version: Version, call: Call) -> Throw:
    """The type of the message is none."""
    kind: Json = rng.choice(("2", 0, 1, 7, -1, 22, 2.5, None, [], {}, "CALL", 2**64))
    return Throw(how="odd type", raw=_text([kind, *call.parts[1:]]), fate=Fate.UNREADABLE, message_id=call.message_id)


def too_few(rng: Random, _version: Version, call: Call) -> Throw:
    """Elements are missing."""
    kept = rng.randint(0, 3)
    if kept < 2:
        return Throw(how="too few elements", raw=_text(call.parts[:kept]), fate=Fate.UNREADABLE)
    return _answered("too few elements", call, call.parts[:kept])


def too_many(rng: Random, _version: Version, call: Call) -> Throw:
    """There are more elements than there should be."""
    return _answered("too many elements", call, call.parts + [odd_value(rng) for _ in range(rng.choice((1, 3)))])


def odd_action(rng: Random, version: Version, call: Call) -> Throw:
    """The action is none, or one that is only asked of charge points."""
    actions: tuple[Json, ...] = (
        "",
        "X",
        CANARY,
        call.action.lower(),
        CANARY * 20,
        "__init__",
        1,
        None,
        [],
        {},
        *vocabulary.actions(version),
    )
    odd = rng.choice(actions)
    return _answered(
        "odd action", call, [2, call.message_id, odd, call.payload], action=odd if isinstance(odd, str) else ""
    )


def unasked(rng: Random, _version: Version, call: Call) -> Throw:
    """An answer that nobody asked for."""
    message_id = rng.choice((call.message_id, "-1", "", 5, None, CANARY))
    result = [3, message_id, rng.choice((call.payload, odd_value(rng)))]
    error = [4, message_id, odd_value(rng), odd_value(rng), odd_value(rng)]
    parts = rng.choice((result, error, error[: rng.randint(1, 4)], [3]))
    return Throw(how="unasked answer", raw=_text(parts), fate=Fate.UNREADABLE)


def not_a_list(rng: Random, _version: Version, call: Call) -> Throw:
    """JSON, but no message."""
    return Throw(
        how="no list",
        raw=_text(rng.choice((call.payload, call.action, 2, None, True, {"2": call.parts}, [call.parts]))),
        fate=Fate.UNREADABLE,
    )


# -- texts ------------------------------------------------------------------------------------------------------------


def cut_off(rng: Random, _version: Version, call: Call) -> Throw:
    """The text ends too soon."""
    text = json.dumps(call.parts).encode()
    return Throw(how="cut off", raw=frame(TEXT, text[: rng.randrange(len(text))]), fate=Fate.UNREADABLE)


def flipped(rng: Random, _version: Version, call: Call) -> Throw:
    """Some characters are others."""
    text = bytearray(json.dumps(call.parts).encode())
    behind_id = len(json.dumps(call.parts[:2]))
    for _ in range(rng.randint(1, 4)):
        text[rng.randrange(behind_id, len(text))] = rng.randrange(32, 127)
    return Throw(how="flipped", raw=frame(TEXT, bytes(text)), fate=Fate.EITHER, message_id=call.message_id)


def odd_text(rng: Random, _version: Version, call: Call) -> Throw:
    """JSON that some readers take and others do not."""
    head = f'[2,"{call.message_id}","{call.action}",'
    deep = rng.choice(NESTING)
    text = rng.choice(
        (
            "",
            " \n\t ",
            "\ufeff" + json.dumps(call.parts),
            json.dumps(call.parts) + CANARY,
            json.dumps(call.parts) * 2,
            f'{head}{{"connectorId":NaN}}]',
            f'{head}{{"connectorId":{"9" * 4500}}}]',
            f'{head}{{"connectorId":1e400}}]',
            f'{head}{{"idTag":"\\ud800"}}]',
            f'{head}{{"connectorId":1,"connectorId":2}}]',
            f'{head}{{"a":/* {CANARY} */1}}]',
            head + '{"a":' * deep + "1" + "}" * deep + "]",
            "[" * deep,
            f"[{'9' * 5000}]",
            f"{{'{CANARY}':1}}",
        )
    )
    return Throw(how="odd text", raw=frame(TEXT, text.encode()), fate=Fate.EITHER, message_id=call.message_id)


# -- websocket frames -------------------------------------------------------------------------------------------------


def binary(_rng: Random, _version: Version, call: Call) -> Throw:
    """A valid call in a binary frame."""
    return _answered("binary", call, call.parts, opcode=BINARY)


def fragments(rng: Random, _version: Version, call: Call) -> Throw:
    """A valid call in pieces, with pings in between."""
    text = json.dumps(call.parts).encode()
    cuts = sorted(rng.randrange(len(text) + 1) for _ in range(rng.randint(1, 5)))
    pieces = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    raw = b""
    for number, piece in enumerate(pieces):
        raw += frame(TEXT if number == 0 else CONTINUATION, piece, last=number == len(pieces) - 1)
        if number < len(pieces) - 1 and rng.random() < 0.5:
            raw += frame(PING, CANARY.encode())
    return Throw(how="fragments", raw=raw, fate=Fate.ANSWERED, message_id=call.message_id, action=call.action)


def oversized(rng: Random, _version: Version, call: Call) -> Throw:
    """More than anybody has to take, in one frame or in many."""
    text = json.dumps([*call.parts[:3], {"a": CANARY[:1] * OVERSIZE}]).encode()
    half = len(text) // 2
    pieces = frame(TEXT, text[:half], last=False) + frame(CONTINUATION, text[half:])
    return _ends("oversized", rng.choice((frame(TEXT, text), pieces)), TOO_BIG)


def no_text(rng: Random, _version: Version, _call: Call) -> Throw:
    """A text frame that is not UTF-8."""
    return _ends(
        "no text", frame(TEXT, rng.choice((b"\xff\xfe\xfd", b'[2,"\xc3","Heartbeat",{}]', b"\xed\xa0\x80"))), NOT_TEXT
    )


def broken_frame(rng: Random, _version: Version, call: Call) -> Throw:
    """What the rules of websockets do not allow."""
    text = json.dumps(call.parts).encode()
    raw = rng.choice(
        (
            frame(TEXT, text, reserved=rng.choice((1, 2, 7))),
            frame(rng.choice((3, 7, 11, 15)), text),
            frame(CONTINUATION, text),
            frame(TEXT, text[:9], last=False) + frame(TEXT, text[9:]),
            frame(PING, b"p" * TOO_LONG_PING),
            frame(PING, b"p", last=False),
            frame(8, b"\x00"),
            frame(8, b"\x00\x05"),
        )
    )
    return _ends("broken frame", raw, MALFORMED)


def _text(parts: Json) -> bytes:
    return frame(TEXT, json.dumps(parts).encode()[:LARGEST])


def _answered(how: str, call: Call, parts: list[Json], *, action: str | None = None, opcode: int = TEXT) -> Throw:
    text = json.dumps(parts).encode()
    if len(text) > LARGEST:
        return _ends(f"{how}, oversized", frame(opcode, text), TOO_BIG)
    return Throw(
        how=how,
        raw=frame(opcode, text),
        fate=Fate.ANSWERED,
        message_id=call.message_id,
        action=call.action if action is None else action,
    )


def _ends(how: str, raw: bytes, code: int) -> Throw:
    return Throw(how=how, raw=raw, fate=Fate.ENDS, codes=frozenset({code}))


MIX: dict[Spoil, int] = {
    odd_payload: 40,
    valid: 6,
    no_object: 3,
    odd_id: 4,
    no_id: 4,
    odd_type: 4,
    too_few: 3,
    too_many: 2,
    odd_action: 6,
    unasked: 6,
    not_a_list: 2,
    cut_off: 4,
    flipped: 6,
    odd_text: 6,
    binary: 2,
    fragments: 4,
    oversized: 1,
    no_text: 1,
    broken_frame: 2,
}
SPOILS, WEIGHTS = tuple(MIX), tuple(MIX.values())
