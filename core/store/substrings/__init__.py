"""Indexes of the substrings of texts, so that a search in any case does not read every row.

Theory of operation
===================

An app registers the text columns of a model (`register_index`). `with_candidates` then keeps the rows that may contain
a text. The index only narrows: it may keep a row without the text, and never drops one with it. The caller's own
condition, such as `core.store.folding.contains_text`, still decides, so the rows found are those of a scan. The index
is not used, and the condition alone reads the rows,

- on MongoDB, and where the database cannot have the index (see below);
- for a text that gives no trigram (three characters in a row) for which the index folds letters as the condition does;
- for a text that many rows may contain (`columns.MOST_CANDIDATES`; on SQLite also a fifth of the rows): a scan in the
  order of the page then ends soon, while the candidates would be read in the order of the index and sorted.

`sqlite` keeps a table of FTS5's tokenizer `trigram`, without the texts themselves, in step by triggers. So each write
keeps it in step, also `bulk_create`, `update` and SQL of other programs. `postgresql` makes an index of the extension
pg_trgm, which the server keeps in step.

Neither is in a migration: Django makes a table of SQLite anew when it changes a column, and the triggers are then lost.
Instead `migrate` takes the tables and triggers of SQLite away before migrations of their app, and at its end makes what
is missing or is of other columns (`narrowing`). Between the two the search sees that there is no index, and scans.
"""

from core.store.substrings.narrowing import register_index, with_candidates

__all__ = ["register_index", "with_candidates"]
