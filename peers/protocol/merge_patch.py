"""Merging a state delta into a state (RFC 7396, section 2)."""

from core.strict_json import Json, JsonMapping, JsonObject


def merge_patch(target: JsonMapping, patch: JsonMapping) -> JsonObject:
    """Return `target` with `patch` merged in: null removes a member, an object merges, all else replaces.

    Neither argument is changed. The depth is that of the patch, which the strict reader has bounded.
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
