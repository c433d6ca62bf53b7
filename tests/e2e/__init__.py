"""The gateway between peers that are not ours, over real sockets and a real store."""
