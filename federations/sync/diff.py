"""The difference of two contents of a resource: its fields, its items, and the class of each change."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from federations.sync.compatibility.cards import judge_card
from federations.sync.compatibility.classes import ChangeClass, canonical_text, class_of, worst_class
from federations.sync.compatibility.fields import (
    judge_of_field,
    resource_created,
    resource_deleted,
)
from federations.sync.compatibility.items import (
    ItemKind,
    item_added,
    item_removed,
    judge_item,
    judge_skill,
    order_changed,
    respelled,
    skill_removed,
)
from federations.sync.compatibility.members import changed_members
from federations.sync.compatibility.texts import (
    encoded_blob,
    invisible_characters,
    look_alike_name,
    name_skeleton,
    new_texts,
    uri_skeleton,
)
from federations.sync.compatibility.work import Work
from federations.sync.resources import Json, JsonObject, ResourceKind

_SERVER_LISTS = {
    "tools": (ItemKind.TOOL, "name"),
    "resources": (ItemKind.RESOURCE, "uri"),
    "resourceTemplates": (ItemKind.RESOURCE_TEMPLATE, "uriTemplate"),
    "prompts": (ItemKind.PROMPT, "name"),
}
_AGENT_LISTS = {"skills": (ItemKind.SKILL, "id")}
_CARD_FIELD = "card."
_MODES = {"inputModes": "defaultInputModes", "outputModes": "defaultOutputModes"}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One member that differs. `before` or `after` is None if that side does not have the member."""

    field: str
    before: Json
    after: Json


@dataclass(frozen=True, slots=True)
class ItemChange:
    """One item that was created, updated or deleted, with its top-level members that differ.

    `name` is what identifies the item in its list: a name, a URI, a URI template or the id of a skill; it is empty for
    an item without one. `action` is `create`, `update` or `delete`. `rules` are sorted.
    """

    kind: ItemKind
    name: str
    action: str
    change_class: ChangeClass
    rules: tuple[str, ...]
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class ContentDiff:
    """The difference of two contents. `rules` come from `fields`, and `change_class` is the worst of all changes."""

    fields: tuple[FieldChange, ...] = ()
    items: tuple[ItemChange, ...] = ()
    change_class: ChangeClass = ChangeClass.COMPATIBLE
    rules: tuple[str, ...] = ()


def diff_contents(kind: ResourceKind, before: JsonObject | None, after: JsonObject | None) -> ContentDiff:
    """Return what differs from `before` to `after`, the contents of one resource of `kind`.

    `before` is None for a resource that is created, `after` for one that is deleted. The members may be missing and may
    have any type. Equal contents, which are equal as JSON texts without regard to the order of members, give an empty
    diff. Fields of an agent's card have the prefix `card.`.
    """
    return _Diff(kind, before, after).result()


