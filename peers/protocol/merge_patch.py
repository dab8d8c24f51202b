"""The merge of a state delta into a state (RFC 7396, section 2)."""

from core.strict_json import Json, JsonMapping, JsonObject


def merge_patch(target: JsonMapping, patch: JsonMapping) -> JsonObject:
    """Return `target` merged with `patch`: null removes a member, an object merges, every other value replaces.

    The arguments are not changed. The recursion is as deep as the patch, whose depth the strict reader limits.
    """
    merged: JsonObject = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged


def _merged(target: Json, value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    return merge_patch(target if isinstance(target, dict) else {}, value)
