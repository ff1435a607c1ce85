"""The event library beside plain aio-pika and FastStream, in one run.

Each measurement is a process of its own (a *cell*) that publishes and consumes on one
event loop, so that its CPU time is that of both sides. Cells of all systems alternate
over several rounds; the table shows medians.
"""
