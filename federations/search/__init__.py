"""The search index: it finds resources, tools, skills and prompts by words, and with a model by meaning.

Theory of operation. The registry is the truth and the index is derived from it, so it can be dropped and rebuilt at any
time. `services/index.py` writes it after the commit of a sync; a failure there never fails the sync.

Documents. `documents.py` turns one resource into an `IndexedResource`: a document for the resource, one for each tool,
resource, prompt or skill, and a stamp (document format, runtime version, time of enrichment). All documents of a
resource are replaced and deleted together.

Words. `splitting.py` cuts a text into compounds and parts, and `words.py` makes the words of texts and queries from
them, in the same way for every index. A document has the parts of a compound, the joined forms of two and three
neighbors, and each form as it was written. A text of a script without spaces has a piece of two or three characters
from each character on; a query asks for the pieces of its own text. No word contains the syntax of an index.

Index format. Each adapter stores these words by column (`columns.py`) and the document itself as JSON
(`document_json.py`). Its `SCHEMA_VERSION` changes with its format and with the words; `documents.DOCUMENT_FORMAT`
changes with the documents. After a change of either, the next sync builds the affected documents again.

Adapters. `base.py` is the contract. `sqlite.py` (FTS5, in the file of `sqlite_file.py`) is the default. `weaviate.py`
uses a Weaviate server (with `weaviate_connection.py`, `weaviate_schema.py` and `weaviate_search.py`), and `memory.py`
is the plain implementation that the tests compare the others with. `registry.py` chooses one from the settings.

Meaning. With FEDHUB_EMBEDDING_MODEL the SQLite index also has vectors (`meaning.py`), made by the model of a folder
(`embedding.py`; `model_folder.py` looks at the folder), and ranks by words and meaning (`fusion.py`). Documents near in
meaning are then hits too. Without the setting no package of the extra `meaning` is imported.

Repair. `repair.py` compares the stamps of the registry with those of the index: a stale resource is replaced, a missing
one is added, a surplus one is deleted. Every sync does this for its federation, so the index recovers from a failed
write, a damaged file or an empty server at the next sync.
"""
