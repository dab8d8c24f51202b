"""The figures of all processes of the hub, in one table.

Theory of operation. A hub has several web processes and workers, on one machine or on many; each counts in its own
memory (`core.counts`). A thread of each process adds its counts to the rows of `Figure` every few seconds, by
`value = value + n`, so that rows of all processes are sums and no process needs to know another. A scrape of any web
process first stores the counts of that process, then reads the rows. A process that is killed loses the counts of its
last seconds; figures that must be exact are computed from the registry's rows at the time of a scrape.
"""
