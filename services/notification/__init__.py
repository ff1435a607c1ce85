"""Notification: reaches people by push, mail and an in-app list.

Owns notifications, devices, preferences and deliveries, and a projection of users,
conversations, members, read markers and presence. Emits notification.sent and
notification.failed. Consumes user.*, account.*, message.*, conversation.* and
presence.changed. Every mail of the platform is sent from here.
"""
