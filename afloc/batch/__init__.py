"""Jobs over many images: in chunks that are each written whole or not at all, on one machine or on many."""
