import Foundation
import Glibc

/// librdkafka's cluster in a process of its own. It ends with its last reference, at the latest with the test process.
final class Cluster: Sendable {
    let servers: String
    private let program: RunningProgram
    private let input: Int32

    /// For tests whose topics have names of their own.
    static let shared = Result { try Cluster() }

    /// - Parameter topics: Those that have one partition, and exist from the beginning.
    init(topics: [String] = []) throws {
        let pipe = try Pipes()
        program = try RunningProgram(BuiltProducts.cluster, topics.isEmpty ? [] : ["1"] + topics, input: pipe.reading)
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

    /// Takes the brokers off the net, or back.
    func setBrokers(up: Bool) {
        let line = Array((up ? "up\n" : "down\n").utf8)
        _ = write(input, line, line.count)
    }

    /// Why it ended; `nil` while it runs. librdkafka's cluster aborts on some orders of joining a group and dying.
    var fault: String? { program.currentEnd().map { "the cluster ended: \($0) \(program.standardError)" } }

    /// An address at which there is no Kafka: nobody listens on tcpmux these days.
    static let nowhere = "127.0.0.1:1"
}
