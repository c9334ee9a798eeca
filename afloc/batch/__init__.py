"""Work over many images: in parts that are each written whole or not at all, on one machine or on many."""
