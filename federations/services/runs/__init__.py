"""Runs: work that is given to discovered A2A agents, from its creation to its end.

Theory of operation. A run is a row (`AgentRun`); what happens to it is appended as rows (`AgentRunEvent`). `make.py`
creates runs. `decide.py` has what people do: approve, refuse, answer, cancel; `cancel_many.py` ends the runs of a
deleted agent, a disabled federation or a suspended peer. `write.py` is the only writer: it changes the state by
compare-and-set, appends the events, and calls the listeners, all in one unit of work. `listeners.py` holds the
listeners; this package knows no peers.

Workers of the queue `agents` do the work. One task (`drive.py`) runs one event loop with up to FEDHUB_AGENT_RUNS runs.
It takes due runs (`claim.py`) while it has room, renews their leases, and looks once a second whether somebody asked to
cancel one of them. After ten minutes, or when its worker must stop, it hands the rest back. All database work of the
loop happens in one thread (`database_thread.py`), so that no transaction is open while an agent is asked, and a slow
database never stops the loop.

`work.py` follows one run: it sends the message, reads the stream or polls the task, and writes what is new
(`recorder.py`). A crash leaves the row: its lease lapses, and the next worker resumes it. With a task id the worker
reads the task again and never sends again. Without one it looks for a task of the run's context, where the agent can
list its tasks, and else sends again with the same ids. `sends` is written before each request with the message, so that
it never says less than what the agent may have read.
"""
