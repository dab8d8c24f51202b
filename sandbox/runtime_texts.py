"""The texts of the runtimes: tools, skills, resources, prompts. The same name always gives the same texts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from core.strict_json import JsonObject
from sandbox.runtime_specs import RuntimeSpec


@dataclass(frozen=True, slots=True)
class Domain:
    """A field of work, such as pharmacy fraud, from which the functions of this module make the texts of a runtime.

    The names of the field's runtimes start with `slug`. `purpose` ends a sentence that begins with `title`. `things`
    are the objects that the field's tools handle. `own` are names and texts of tools that no other field has.
    """

    slug: str
    title: str
    purpose: str
    things: tuple[str, str, str]
    own: tuple[tuple[str, str], ...]


DOMAINS = (
    Domain(
        "pharmacy_fraud",
        "Pharmacy fraud",
        "finds forged and doubled prescriptions in pharmacy claims",
        ("prescription", "pharmacy claim", "prescriber"),
        (
            ("score_claim_risk", "Score how likely a pharmacy claim is fraudulent, with the rules that fired."),
            ("find_duplicate_prescriptions", "Find prescriptions that were filled twice under different patients."),
            ("check_controlled_substances", "Check a patient's controlled substances against the legal limits."),
        ),
    ),
    Domain(
        "invoice_matching",
        "Invoice matching",
        "matches supplier invoices to orders and deliveries",
        ("invoice", "purchase order", "supplier"),
        (
            ("match_invoice", "Match one invoice to its purchase order and goods receipt, line by line."),
            ("extract_invoice_fields", "Read amount, currency, due date and tax number out of a scanned invoice."),
            ("explain_price_variance", "Explain why an invoiced price differs from the agreed one."),
        ),
    ),
    Domain(
        "weather_forecast",
        "Weather forecast",
        "answers questions about weather, warnings and climate averages",
        ("forecast", "weather station", "storm warning"),
        (
            ("get_forecast", "Get the hourly forecast for a place: temperature, wind, rain."),
            ("list_storm_warnings", "List the official storm and flood warnings in force for a region."),
            ("compare_climate", "Compare this month's weather with the thirty-year average."),
        ),
    ),
    Domain(
        "ticket_triage",
        "Ticket triage",
        "sorts support tickets by urgency, product and mood",
        ("support ticket", "customer", "service level"),
        (
            ("classify_ticket", "Classify a support ticket by product, urgency and sentiment."),
            ("suggest_reply", "Suggest a reply to a customer from the knowledge base."),
            ("route_ticket", "Route a ticket to the team that resolved the most similar ones."),
        ),
    ),
    Domain(
        "code_review",
        "Code review",
        "reviews pull requests for defects, style and security",
        ("pull request", "repository", "review comment"),
        (
            ("review_diff", "Review a diff and point at defects, with a severity for each."),
            ("find_secrets", "Find credentials and private keys that were committed by mistake."),
            ("explain_failing_test", "Explain why a test fails and which change made it fail."),
        ),
    ),
    Domain(
        "contract_analysis",
        "Contract analysis",
        "reads contracts for obligations, dates and unusual clauses",
        ("contract", "clause", "counterparty"),
        (
            ("extract_obligations", "Extract who owes what to whom by when out of a contract."),
            ("compare_clauses", "Compare a clause with the company's standard wording."),
            ("find_termination_dates", "Find notice periods and dates of automatic renewal."),
        ),
    ),
    Domain(
        "inventory_planning",
        "Inventory planning",
        "plans stock levels and reorders for warehouses",
        ("stock item", "warehouse", "reorder"),
        (
            ("forecast_demand", "Forecast the demand for an item from its sales history and season."),
            ("propose_reorder", "Propose what to reorder today, with quantities and suppliers."),
            ("find_slow_movers", "Find items that bind capital and have not moved for months."),
        ),
    ),
    Domain(
        "travel_booking",
        "Travel booking",
        "plans business trips within the travel policy",
        ("itinerary", "flight", "hotel"),
        (
            ("search_flights", "Search flights between two cities, with fares and emissions."),
            ("check_travel_policy", "Check a trip against the travel policy and say what needs approval."),
            ("rebook_trip", "Rebook a disrupted trip onto the next connection."),
        ),
    ),
    Domain(
        "document_search",
        "Document search",
        "searches manuals, policies and meeting notes with citations",
        ("document", "collection", "citation"),
        (
            ("semantic_search", "Search documents by meaning and return passages with their sources."),
            ("answer_with_sources", "Answer a question from documents alone, citing each sentence."),
            ("summarize_document", "Summarize a document for a reader with five minutes."),
        ),
    ),
    Domain(
        "energy_monitoring",
        "Energy monitoring",
        "watches meters and finds wasted electricity and heat",
        ("smart meter", "building", "load curve"),
        (
            ("detect_anomalies", "Detect unusual consumption in the readings of a meter."),
            ("forecast_load", "Forecast the electric load of a building for the next day."),
            ("estimate_savings", "Estimate what an efficiency measure saves in a year."),
        ),
    ),
    Domain(
        "candidate_screening",
        "Candidate screening",
        "prepares job applications for recruiters",
        ("application", "job opening", "interview"),
        (
            ("summarize_resume", "Summarize an applicant's experience against a job opening."),
            ("schedule_interview", "Find a slot that suits applicant and interviewers."),
            ("anonymize_application", "Remove name, age and photo from an application."),
        ),
    ),
    Domain(
        "fleet_routing",
        "Fleet routing",
        "routes delivery vans around traffic, hours and loads",
        ("delivery van", "route", "parcel"),
        (
            ("optimize_route", "Optimize the order of stops for a van with time windows."),
            ("estimate_arrival", "Estimate when a parcel arrives, from live traffic."),
            ("plan_charging", "Plan where electric vans charge without missing a delivery."),
        ),
    ),
    Domain(
        "radiology_report",
        "Radiology report",
        "drafts and checks reports on medical images",
        ("radiology report", "imaging study", "finding"),
        (
            ("draft_report", "Draft a structured report from a radiologist's dictation."),
            ("compare_studies", "Compare a study with the patient's earlier ones."),
            ("flag_critical_findings", "Flag findings that someone must hear about today."),
        ),
    ),
    Domain(
        "compliance_audit",
        "Compliance audit",
        "collects evidence for audits and watches controls",
        ("control", "audit finding", "evidence"),
        (
            ("collect_evidence", "Collect the evidence for a control from the systems of record."),
            ("map_controls", "Map controls between ISO 27001 and SOC 2."),
            ("screen_sanctions", "Screen a business partner against sanctions lists."),
        ),
    ),
)

_VERBS = (
    ("list", "List every {thing}, newest first, with paging."),
    ("get", "Get one {thing} with its full history."),
    ("search", "Search for a {thing} by free text and filters."),
    ("create", "Create a {thing} and return its id."),
    ("update", "Update the fields of a {thing}."),
    ("validate", "Validate a {thing} and list what is missing or wrong."),
    ("export", "Export each {thing} of a period as a table."),
    ("compare", "Compare one {thing} with another and name the differences."),
    ("archive", "Archive a {thing} that is no longer needed."),
)


def stable_number(text: str) -> int:
    """Return a number that depends only on `text`, unlike `hash`, which differs between processes."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def domain_of(name: str) -> Domain:
    """Return the domain whose slug starts `name`; if no slug does, the domain that `stable_number(name)` selects."""
    for domain in DOMAINS:
        if name.startswith(domain.slug):
            return domain
    return DOMAINS[stable_number(name) % len(DOMAINS)]


