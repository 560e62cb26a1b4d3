#if B24_TSAN
    internal import Glibc

    /// A value behind a lock. The standard library's `Mutex` is a futex on Linux, locked within a library that the thread
    /// sanitizer does not see into: everything done under it would be reported as a race. Under the sanitizer, a POSIX mutex
    /// takes its place.
    package struct Guarded<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
        // The pointers never change, and `value` is touched under `mutex` only.
        private let mutex: UnsafeMutablePointer<pthread_mutex_t>
        private let value: UnsafeMutablePointer<Value>

        package init(_ initial: consuming sending Value) {
            mutex = .allocate(capacity: 1)
            mutex.initialize(to: pthread_mutex_t())
            pthread_mutex_init(mutex, nil)
            value = .allocate(capacity: 1)
            value.initialize(to: initial)
        }

        deinit {
            value.deinitialize(count: 1)
            value.deallocate()
            pthread_mutex_destroy(mutex)
            mutex.deallocate()
        }

        package borrowing func withLock<Result: ~Copyable, Failure: Error>(
            _ body: (inout sending Value) throws(Failure) -> sending Result
        ) throws(Failure) -> sending Result {
            pthread_mutex_lock(mutex)
            defer { pthread_mutex_unlock(mutex) }
            return try body(&value.pointee)
        }
    }
#else
    package import Synchronization

    /// A value behind a lock: `Mutex` of the standard library. It has a name of its own only because the thread sanitizer
    /// needs another lock; see there.
    package typealias Guarded<Value: ~Copyable> = Mutex<Value>
#endif
