"""In and out: sockets, HTTP, the command line and the wiring of the processes."""
