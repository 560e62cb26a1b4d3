#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// How many of the files that the process may have open are left for connections.
///
/// Connections must never take the last ones: the journal needs a descriptor for its next segment, and without one
/// every event is refused. Linux counts connections as open files (RLIMIT_NOFILE).
package struct DescriptorBudget: Sendable, Equatable {
    /// For connections of all listeners together.
    package let connections: Int

    /// - Parameters:
    ///   - limit: open files of the whole process.
    ///   - eventLoops: threads that serve connections; each has three descriptors of its own.
    package init(limit: Int, eventLoops: Int) {
        // A process without connections has some 50 open. The Kafka client takes three more for each broker.
        let kept = min(128 + 4 * eventLoops, max(64, limit / 2))
        connections = max(2, limit - kept)
    }

    /// By the limit of this process as it is now.
    package static func ofThisProcess(eventLoops: Int) -> DescriptorBudget {
        var limit = rlimit()
        #if canImport(Glibc)
            let result = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #else
            let result = getrlimit(RLIMIT_NOFILE, &limit)
        #endif
        return DescriptorBudget(
            limit: result == 0 ? Int(clamping: limit.rlim_cur) : 1024,
            eventLoops: eventLoops
        )
    }
}
