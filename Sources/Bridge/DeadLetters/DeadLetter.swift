package import Bitrix24
internal import Foundation
package import KafkaClient

/// A dead letter as it lies in its topic.
package struct DeadLetter: Sendable {
    package let partition: Int32
    package let offset: Int64
    /// Given at receipt. `nil`: written by a version that gave none.
    package let id: EnvelopeID?
    /// As it was written: a later version may know more reasons.
    package let reason: String
    /// `nil`: not told, or not readable.
    package let receivedAt: Timestamp?
    /// The claimed member_id.
    package let portal: String
    package let event: String
    /// Hexadecimal. `nil`: the call came without a token.
    package let tokenDigest: String?
    /// The JSON list of pairs.
    package let value: [UInt8]

    /// Where it lies, as `2@4711`.
    package var place: String { "\(partition)@\(offset)" }

    /// Names and values of the call's fields, without its secrets. `nil`: the value is not what a bridge writes.
    package var pairs: [(name: String, value: String)]? {
        guard let lists = try? JSONDecoder().decode([[String]].self, from: Data(value)),
            lists.allSatisfy({ $0.count == 2 })
        else { return nil }
        return lists.map { (name: $0[0], value: $0[1]) }
    }
}

extension DeadLetter {
    package init(_ record: ConsumedRecord) {
        func header(_ name: String) -> String? { record.header(name).map { String(decoding: $0, as: UTF8.self) } }
        partition = record.partition
        offset = record.offset
        id = header("\(DeadLetterReason.idHeader)").flatMap { EnvelopeID($0) }
        reason = header("b24_reason") ?? ""
        receivedAt = header("b24_received_at").flatMap { Timestamp(rfc3339: $0) }
        portal = header("b24_portal") ?? ""
        event = header("b24_event") ?? ""
        tokenDigest = header("b24_token_sha256")
        value = record.value ?? []
    }
}

extension DeadLetter {
    /// A letter that is not in its topic yet, and so at no place of it.
    init(_ record: StoredRecord) {
        var headers: [String: String] = [:]
        record.forEachHeader { name, value in
            headers[String(decoding: name, as: UTF8.self)] = String(decoding: value, as: UTF8.self)
        }
        partition = -1
        offset = -1
        id = headers["\(DeadLetterReason.idHeader)"].flatMap { EnvelopeID($0) }
        reason = headers["b24_reason"] ?? ""
        receivedAt = headers["b24_received_at"].flatMap { Timestamp(rfc3339: $0) }
        portal = headers["b24_portal"] ?? ""
        event = headers["b24_event"] ?? ""
        tokenDigest = headers["b24_token_sha256"]
        value = Array(record.value)
    }
}

/// Which dead letters are meant. What is not set leaves none out.
package struct DeadLetterFilter: Sendable {
    package var reasons: Set<String> = []
    package var portal: String?
    /// The first digits of the token's SHA-256, lower case.
    package var tokenDigest: String?
    package var since: Timestamp?

    package init() {}

    package func admits(_ letter: DeadLetter) -> Bool {
        if !reasons.isEmpty, !reasons.contains(letter.reason) { return false }
        if let portal, letter.portal != portal { return false }
        if let tokenDigest, letter.tokenDigest?.hasPrefix(tokenDigest) != true { return false }
        if let since, (letter.receivedAt ?? Timestamp(milliseconds: .min)) < since { return false }
        return true
    }
}
