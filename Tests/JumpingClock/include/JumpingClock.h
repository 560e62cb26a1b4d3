// Loaded into a process by LD_PRELOAD; nobody calls it.
