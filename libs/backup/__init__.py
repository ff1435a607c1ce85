"""Backup and restore of an installation's databases and objects (ADR 0064).

A full backup reads every database of one replica set at one moment; segments of the
oplog carry it on from there, so that a restore may end at any moment they cover. What
is encrypted stays as it is stored: nothing here opens it. An operator's commands:
``python -m libs.backup``.
"""
