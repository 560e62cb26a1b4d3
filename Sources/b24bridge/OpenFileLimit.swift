import Glibc

/// Each connection is an open file. What a shell or service manager grants at first is often 1024, for programs that use
/// select(2), and may be raised as far as the hard limit by the process itself.
///
/// - Returns: how many files this process may have open; `nil` when the system does not tell.
func raiseOpenFileLimit() -> Int? {
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0 else { return nil }
    var raised = limit
    raised.rlim_cur = limit.rlim_max
    return Int(clamping: setrlimit(resource, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur)
}
