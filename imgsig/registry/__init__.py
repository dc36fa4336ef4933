"""Whether the registry has the signed bytes: fetched by their digest, and hashed."""
