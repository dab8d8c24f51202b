"""The rules of schedules, as pure functions: which schedules are valid, when the next sync is due, and both in words.

Theory of operation: `next_run` needs only the rule, the id of the federation and the present time. It does not count on
from the last run, so a restart, a lost message or a change of the clock leaves nothing to repair but the stored
`next_sync_at`, which `services.schedule.repair_schedules` compares with `next_run`.

- Runs of an interval are at whole intervals of the clock, moved by a part of the interval that follows from the id.
  So 1,000 federations of one interval are spread over it, and each one keeps its own times.
- Runs of a crontab start within the named minute, at a second that follows from the id.
- A time that the start of daylight saving time leaves out runs once just after the gap. A time that its end repeats
  runs once, the first time. A crontab whose minutes or hours begin with `*` runs through both changes in real time.
"""
