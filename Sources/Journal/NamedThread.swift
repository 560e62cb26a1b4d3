import Glibc

/// A thread of our own, with a name for `top` and debuggers. It must be joined, once.
struct NamedThread: Sendable {
    private let thread: pthread_t

    private final class Start {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }

        /// `pthread_setname_np` is a GNU extension that Swift's Glibc module does not show; the kernel takes the name here
        /// as well (proc(5), `/proc/pid/comm`).
        func setName() {
            let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return }
            _ = write(descriptor, name, name.utf8.count)
            _ = close(descriptor)
        }
    }

    /// - Parameter name: At most 15 bytes, the kernel's bound.
    init(_ name: String, body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        var thread = pthread_t()
        let result = pthread_create(
            &thread,
            nil,
            { context in
                guard let context else { return nil }
                let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
                start.setName()
                start.body()
                return nil
            },
            start.toOpaque()
        )
        precondition(result == 0, "the system gives no thread (errno \(result)): raise the limit of threads")
        self.thread = thread
    }

    func join() {
        pthread_join(thread, nil)
    }
}