@dataclass(slots=True)
class _Diff:
    kind: ResourceKind
    before: JsonObject | None
    after: JsonObject | None
    work: Work = field(default_factory=Work)
    fields: list[FieldChange] = field(default_factory=list)
    items: list[ItemChange] = field(default_factory=list)
    rules: set[str] = field(default_factory=set)

    def result(self) -> ContentDiff:
        if self.before is None and self.after is None:
            return ContentDiff()
        self._add_lists()
        self._add_fields()
        if self.before is None or self.after is None:
            rule = resource_created if self.before is None else resource_deleted
            self.rules = {rule.__name__} | {name for name in self.rules if name in _TEXT_RULES}
        change_class = worst_class([class_of(self.rules), *(item.change_class for item in self.items)])
        return ContentDiff(tuple(self.fields), tuple(self.items), change_class, tuple(sorted(self.rules)))

    def _add_lists(self) -> None:
        lists = _SERVER_LISTS if self.kind is ResourceKind.MCP_SERVER else _AGENT_LISTS
        defaults = _default_modes(self.before), _default_modes(self.after)
        for name, (item_kind, key) in lists.items():
            comparison = _ListComparison(item_kind, key, self.work, defaults)
            comparison.compare(_listed(self.before, name), _listed(self.after, name))
            self.items += comparison.changes
            self._add_order(name, comparison)
        if self.kind is ResourceKind.A2A_AGENT:
            self._add_served_skills(defaults)

    def _add_order(self, name: str, comparison: _ListComparison) -> None:
        old, new = comparison.order_before, comparison.order_after
        if canonical_text(old) != canonical_text(new):
            self.fields.append(FieldChange(name, old, new))
            self.rules.add(order_changed.__name__)

    def _add_served_skills(self, defaults: tuple[JsonObject, JsonObject]) -> None:
        """Add the skills that differ in the card as it was served, and not in the form that the hub uses."""
        comparison = _ListComparison(ItemKind.SKILL, "id", self.work, defaults)
        comparison.compare(_listed(_card(self.before), "skills"), _listed(_card(self.after), "skills"))
        shown = {item.name for item in self.items}
        self.items += [item for item in comparison.changes if item.name not in shown]
        if not any(change.field == "skills" for change in self.fields):
            self._add_order(f"{_CARD_FIELD}skills", comparison)

    def _add_fields(self) -> None:
        lists = _SERVER_LISTS if self.kind is ResourceKind.MCP_SERVER else _AGENT_LISTS
        old, new = self._flat(self.before), self._flat(self.after)
        if self.kind is ResourceKind.A2A_AGENT:
            lists = {**lists, f"{_CARD_FIELD}skills": lists["skills"]}
        for name in changed_members(old, new):
            if name not in lists or not self._is_in_items(old.get(name, []), new.get(name, [])):
                self._add_field(name, old, new)
        if any(self._is_judged_with_card(change.field) for change in self.fields):
            self.rules |= judge_card(_card(self.before), _card(self.after), self.work)

    def _is_judged_with_card(self, name: str) -> bool:
        is_of_card = self.kind is ResourceKind.A2A_AGENT and name.startswith(_CARD_FIELD)
        return is_of_card and name != f"{_CARD_FIELD}skills"

    def _is_in_items(self, before: Json, after: Json) -> bool:
        """Tell whether the items show the difference of two lists. They do not show a list that is missing."""
        is_update = self.before is not None and self.after is not None
        return isinstance(before, list) and isinstance(after, list) and (bool(before or after) or not is_update)

    def _add_field(self, name: str, old: JsonObject, new: JsonObject) -> None:
        before, after = old.get(name), new.get(name)
        self.fields.append(FieldChange(name, before, after))
        if not self._is_judged_with_card(name):
            self.rules |= judge_of_field(self.kind, name)(before, after, self.work)
        self.rules |= _text_rules({name: before}, {name: after})

    def _flat(self, content: JsonObject | None) -> JsonObject:
        """Return the content with each member of an agent's card as a field of its own; an empty card stays a field."""
        card = _card(content)
        if self.kind is not ResourceKind.A2A_AGENT or content is None or not card:
            return content or {}
        members = {f"{_CARD_FIELD}{name}": value for name, value in card.items()}
        return {**{name: value for name, value in content.items() if name != "card"}, **members}


def _card(content: JsonObject | None) -> JsonObject | None:
    card = content.get("card") if content else None
    return card if isinstance(card, dict) else None


def _default_modes(content: JsonObject | None) -> JsonObject:
    """Return the modes of a skill that names none, as A2A's card gives them."""
    card = respelled(_card(content) or {})
    return {mode: card.get(default) for mode, default in _MODES.items()}


def _listed(content: JsonObject | None, name: str) -> list[Json]:
    items = content.get(name) if content else None
    return items if isinstance(items, list) else []


_TEXT_RULES = frozenset({invisible_characters.__name__, encoded_blob.__name__})


def _text_rules(before: Json, after: Json) -> set[str]:
    # As one text, which is much faster: neither rule looks beyond the end of a line.
    text = "\n".join(new_texts(before, after))
    return {rule.__name__ for rule in (invisible_characters, encoded_blob) if rule(text)}