def make_tools(name: str, count: int) -> tuple[JsonObject, ...]:
    """Return `count` MCP tools of the domain of `name`, no two with the same name."""
    domain = domain_of(name)
    texts = dict(domain.own)
    for verb, text in _VERBS:
        for thing in domain.things:
            # A tool of the domain's own replaces a general one of the same name.
            texts.setdefault(f"{verb}_{thing.replace(' ', '_')}", text.format(thing=thing))
    for number in range(count - len(texts)):
        texts[f"{domain.slug}_report_{number}"] = f"Make report {number} of {domain.title.lower()}."
    return tuple(_tool(tool_name, text) for tool_name, text in list(texts.items())[:count])


def _tool(name: str, description: str) -> JsonObject:
    properties: JsonObject = {
        "query": {"type": "string", "description": "What to work on: an id or free text."},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    }
    schema: JsonObject = {"type": "object", "properties": properties, "required": ["query"]}
    return {"name": name, "description": description, "inputSchema": schema}


def make_skills(name: str, count: int) -> tuple[JsonObject, ...]:
    """Return `count` A2A skills of the domain of `name`, with tags and two examples each."""
    domain = domain_of(name)
    return tuple(_skill(domain, tool) for tool in make_tools(name, count))


def _skill(domain: Domain, tool: JsonObject) -> JsonObject:
    skill_id, description = str(tool["name"]), str(tool["description"])
    title = skill_id.replace("_", " ").capitalize()
    examples: list[str] = [f"{title} for {domain.things[0]} 4711", f"Could you {title.lower()} since last Monday?"]
    return {
        "id": skill_id,
        "name": title,
        "description": description,
        "tags": [*domain.slug.split("_"), skill_id.split("_")[0]],
        "examples": [*examples],
    }


