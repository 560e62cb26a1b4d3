internal import AsyncHTTPClient
internal import KafkaClient
internal import Logging
internal import NIOPosix

extension BridgeSettings {
    /// Runs a command's `body` with a token for Kafka that is kept fresh meanwhile. Without `kafka.oauth` it just runs it.
    ///
    /// - Throws: `TokenFault` when there is no token to begin with; what `body` throws.
    package func withKafkaTokens<Value>(
        isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> Value
    ) async throws -> Value {
        guard let oauth = kafka.oauth else { return try await body() }
        let first = try await HTTPClient.withHTTPClient(configuration: .outbound) { client in
            try await TokenEndpoint(oauth, client).grant()
        }
        oauth.tokens.use(first.token)
        // The command tells of trouble itself, in Kafka's words, which then are those of the failure.
        let silence = Logger(label: "kafka-tokens") { _ in SwiftLogNoOpLogHandler() }
        let service = KafkaTokenService(oauth: oauth, failures: nil, logger: silence)
        let thread = OwnThread()
        let result: Result<Value, any Error> = await withTaskGroup(of: Void.self) { group in
            group.addTask(executorPreference: thread) { try? await service.keepFresh(after: first) }
            defer { group.cancelAll() }
            do {
                return .success(try await body())
            } catch {
                return .failure(error)
            }
        }
        await thread.end()
        return try result.get()
    }
}

/// A thread for one task. Commands wait for Kafka on the threads that tasks run on, and there may be only one.
private final class OwnThread: TaskExecutor {
    private let pool = NIOThreadPool(numberOfThreads: 1)

    init() { pool.start() }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        pool.submit { [self] _ in job.runSynchronously(on: asUnownedTaskExecutor()) }
    }

    /// After the task has ended.
    func end() async { try? await pool.shutdownGracefully() }
}
