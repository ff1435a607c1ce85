"""The way out: words of mails and pushes, SMTP and FCM, and their in-memory twins."""
