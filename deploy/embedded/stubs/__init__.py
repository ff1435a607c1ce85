"""Stand-ins for what lies outside the house: mail recipients and Google's FCM."""
