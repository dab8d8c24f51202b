"""Classes of change: what a change of a tool, a resource, a prompt, a skill or a card means for its users.

Theory of operation. `diff.py` finds what changed; this package says which rules name the change, and the worst class of
these rules is the class of the change: breaking, then risky, then compatible (`classes.py`). Each rule is a function
with the name that the API shows. A change that no rule names, and a change that cannot be compared, is `unknown`,
which is risky; so the hub never calls a change compatible that it does not understand.

Members. A table gives each member of an item (`items.py`) or of a resource (`fields.py`) its judge (`members.py`): the
rules that may name a change of this member. Text rules (`texts.py`) look at every text that is new, also in what was
added.

Schemas. Two schemas are compared in three steps. `normal_form.py` turns a schema into branches, one for each JSON type
and each alternative: it follows `$ref`, merges `allOf` (`merging.py`), takes `anyOf` and `oneOf` apart and reads the
older spellings of a keyword (`keywords.py`). `branches.py` pairs the branches before with those after. `schemas.py`
asks the rules (`schema_rules.py`) about each pair and goes on with the members and items of the pair.

Direction. Inputs are contravariant: a tool that accepts less breaks its callers. Outputs are covariant: a tool that may
return more than it promised breaks its callers.

What is compared and what not. The rules know `type`, `nullable`, `enum`, `const`, limits, `multipleOf`, `pattern`,
`properties`, `required`, `dependentRequired`, `additionalProperties`, `propertyNames`, `items`, `prefixItems` and the
combinators. Every other keyword (`not`, `if`, `contains`, `patternProperties`, `unevaluatedProperties` beside a
combinator, `format`) must stay the same, with everything to which it refers, otherwise its change is `unknown`.

Bounds. The documents come from runtimes that the hub does not trust. The walk over two schemas is a loop and visits
each pair once, so a recursive `$ref` ends; references and combinators may follow one another 24 deep; a schema has at
most 128 branches; and `work.py` bounds the steps of one schema and of a whole diff. Over a bound the rule is `unknown`.
"""