def make_resources(name: str) -> tuple[JsonObject, ...]:
    """Return the MCP resources of the domain of `name`."""
    domain = domain_of(name)
    handbook: JsonObject = {
        "uri": f"sandbox://{domain.slug}/handbook",
        "name": f"{domain.slug}_handbook",
        "description": f"The {domain.title.lower()} handbook.",
        "mimeType": "text/markdown",
    }
    glossary: JsonObject = {
        "uri": f"sandbox://{domain.slug}/glossary",
        "name": f"{domain.slug}_glossary",
        "description": f"What {', '.join(domain.things)} mean here.",
        "mimeType": "text/plain",
    }
    return (handbook, glossary)


def make_prompts(name: str) -> tuple[JsonObject, ...]:
    """Return the MCP prompts of the domain of `name`."""
    domain = domain_of(name)
    thing = domain.things[0]
    return (
        {
            "name": f"explain_{thing.replace(' ', '_')}",
            "description": f"Explain a {thing} to someone who is new to {domain.title.lower()}.",
            "arguments": [{"name": "id", "description": f"Which {thing}.", "required": True}],
        },
    )


def describe(name: str, protocol: str) -> str:
    """Return the one-sentence description of a runtime of this name."""
    domain = domain_of(name)
    kind = {"MCP": "MCP server", "A2A": "agent"}.get(protocol, "service")
    return f"{domain.title} {kind}: {domain.purpose}."


def make_spec(name: str, protocol: str, *, tools: int = 5) -> RuntimeSpec:
    """Return a healthy IAM runtime of this name; half of the MCP servers have resources and prompts too."""
    spec = RuntimeSpec(name=name, protocol=protocol, description=describe(name, protocol))
    return with_protocol(spec, protocol, tools=tools)


def with_protocol(spec: RuntimeSpec, protocol: str, *, tools: int = 5) -> RuntimeSpec:
    """Return `spec` with another protocol, and with the tools or skills that the protocol has."""
    name, is_mcp = spec.name, protocol == "MCP"
    is_rich = is_mcp and stable_number(name) % 2 == 0
    return replace(
        spec,
        protocol=protocol,
        tools=make_tools(name, tools) if is_mcp else (),
        resources=make_resources(name) if is_rich else (),
        prompts=make_prompts(name) if is_rich else (),
        skills=make_skills(name, min(tools, 4)) if protocol == "A2A" else (),
        streams=is_mcp and stable_number(name) % 5 == 0,
    )
