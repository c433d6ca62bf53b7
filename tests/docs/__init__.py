"""What the documents say is run: their commands, files and shown output."""
