"""What readers say: kept, studied, analysed, exported."""
