"""The whole stack as local processes, without Docker.

`python -m deploy.embedded up` makes secrets, starts real servers and the services in
dependency order, waits until each is ready and leaves one supervisor behind, which
brings back whatever dies. Everything a stack owns lies in one folder and on one
block of ports, so several stacks run side by side. Source: DESIGN.md section 7.
"""
