"""The tools, skills and texts of the runtimes of a hub with volume."""

from __future__ import annotations

from core.strict_json import Json, JsonObject
from sandbox.runtime_texts import DOMAINS, Domain, make_skills, make_tools, stable_number

READING = ("list", "get", "search", "find", "compare", "explain", "check", "validate", "export", "summarize")
PARAMETERS: tuple[tuple[str, JsonObject], ...] = (
    ("id", {"type": "string", "description": "The id of the record.", "pattern": "^[A-Z]{2}-[0-9]{6}$"}),
    ("query", {"type": "string", "description": "Free text; quotes keep words together.", "maxLength": 400}),
    ("email", {"type": "string", "format": "email", "description": "E-mail address of the person to notify."}),
    ("reply_to", {"type": "string", "format": "email", "description": "The e-mail address that gets the answer."}),
    ("from", {"type": "string", "format": "date", "description": "The first day of the period."}),
    ("to", {"type": "string", "format": "date", "description": "The last day of the period."}),
    ("limit", {"type": "integer", "minimum": 1, "maximum": 200, "default": 20, "description": "Rows of a page."}),
    ("cursor", {"type": "string", "description": "The cursor of the page before."}),
    ("status", {"type": "string", "enum": ["open", "waiting", "closed"], "description": "The state to select."}),
    ("currency", {"type": "string", "enum": ["EUR", "USD", "GBP", "CHF"], "default": "EUR"}),
    ("amount", {"type": "number", "exclusiveMinimum": 0, "description": "The amount, in the currency's main unit."}),
    ("country", {"type": "string", "description": "ISO 3166-1 alpha-2 code.", "minLength": 2, "maxLength": 2}),
    ("language", {"type": "string", "default": "en", "description": "The language of the answer, as BCP 47 tag."}),
    ("dry_run", {"type": "boolean", "default": False, "description": "Only say what would change."}),
    ("labels", {"type": "array", "items": {"type": "string"}, "maxItems": 20, "description": "Labels to add."}),
    ("address", {"type": "object", "description": "A postal address.", "properties": {
        "street": {"type": "string"}, "postcode": {"type": "string"}, "city": {"type": "string"}},
        "required": ["postcode", "city"]}),
)  # fmt: skip


def domain_number(number: int) -> Domain:
    """Return the field of work of the runtime with this number in its account."""
    return DOMAINS[number % len(DOMAINS)]


def tools_of(name: str, count: int) -> tuple[JsonObject, ...]:
    """Return `count` tools of the runtime `name`, each with parameters of its own."""
    return tuple(_with_parameters(name, tool) for tool in make_tools(name, count))


def skills_of(name: str, count: int) -> tuple[JsonObject, ...]:
    """Return `count` skills of the agent `name`."""
    return make_skills(name, count)


def _with_parameters(name: str, tool: JsonObject) -> JsonObject:
    tool_name = str(tool["name"])
    number = stable_number(f"{name} {tool_name}")
    chosen = [PARAMETERS[(number >> 4 * place) % len(PARAMETERS)] for place in range(2 + number % 4)]
    properties: JsonObject = dict(chosen)
    required: list[Json] = [*list(properties)[: 1 + number % 2]]
    reads = tool_name.startswith(READING)
    result: JsonObject = {
        **tool,
        "inputSchema": {"type": "object", "properties": properties, "required": required},
        "annotations": {"readOnlyHint": reads, "destructiveHint": not reads and number % 3 == 0},
    }
    if number % 3 == 0:
        result["title"] = tool_name.replace("_", " ").capitalize()
        result["outputSchema"] = {"type": "object", "properties": {"items": {"type": "array"}}, "required": ["items"]}
    return result
