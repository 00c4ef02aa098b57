"""Pictures: tables in, vector files out; colour-blind-safe and readable in print."""
