"""One *Activity* on each object that staff can change: who changed what, when and why, from all books of the hub.

lines        pure: a line, the merge of the lines of several books, the pages of the result, and their words
recording    write rows of the audit log, with actor, program, reason, request and job
sources      the books: each app registers where it wrote about its objects, and the words of its fields
audit_log    the book that every object has: its rows of the audit log
reading      one page of an object's Activity, and one line with its neighbors
"""
