"""The schemas of the Open Charge Alliance, as the `ocpp` package ships them: what we send has to fulfil them."""

import json
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft4Validator, Draft6Validator

V16, V201, V21 = "v16", "v201", "v21"


@cache
def _validator(name: str, version: str) -> Draft4Validator | Draft6Validator | None:
    of_2 = version != V16
    if of_2 and not name.endswith("Response"):
        name = f"{name}Request"
    schema = files(f"ocpp.{version}") / "schemas" / f"{name}.json"
    if not schema.is_file():
        return None
    kind = Draft6Validator if of_2 else Draft4Validator
    return kind(json.loads(schema.read_text(encoding="utf-8-sig"), parse_float=Decimal))


def conforms(name: str, payload: Any, version: str = V16) -> bool:
    """Raise what is wrong with a payload; return whether there is a schema of that name at all.

    `name` is an action for a request, and an action with "Response" for an answer.
    """
    validator = _validator(name, version)
    if validator is not None:
        validator.validate(json.loads(json.dumps(payload), parse_float=Decimal))
    return validator is not None
