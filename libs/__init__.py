"""Libraries of Parley: they know no service and are layered.

From top to bottom: chassis, events, crypto, kernel. A thing enters when a second
service needs it; business rules never do.
"""
