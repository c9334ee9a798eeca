"""The model as published: two encoders, three projections, three losses, and the files it is kept in."""
