"""Making it so: the only room that opens sockets or starts processes."""
