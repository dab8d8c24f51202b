"""The lease of the beat: of all beat processes one acts, and the others wait to take over.

Theory of operation: the row of `BeatLease` names the beat that acts and until when. The beat that acts renews the row
every few seconds by a compare-and-set on its own name; a waiting beat takes a lapsed row by a compare-and-set on the
lapsed time. A beat that is told to stop gives the row back, so that another takes over at once; after SIGKILL another
takes over when the lease has lapsed, in less than half a minute.

The lease saves double work and is not what keeps it correct: a beat that stood still may act for a moment beside its
successor. Then a sweep is sent twice, which is harmless, and a scheduled sync starts once, because its row decides.
"""
