import ArgumentParser
import Bitrix24
import Bridge
import Foundation
import KafkaClient

/// Which letters, and how to come by them.
struct DeadLetterSelection: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Letters of this reason only: \(DeadLetterReason.allCases.map(\.rawValue).joined(separator: ", ")). Repeatable.",
            valueName: "reason"
        )
    )
    var reason: [String] = []

    @Option(name: .long, help: ArgumentHelp("Letters of this portal only.", valueName: "member_id"))
    var portal: String?

    @Option(
        name: .customLong("token-sha256"),
        help: ArgumentHelp(
            "Letters with this token only: the first 8 to 64 digits of its SHA-256.",
            valueName: "digits"
        )
    )
    var tokenDigest: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Letters received since then only: an age (30m, 12h, 7d) or a time (2026-05-31T12:00:00Z).",
            valueName: "when"
        )
    )
    var since: String?

    @Option(name: .long, help: ArgumentHelp("Seconds to wait for Kafka, 1 to 600.", valueName: "seconds"))
    var timeout: Int = 30

    func validate() throws {
        guard (1...600).contains(timeout) else { throw ValidationError("--timeout takes 1 to 600 seconds") }
        _ = try filter
    }

    var filter: DeadLetterFilter {
        get throws {
            var filter = DeadLetterFilter()
            for word in reason {
                guard DeadLetterReason(rawValue: word) != nil else {
                    throw ValidationError(
                        "--reason takes one of \(DeadLetterReason.allCases.map(\.rawValue).joined(separator: ", "))"
                    )
                }
                filter.reasons.insert(word)
            }
            filter.portal = portal
            if let digits = tokenDigest?.lowercased() {
                guard digits.wholeMatch(of: /[0-9a-f]{8,64}/) != nil else {
                    throw ValidationError("--token-sha256 takes 8 to 64 hexadecimal digits")
                }
                filter.tokenDigest = digits
            }
            if let since {
                guard let time = PastTime.read(since) else {
                    throw ValidationError(
                        "--since takes an age such as 12h or 7d, or a time such as 2026-05-31T12:00:00Z"
                    )
                }
                filter.since = time
            }
            return filter
        }
    }

    /// Reads the topic, with a progress bar, and hands on the letters that are meant.
    ///
    /// - Throws: `ExitCode.failure` after it has said what is wrong.
    func read(_ settings: BridgeSettings, _ take: (DeadLetter) throws -> Void) throws {
        let topic = DeadLetterTopic(settings: settings, timeout: .seconds(timeout))
        let filter = try filter
        var bar: ProgressBar?
        defer { bar?.finish() }
        do {
            let exists = try topic.read { letter, done, total in
                if bar == nil { bar = ProgressBar("reading \(topic.name)", total: total) }
                bar?.update(done, "\(done) of \(total)")
                if filter.admits(letter) { try take(letter) }
            }
            if !exists { writeToStandardError("There is no topic \(topic.name) yet, so there are no dead letters.\n") }
        } catch let error as KafkaError {
            bar?.finish()
            writeToStandardError(
                "The dead letters cannot be read: \(error). Check kafka.bootstrapServers, kafka.deadLetterTopic, the "
                    + "credentials in kafka.properties and the rights Read and Describe on the topic.\n"
            )
            throw ExitCode.failure
        }
    }
}

extension DeadLetter {
    /// For people: to the second.
    var shownTime: String {
        receivedAt.map { String($0.rfc3339.prefix(19)).replacingOccurrences(of: "T", with: " ") + "Z" } ?? "?"
    }

    /// By time of receipt; compared with `<`.
    var order: (Int64, Int32, Int64) { (receivedAt?.milliseconds ?? 0, partition, offset) }

    var shownDigest: String { tokenDigest.map { String($0.prefix(12)) } ?? "" }
}

extension EnvelopeID {
    var text: String {
        var bytes: [UInt8] = []
        write(into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// `2 unknown-portal, 1 bad-token`, the most frequent first.
struct LetterCounts {
    private(set) var counts: [String: Int] = [:]
    private(set) var total = 0

    mutating func add(_ word: String) {
        counts[word.isEmpty ? "without a reason" : word, default: 0] += 1
        total += 1
    }

    var text: String {
        counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.value) \($0.key)" }
            .joined(separator: ", ")
    }
}
