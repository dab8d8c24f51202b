"""Check constraints as validators, and unique indexes that the planner of MongoDB can use."""

from __future__ import annotations

from typing import Any

from django.db import NotSupportedError
from django.db.models import BaseConstraint, CheckConstraint, Field, Index, Model, Q
from django.db.models.sql import Query
from django_mongodb_backend import schema
from pymongo.operations import IndexModel

_ISNULL = "__isnull"


class SchemaEditor(schema.DatabaseSchemaEditor):
    """The schema editor that migrations use on MongoDB: it creates collections, indexes and validators."""

    def add_index(
        self,
        model: type[Model],
        index: Index,
        *,
        field: Field[Any, Any] | None = None,
        unique: bool = False,
        column_prefix: str = "",
        parent_model: type[Model] | None = None,
    ) -> None:
        """Create an index that the planner can use.

        SQL allows many nulls in a unique index, so MongoDB's unique index must leave nulls out. The backend's filter is
        `{$type: "string"}`; the planner does not derive it from an equality, and look-ups scan the collection. The
        planner does derive `{$gt: ""}` (MongoDB, "Partial Indexes", query coverage). A column that is never null needs
        no filter.

        If MongoDB cannot express the condition of an index that is not unique, the index is made without the condition
        and has the condition's columns behind its own. It is only larger.
        """
        columns = [field] if field else [_field(model, name) for name, _ in index.fields_orders]
        if unique and all(_is_text(self, column) for column in columns if column.null):
            collection = self.get_collection((parent_model or model)._meta.db_table)
            collection.create_indexes([_unique_index(self, model, index, columns, column_prefix)])
            return
        if not unique and _tests_for_null(index.condition):
            tested = [name for name in _tested_columns(index.condition) if name not in index.fields]
            index = Index(fields=[*index.fields, *tested], name=index.name)
        super().add_index(
            model, index, field=field, unique=unique, column_prefix=column_prefix, parent_model=parent_model
        )

    def add_constraint(self, model: type[Model], constraint: BaseConstraint, *args: Any, **options: Any) -> None:
        """Add a constraint: a unique one is an index, a check is part of the collection's validator."""
        super().add_constraint(model, constraint, *args, **options)
        if isinstance(constraint, CheckConstraint):
            self._validate(model, _checks(model))

    def remove_constraint(self, model: type[Model], constraint: BaseConstraint) -> None:
        """Remove a constraint."""
        super().remove_constraint(model, constraint)
        if isinstance(constraint, CheckConstraint):
            self._validate(model, [check for check in _checks(model) if check.name != constraint.name])

    def _validate(self, model: type[Model], checks: list[CheckConstraint]) -> None:
        """Make the server refuse documents that violate one of `checks`."""
        query: Any = Query(model=model, alias_cols=False)
        compiler = query.get_compiler(connection=self.connection)
        conditions = [query.build_where(check.condition).as_mql(compiler, self.connection) for check in checks]
        validator = {"$and": conditions} if conditions else {}
        self.get_database().command("collMod", model._meta.db_table, validator=validator)


def _checks(model: type[Model]) -> list[CheckConstraint]:
    return [found for found in model._meta.constraints if isinstance(found, CheckConstraint)]


def _unique_index(
    editor: SchemaEditor, model: type[Model], index: Index, columns: list[Field[Any, Any]], prefix: str
) -> IndexModel:
    if _tests_for_null(index.condition):
        kept = _null_filter(model, index.condition)
    else:
        # The backend adds the method `_get_condition_mql` to Index.
        kept = dict(index._get_condition_mql(model, editor)) if index.condition else {}  # type: ignore[attr-defined]
    kept |= {f"{prefix}{column.column}": {"$gt": ""} for column in columns if column.null}
    options = {"partialFilterExpression": kept} if kept else {}
    return IndexModel([(f"{prefix}{column.column}", 1) for column in columns], name=index.name, unique=True, **options)


def _field(model: type[Model], name: str) -> Field[Any, Any]:
    return model._meta.get_field(name)  # type: ignore[return-value]


def _is_text(editor: SchemaEditor, column: Field[Any, Any]) -> bool:
    return column.db_type(editor.connection) == "string"


def _tests_for_null(condition: Q | None) -> bool:
    return any(name.endswith(_ISNULL) for name, _ in _tests(condition))


def _tested_columns(condition: Q | None) -> list[str]:
    return [name.removesuffix(_ISNULL) for name, _ in _tests(condition)]


def _null_filter(model: type[Model], condition: Q | None) -> dict[str, Any]:
    """Return the filter of a unique index whose condition is that columns are null.

    An equality with null is a filter that the planner derives from a look-up for rows without a value.
    """
    if not all(name.endswith(_ISNULL) and value is True for name, value in _tests(condition)):
        raise NotSupportedError("A unique index on MongoDB may only require that columns are null")
    return {str(_field(model, name).column): None for name in _tested_columns(condition)}


def _tests(condition: Q | None) -> list[tuple[str, Any]]:
    return [child for child in (condition.children if condition else []) if isinstance(child, tuple)]
