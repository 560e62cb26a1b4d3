import Dispatch
import Glibc

/// A named thread that takes no signals.
struct LogThread: Sendable {
    private let thread: pthread_t
    private let finished: DispatchSemaphore

    /// - Parameter name: at most 15 bytes, as Linux has it.
    /// - Returns: `nil` when the system has no thread to give.
    static func start(name: String, _ body: @escaping @Sendable () -> Void) -> LogThread? {
        let start = ThreadStart(name: name, body: body)
        let context = Unmanaged.passRetained(start).toOpaque()
        var thread = pthread_t()
        // A thread inherits its creator's mask. All signals blocked: they are for the process's other threads, and a
        // write to a closed pipe shall give EPIPE here, not end the process.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        let result = pthread_create(&thread, nil, runThread, context)
        pthread_sigmask(SIG_SETMASK, &before, nil)
        guard result == 0 else {
            Unmanaged<ThreadStart>.fromOpaque(context).release()
            return nil
        }
        return LogThread(thread: thread, finished: start.finished)
    }

    /// Joins the thread. One that is still caught in a system call when the time is up is left to the end of the
    /// process. Call once.
    func join(within limit: DispatchTimeInterval) {
        if finished.wait(timeout: .now() + limit) == .success {
            pthread_join(thread, nil)
        } else {
            pthread_detach(thread)
        }
    }
}

private final class ThreadStart: Sendable {
    let name: String
    let finished = DispatchSemaphore(value: 0)
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

private func runThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    let start = Unmanaged<ThreadStart>.fromOpaque(context).takeRetainedValue()
    nameThisThread(start.name)
    start.body()
    start.finished.signal()
    return nil
}

/// By the file that glibc's `pthread_setname_np` writes for another thread (proc_pid_comm(5)). A name that cannot be set
/// changes nothing but what `ps -L` shows.
private func nameThisThread(_ name: String) {
    let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    let bytes = Array(name.utf8)
    _ = write(descriptor, bytes, bytes.count)
}
