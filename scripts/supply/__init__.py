"""What Parley is made of: packages, their licences, advisories about them."""
