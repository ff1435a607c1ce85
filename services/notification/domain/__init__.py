"""Rules of notification: who is told, when, how and how often. No I/O, no await."""
