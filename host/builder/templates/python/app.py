"""Sends a document's id and its total, and nothing else."""

import json

from wit_world import exports
from wit_world.imports.types import Event, Integration, Outcome

from hookmill import deliver, json_body, reject, request, skip


class Transformer(exports.Transformer):
    def transform(self, event: Event, integration: Integration) -> Outcome:
        if event.kind != "document_predict":
            return skip(f"{event.kind} has no total")
        # Floats round numbers of more than 15 digits; event.data is the text as it was posted.
        data = json.loads(event.data)
        found = data.get("prediction", {}).get("annotations", {}).get("gross_amount") or []
        if not found:
            return reject("the document has no gross amount")
        total = found[0]["value"]
        print("total", total)
        return deliver(request(json_body({"document": data["id"], "total": total})))
