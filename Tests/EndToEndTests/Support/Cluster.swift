import Foundation
import Glibc

/// librdkafka's cluster in a process of its own. It ends with its last reference, at the latest with the test process.
final class Cluster: Sendable {
    let servers: String
    private let program: RunningProgram
    private let input: Int32

    /// For tests whose topics have names of their own.
    static let shared = Result { try Cluster() }

    init() throws {
        let pipe = try Pipes()
        program = try RunningProgram(BuiltProducts.cluster, input: pipe.reading)
        close(pipe.reading)
        input = pipe.writing
        let deadline = ContinuousClock.now + .seconds(20)
        while !program.standardOutput.hasSuffix("\n") {
            guard ContinuousClock.now < deadline, program.currentEnd() == nil else {
                throw NotInTime(description: "the cluster starts: \(program.standardError)")
            }
            usleep(5000)
        }
        servers = program.standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    deinit {
        resume()
        close(input)
    }

    /// Keeps the cluster from answering: connections are taken, and nothing comes back.
    func pause() { program.send(SIGSTOP) }
    func resume() { program.send(SIGCONT) }

    /// An address at which there is no Kafka: nobody listens on tcpmux these days.
    static let nowhere = "127.0.0.1:1"
}
