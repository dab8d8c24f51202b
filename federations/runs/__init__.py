"""Runs of agents, the pure part: states, messages, and what an agent's updates mean for the run.

Theory of operation. A run is one piece of work given to one discovered A2A agent (model AgentRun). `states.py` has the
one transition table. `message.py` derives every id that the agent sees from the run's id, so that a message which is
sent again after a crash has the same ids.

A provider turns each answer of an agent into an `AgentUpdate` (`updates.py`), of either protocol version. `progress.py`
folds the updates of one run: it checks that they are about the run's own task and context, keeps the artifacts within
the bounds (`answer.py`), and returns the events to store and, at the end, the outcome. Updates repeat: a polled task is
the same task again, and a stream that is opened again begins with the whole task. So `Progress` compares digests, and
gives an event only for what is new; after a crash it begins with the digests of the stored events.

`usage.py` reads the figures that agents report in metadata, and compares them with the limits of the run. `bounds.py`
has the bounds on what is kept, and cleans the texts: an agent is not trusted.

Nothing here knows a framework, a clock or a network; `federations.services.runs` has the rows, the queue and the loop.
"""
