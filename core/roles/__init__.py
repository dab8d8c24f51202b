"""Groups that the hub makes with permissions, which staff then change as any other group.

Theory of operation
===================
A `RoleDefinition` names a role, says what it may do, and lists its permissions. After each migration `give_roles` makes
the group of each role that the hub has not made before, and gives each permission to its group once. A row of
`GivenPermission` remembers what was given. So a permission that staff take from a role stays taken, a permission that
staff add stays, and a permission that a new version adds to a definition is given once. A group that staff rename is
still the role; a group that staff delete is not made again.
"""
