"""The schemas of the Open Charge Alliance, as the `ocpp` package ships them: what we send has to fulfil them."""

import json
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft4Validator

_SCHEMAS = files("ocpp.v16") / "schemas"


@cache
def _validator(name: str) -> Draft4Validator | None:
    schema = _SCHEMAS / f"{name}.json"
    if not schema.is_file():
        return None
    return Draft4Validator(json.loads(schema.read_text(encoding="utf-8-sig"), parse_float=Decimal))


def conforms(name: str, payload: Any) -> bool:
    """Raise what is wrong with a payload; return whether there is a schema of that name at all.

    `name` is an action for a request, and an action with "Response" for an answer.
    """
    validator = _validator(name)
    if validator is not None:
        validator.validate(json.loads(json.dumps(payload), parse_float=Decimal))
    return validator is not None
