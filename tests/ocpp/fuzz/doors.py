"""What is no way to begin: requests, handshakes and bytes at which no conversation can start."""

from __future__ import annotations

import base64
import ssl
from random import Random

from .throws import CANARY
from .wire import TEXT, frame

KEY = base64.b64encode(b"0123456789abcdef").decode()
DEFLATE = "permessage-deflate; server_max_window_bits=99"
HELLO = bytes.fromhex("16030100c8010000c40303") + b"\x5a" * 120
"""The beginning of what a TLS client says."""


def request(path: str, *lines: str, method: str = "GET", protocol: str = "HTTP/1.1", **changed: str | None) -> bytes:
    """Return the request of a websocket, with some headers changed (None: left out) and others added."""
    headers: dict[str, str | None] = {
        "Host": "here",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Protocol": "ocpp1.6",
        **{name.replace("_", "-"): value for name, value in changed.items()},
    }
    told = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return "\r\n".join((f"{method} {path} {protocol}", *told, *lines, "", "")).encode("utf-8", "surrogateescape")


def knock(rng: Random, identity: str) -> bytes:
    """Return what is said at the door."""
    path = f"/ocpp/{identity}"
    good = request(path)
    odd_path = rng.choice(
        (
            "/",
            "",
            "*",
            f"/{'x' * 70}",
            f"/{CANARY}" * 3000,
            "/%00",
            "/%ff%fe",
            "/..%2f..",
            "/\udcff",
            "/a b",
            "http://x/y/",
            "/%",
        )
    )
    return rng.choice(
        (
            rng.randbytes(rng.choice((1, 16, 400, 20_000))),
            HELLO,
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET\r\n\r\n",
            b"\r\n" * rng.choice((1, 5000)),
            f"{CANARY}\r\n\r\n".encode(),
            f"GET {path} {CANARY}\r\n\r\n".encode(),
            good[: rng.randrange(len(good))],
            request(odd_path),
            request(path, method=rng.choice(("POST", "PUT", CANARY, "get", "CONNECT"))),
            request(path, protocol=rng.choice(("HTTP/1.0", "HTTP/9.9", "HTTP/1", ""))),
            request(path, f"X: {CANARY * 2000}"),
            request(path, *(f"X{number}: {CANARY}" for number in range(rng.choice((50, 3000))))),
            request(path, f"Bad Name: {CANARY}"),
            request(path, ": nothing", "\x00: zero"),
            request(path, "Content-Length: 5", "Content-Length: 6"),
            request(path, "Content-Length: 100000000"),
            request(path, "Content-Length: -1"),
            request(path, "Transfer-Encoding: chunked") + b"zz\r\n",
            request(path, "Expect: 100-continue", method="POST"),
            request(path, Upgrade=rng.choice((None, "h2c", CANARY, "websocket, websocket"))),
            request(path, Connection=rng.choice((None, "close", "keep-alive"))),
            request(path, Sec_WebSocket_Version=rng.choice((None, "7", CANARY, "13, 8"))),
            request(path, Sec_WebSocket_Key=rng.choice((None, "", "short", CANARY * 20))),
            request(path, Sec_WebSocket_Protocol=rng.choice(("", CANARY, ",,,,", ", ".join(["x"] * 800)))),
            request(
                path,
                f"Sec-WebSocket-Extensions: {rng.choice((DEFLATE, CANARY, ';'))}",
            ),
            request(
                path,
                f"Authorization: {rng.choice(('Basic', 'Basic %%%', 'Basic ' + 'QQ==' * 400, 'Bearer ' + CANARY))}",
            ),
            request(
                path,
                f"Authorization: Basic {base64.b64encode(rng.choice((b':', b'\xff:\xff', CANARY.encode()))).decode()}",
            ),
            request(path, method="POST", Upgrade=None) + request(path, Upgrade=None) * 20,
            request(path, Upgrade=None) + frame(TEXT, CANARY.encode()),
        )
    )


def hello(context: ssl.SSLContext) -> bytes:
    """Return what a good client of TLS says first."""
    outgoing = ssl.MemoryBIO()
    handshake = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="127.0.0.1")
    try:
        handshake.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake cannot be over before anybody has answered")


def broken_handshake(rng: Random, context: ssl.SSLContext) -> bytes:
    """Return what begins as TLS and cannot go on."""
    good = hello(context)
    flipped = bytearray(good)
    for _ in range(rng.choice((1, 3, 40))):
        flipped[rng.randrange(1, len(flipped))] ^= 1 << rng.randrange(8)
    record = bytes([22, 3, rng.choice((0, 1, 3, 4, 9))])
    return rng.choice(
        (
            good[: rng.randrange(1, len(good))],
            bytes(flipped),
            good + rng.randbytes(rng.choice((1, 400, 20_000))),
            good + good,
            good + request(f"/ocpp/{CANARY}"),
            good + bytes.fromhex("1503030002") + bytes([rng.choice((1, 2)), rng.randrange(120)]),
            record + b"\xff\xff" + rng.randbytes(400),
            record + b"\x00\x00" * rng.choice((1, 4000)),
            record + b"\x00\x04" + bytes([rng.randrange(256)]) + b"\xff\xff\xff",
            (record + b"\x00\x01\x01") * rng.choice((1, 3000)),
        )
    )
