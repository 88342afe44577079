"""The staff desk, page by page and act by act."""
