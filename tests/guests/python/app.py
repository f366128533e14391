"""Does what its configuration asks: {"do": "chance"}."""

import datetime
import json
import math
import os
import random
import secrets
import socket
import struct
import sys
import time
import uuid

from wit_world import exports
from wit_world.imports.types import Event, Integration, Outcome

from hookmill import deliver, json_body, request, skip


def bits(number: float) -> str:
    return struct.pack("<d", number).hex()


def chance(_) -> dict:
    """All that may differ from process to process, from host to host."""
    infinity = float("inf")
    words = ["zebra", "apple", "mango", "kiwi", "plum"]
    return {
        "clock": time.time_ns() // 1_000_000,
        "time": datetime.datetime.now().isoformat(),
        "monotonic": [time.monotonic_ns(), time.perf_counter_ns(), time.process_time_ns()],
        "local_time": time.strftime("%c %Z", time.localtime()),
        "random": [random.random(), random.sample(words, 3)],
        "secure": [os.urandom(8).hex(), secrets.token_hex(8), str(uuid.uuid4()), random.SystemRandom().random()],
        "nan": [bits(number) for number in (float("nan"), -float("nan"), infinity - infinity, infinity * 0)],
        "floats": [[repr(n), bits(n)] for n in (0.1 + 0.2, math.sin(1e22), math.exp(0.5), math.gamma(0.3), 5e-324, -0.0)],
        "order": [list(set(words)), list({word: 1 for word in words}), [hash(word) for word in words], hash((1, "a")), list(vars(Chance))],
        "address": id(object()),
    }


class Chance:
    z = 1
    a = 2


def attempt(deed) -> object:
    try:
        return deed()
    except Exception as error:
        return type(error).__name__


def surroundings(_) -> dict:
    """What it finds around itself."""
    return {
        "environment": dict(os.environ),
        "arguments": sys.argv,
        "input": attempt(sys.stdin.read),
        "files": attempt(lambda: open("/etc/passwd").read()),
        "writes": attempt(lambda: open("/tmp/a", "w").write("a")),
        "folder": attempt(lambda: os.listdir("/")),
        "socket": attempt(lambda: socket.socket().connect(("127.0.0.1", 80))),
        "datagram": attempt(lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"a", ("127.0.0.1", 53))),
        "listener": attempt(lambda: str(socket.create_server(("127.0.0.1", 0)))),
        # As bytes: the codec for names is not part of the component.
        "name": attempt(lambda: socket.getaddrinfo(b"localhost", 80)),
        "process": attempt(lambda: os.system("true")),
    }


def given(config: dict) -> dict:
    """What comes of nothing but the event: without WASI, too."""
    event = config["event"]
    return {"kind": event.kind, "data": json.loads(event.data), "sorted": sorted([10, 9, 1]), "third": 1 / 3}


def say(_) -> dict:
    print("said on stdout")
    print("said on stderr", file=sys.stderr)
    return {}


def throw(config: dict) -> dict:
    raise ValueError(config["message"])


DEEDS = {"chance": chance, "surroundings": surroundings, "given": given, "print": say, "throw": throw}


class Transformer(exports.Transformer):
    def transform(self, event: Event, integration: Integration) -> Outcome:
        config = json.loads(integration.config)
        deed = DEEDS.get(config["do"])
        return deliver(request(json_body(deed({**config, "event": event})))) if deed else skip(f"nothing is known of {config['do']}")
