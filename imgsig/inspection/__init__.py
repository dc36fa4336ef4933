"""What a repository holds and offers, to be looked at: nothing here verifies an image."""
