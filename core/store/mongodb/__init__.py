"""MongoDB as the registry's database: MongoDB's own backend for Django, made safe to lean on.

Beyond what `django_mongodb_backend` does:

- A transaction that fails to commit is over: its session ends and its errors are Django's. A commit of which the server
  could not say whether it happened is asked for again.
- A server that has no transactions is refused at the first of them, with what to do about it.
- Check constraints are there, as the validator of their collection.
- Unique indexes over columns that are never null carry no `$type` filter, which would keep look-ups from using them.
"""
