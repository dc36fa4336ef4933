"""What tests share: an in-memory signed repository, fakes, and the reference client as an oracle."""
