"""Programs that pass a stream of bytes from host to host, sent there as one text with what gives or takes the bytes."""
