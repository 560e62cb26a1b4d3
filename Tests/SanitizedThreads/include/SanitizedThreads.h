// Nothing to call; see SanitizedThreads.c.
