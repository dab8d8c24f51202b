"""The configuration of a hub as one YAML file: `apply_config` applies it, `export_config` writes it.

Theory of operation
-------------------
The way from a file to the hub has five steps, each in modules of its own:

    read      `yaml_reader`  text -> plain values and the line of each (no anchors, no tags, no duplicate keys)
    check     `document`     the form of each entry as a strict model; `parse` collects the errors of the whole file
    resolve   `resolve`      entries -> `Wanted`: values in the form of the hub; secrets by reference (`secret_values`)
    diff      `plan`         wanted and observed values -> a `Change` for each object
    write     `apply`        one transaction for each object, by the services that the admin calls

`observe` returns the objects of the hub in the same form as `Wanted`, so the diff compares equal things, and `export`
writes what `observe` returns. The modules `yaml_reader`, `yaml_writer`, `document`, `parse` and `plan` are
pure: they know no framework, clock, environment or network.

What is absent from the file stays as it is: a section, an object, a key of an object, and an item of a list of grants,
members or fingerprints. With `--prune` an object of a section that stands in the file is deleted if the file does not
name it, and so is an item of such a list. The other lists (tags, skills, callback origins) are values: the file's list
replaces the hub's.

A writer locks the object, observes it again, and makes its change again. If the change differs from the one in the
plan, the object is left alone. An object is written whole or not at all, and each run plans from what it finds. So a
run after a crash does the rest, and the next run finds nothing to do.
"""
