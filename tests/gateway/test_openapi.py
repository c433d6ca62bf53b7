"""The OpenAPI document of the operators' port."""

from __future__ import annotations

import json

from gateway.admin.openapi import document
from tools.api_docs import operators


def test_the_document_is_whole() -> None:
    made = document(each for part in operators().parts for each in part.endpoints())
    operations = [(path, method, each) for path, item in made["paths"].items() for method, each in item.items()]
    assert len(operations) >= 45
    assert len({each["operationId"] for *_, each in operations}) == len(operations)
    for path, method, each in operations:
        assert path.startswith("/api/v1/") and each["summary"] and each["x-scope"] in ("read", "operate", "admin"), path
        assert (
            (method == "get") == (each["x-scope"] == "read") or each["x-scope"] == "admin" or path.endswith("translate")
        )
    references = {part.split('"')[0] for part in json.dumps(made).split("#/components/schemas/")[1:]}
    assert references <= made["components"]["schemas"].keys()