class _ListComparison:
    """The comparison of two lists of items: the changes, and the order of the items that both lists have."""

    def __init__(self, kind: ItemKind, key: str, work: Work, defaults: tuple[JsonObject, JsonObject]) -> None:
        self._kind, self._key, self._work, self._defaults = kind, key, work, defaults
        self._names: dict[str, set[str]] = defaultdict(set)
        self.changes: list[ItemChange] = []
        self.order_before: list[Json] = []
        self.order_after: list[Json] = []

    def compare(self, before: list[Json], after: list[Json]) -> None:
        old, new = self._by_name(before), self._by_name(after)
        if not new.keys() <= old.keys():
            for name in {*old, *new, *map(self._shown_name, (*before, *after))}:
                self._names[self._skeleton(name)].add(name)
        for name in dict.fromkeys([*old, *new]):
            is_repeated = bool(name) and len(new.get(name, [])) > 1
            for one, other in _partners(old.get(name, []), new.get(name, [])):
                self._add(name, one, other, is_repeated)
        self.order_before = [name for name in old if name in new]
        self.order_after = [name for name in new if name in old]
        if not self.changes and self.order_before == self.order_after:
            # Items of one name may have changed places; else these lists are equal too.
            self.order_before, self.order_after = before, after

    def _by_name(self, items: list[Json]) -> dict[str, list[Json]]:
        groups: dict[str, list[Json]] = defaultdict(list)
        for item in items:
            name = item.get(self._key) if isinstance(item, dict) else None
            groups[name if isinstance(name, str) else ""].append(item)
        return dict(groups)

    def _shown_name(self, item: Json) -> str:
        """Return the name by which people and models know a skill; the id identifies the skill."""
        name = item.get("name") if isinstance(item, dict) and self._kind is ItemKind.SKILL else None
        return name if isinstance(name, str) else ""

    def _skeleton(self, name: str) -> str:
        is_uri = self._kind in (ItemKind.RESOURCE, ItemKind.RESOURCE_TEMPLATE)
        return uri_skeleton(name) if is_uri else name_skeleton(name)

    def _add(self, name: str, before: JsonObject | None, after: JsonObject | None, is_repeated: bool) -> None:
        old, new = before or {}, after or {}
        fields = tuple(FieldChange(each, old.get(each), new.get(each)) for each in changed_members(old, new))
        if before is None:
            rules = {item_added.__name__}
            shown = {name, self._shown_name(after or {})}
            if is_repeated or any(look_alike_name(each, self._names[self._skeleton(each)] - shown) for each in shown):
                rules.add(look_alike_name.__name__)
        elif after is None:
            rules = {(skill_removed if self._kind is ItemKind.SKILL else item_removed).__name__}
        else:
            rules = self._rules_of_update(old, new)
        rules |= _text_rules(old, new)
        action = "create" if before is None else "delete" if after is None else "update"
        self.changes.append(ItemChange(self._kind, name, action, class_of(rules), tuple(sorted(rules)), fields))

    def _rules_of_update(self, old: JsonObject, new: JsonObject) -> set[str]:
        if self._kind is ItemKind.SKILL:
            return judge_skill(old, new, self._work, self._defaults)
        return judge_item(self._kind, old, new, self._work)


def _partners(before: list[Json], after: list[Json]) -> Iterator[tuple[JsonObject | None, JsonObject | None]]:
    """Yield the pairs of items of one name that differ, in their order. None stands for an item that is missing."""
    if not before or not after:
        yield from zip_longest(_objects(before), _objects(after))
        return
    old, new = [canonical_text(each) for each in before], [canonical_text(each) for each in after]
    common = Counter(old) & Counter(new)
    yield from zip_longest(_others(before, old, common.copy()), _others(after, new, common.copy()))


def _objects(items: list[Json]) -> list[JsonObject]:
    """Return the items. An item that is not an object becomes a member without a name."""
    return [item if isinstance(item, dict) else {"": item} for item in items]


def _others(items: list[Json], texts: list[str], common: Counter[str]) -> list[JsonObject]:
    """Return the items without those of `common`."""
    rest: list[Json] = []
    for item, text in zip(items, texts, strict=True):
        if common[text] > 0:
            common[text] -= 1
        else:
            rest.append(item)
    return _objects(rest)
