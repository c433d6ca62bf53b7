"""CustomerInformation of the CSMS, from what the gateway itself holds about a customer (spec 5.9)."""

from __future__ import annotations

from ..dialogue import Dialogue, Refusal, Row, Rule, Silence, Talk
from ..models import v16, v201
from ..tokens import alias, id_tag_of
from ..values import format_time
from .charger import ask, facts_of, options_of

PART = 512
"""Longest `data` of a NotifyCustomerInformation."""


def customer_information(d: Dialogue, request: v201.CustomerInformationRequest) -> Rule:
    """Exactly one reference to the customer is required (N09.FR.09)."""
    references = (request.idToken, request.customerCertificate, request.customerIdentifier)
    if sum(reference is not None for reference in references) != 1:
        return v201.CustomerInformationResponse(status="Invalid")
    if not request.report and not request.clear:
        return v201.CustomerInformationResponse(status="Rejected")
    tags: set[str] = set()
    if request.idToken is not None:
        tags = {request.idToken.idToken.casefold(), alias(request.idToken).casefold()} - {""}
    elif request.customerIdentifier is not None:
        tags = {request.customerIdentifier.casefold()}
    lines = _known(d, tags)
    if request.idToken is not None and not request.clear:  # the registry learns it (spec 2.3)
        id_tag_of(request.idToken, facts_of(d).tokens, no_auth=options_of(d).no_auth_idtag)
    yield from d.answer(v201.CustomerInformationResponse(status="Accepted"))
    if request.clear:
        _forget(d, tags)
        try:
            yield from ask(d, v16.ClearCacheRequest())
        except (Refusal, Silence):
            pass  # the gateway's own records are cleared
    text = ("\n".join(lines) or "no data") if request.report else "cleared"  # which is told too (N10.FR.06)
    parts = [text[start : start + PART] for start in range(0, len(text), PART)]
    at = format_time(d.clock)
    for seq_no, part in enumerate(parts):
        yield from d.ask(
            "csms",
            v201.NotifyCustomerInformationRequest(
                data=part,
                seqNo=seq_no,
                generatedAt=at,
                requestId=request.requestId,
                tbc=True if seq_no < len(parts) - 1 else None,
            ),
        )
    return None


def _known(d: Dialogue, tags: set[str]) -> list[str]:
    facts = facts_of(d)
    lines: list[str] = []
    for tag in sorted(tags):
        if (token := facts.tokens.get(tag)) is not None:
            lines.append(f"token: {token.idToken} ({token.type})")
        if (verdict := facts.authorizations.get(tag)) is not None:
            lines.append(f"authorization: {verdict.info.get('status')} at {format_time(verdict.at)}")
        if (entry := facts.local_list.entries.get(tag)) is not None:
            lines.append(f"local list: {entry.get('status')}")
    for transaction in [*facts.ended, *facts.transactions]:
        if transaction.id_tag.casefold() in tags:
            lines.append(f"transaction: {transaction.uuid} started {transaction.started_at} ({transaction.state})")
    return lines


def _forget(d: Dialogue, tags: set[str]) -> None:
    """The running transactions stay: they are billing data in use."""
    facts = facts_of(d)
    for tag in tags:
        facts.authorizations.pop(tag, None)
        if not any(each.id_tag.casefold() == tag for each in facts.transactions):
            facts.tokens.pop(tag, None)
    for transaction in facts.ended:
        if transaction.id_tag.casefold() in tags:
            transaction.token = None
            transaction.id_tag = ""


FROM_CSMS: dict[str, Row] = {"CustomerInformation": Talk(customer_information)}
