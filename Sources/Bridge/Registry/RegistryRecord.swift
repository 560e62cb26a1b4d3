internal import Foundation
package import KafkaClient

/// How an entry stands in the registry's topic: key = member_id, value = JSON with a stamp for each part. A portal that was
/// taken out is a record without a value, so that the topic forgets it, with the stamp in a header.
package enum RegistryRecord {
    /// Raised when older bridges must not touch a record because they would misread it.
    static let version = 1
    static let removedHeader = "removed"
    /// Longer keys are no member_id.
    static let longestMemberID = 128

    /// `nil`: a portal that was taken out.
    package static func value(of entry: RegistryEntry) -> [UInt8]? {
        guard !entry.isRemoved else { return nil }
        // Strings, numbers and arrays of them: nothing that JSON could not hold.
        guard let data = try? JSONEncoder.oneLine.encode(StoredEntry(entry)) else {
            preconditionFailure("a portal cannot be written as JSON")
        }
        return Array(data)
    }

    /// What a record of the topic says.
    ///
    /// - Throws: why it is none of the registry's, or of a newer version.
    package static func entry(_ record: ConsumedRecord) throws(RegistryError) -> RegistryEntry {
        guard let key = record.key, let memberID = String(validating: key, as: UTF8.self),
            !memberID.isEmpty, key.count <= longestMemberID
        else { throw RegistryError(.unreadable, "a record of the registry has no member_id as its key") }
        guard let value = record.value else {
            let text = record.header(removedHeader).map { String(decoding: $0, as: UTF8.self) }
            let stamp =
                text.flatMap { RegistryStamp(text: $0) }
                // Written by hand, as kafka-console-producer does it.
                ?? RegistryStamp(time: record.timestampMilliseconds ?? 0, replica: "")
            var entry = RegistryEntry(memberID: memberID)
            entry.remove(at: stamp)
            return entry
        }
        return try entry(memberID: memberID, json: value)
    }

    /// Whether this can name a portal: 1 to 128 characters of ASCII that are neither blanks nor control characters.
    package static func isMemberID(_ text: String) -> Bool {
        (1...longestMemberID).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }

    /// One line, of which `entry(line:)` makes the same again: for moving portals to another cluster. What is sealed stays
    /// sealed.
    package static func line(of entry: RegistryEntry) -> [UInt8] {
        var stored = StoredEntry(entry)
        stored.memberID = entry.memberID
        guard let data = try? JSONEncoder.oneLine.encode(stored) else {
            preconditionFailure("a portal cannot be written as JSON")
        }
        return Array(data)
    }

    /// - Throws: `unreadable`.
    package static func entry(line: [UInt8]) throws(RegistryError) -> RegistryEntry {
        do {
            let stored = try JSONDecoder().decode(StoredEntry.self, from: Data(line))
            guard let memberID = stored.memberID, isMemberID(memberID) else {
                throw RegistryError(.unreadable, "it names no memberID")
            }
            return try stored.entry(memberID: memberID)
        } catch let error as RegistryError {
            throw error
        } catch is StoredEntry.NewerVersion {
            throw RegistryError(.unreadable, "it was written by a newer bridge")
        } catch {
            throw RegistryError(.unreadable, "it is no line of portals export")
        }
    }

    package static func entry(memberID: String, json: [UInt8]) throws(RegistryError) -> RegistryEntry {
        do {
            return try JSONDecoder().decode(StoredEntry.self, from: Data(json)).entry(memberID: memberID)
        } catch {
            throw RegistryError(.unreadable, "the registry's record of portal \(memberID) cannot be read")
        }
    }

}

/// The JSON of an entry.
struct StoredEntry: Codable {
    struct Part<Value: Codable>: Codable {
        var at: Int64
        var by: String
        /// Absent: the part was cleared.
        var value: Value?

        var stamp: RegistryStamp { RegistryStamp(time: at, replica: by) }
    }

    struct NewerVersion: Error {}

    /// Where it does not stand beside, as the key of a record.
    var memberID: String?
    var version: Int
    var removed: RegistryStamp?
    var installation: Part<RegisteredPortal.Installation>?
    var authorization: Part<RegisteredPortal.Authorization>?
    var applicationTokens: Part<RegisteredPortal.ApplicationTokens>?
    var webhooks: Part<RegisteredPortal.Webhooks>?
    var bindings: Part<RegisteredPortal.Bindings>?
    var offline: Part<RegisteredPortal.Offline>?
    var order: Part<RegisteredPortal.Order>?
    var report: Part<RegisteredPortal.Report>?

    init(_ entry: RegistryEntry) {
        version = RegistryRecord.version
        removed = entry.removedAt
        func part<Value: Codable>(_ name: RegisteredPortal.Part, _ value: Value?) -> Part<Value>? {
            entry.stamps[name].map { Part(at: $0.time, by: $0.replica, value: value) }
        }
        let portal = entry.portal
        installation = part(.installation, portal.installation)
        authorization = part(.authorization, portal.authorization)
        applicationTokens = part(.applicationTokens, portal.applicationTokens)
        webhooks = part(.webhooks, portal.webhooks)
        bindings = part(.bindings, portal.bindings)
        offline = part(.offline, portal.offline)
        order = part(.order, portal.order)
        report = part(.report, portal.report)
    }

    func entry(memberID: String) throws -> RegistryEntry {
        guard version <= RegistryRecord.version else { throw NewerVersion() }
        var portal = RegisteredPortal(memberID: memberID)
        portal.installation = installation?.value
        portal.authorization = authorization?.value
        portal.applicationTokens = applicationTokens?.value
        portal.webhooks = webhooks?.value
        portal.bindings = bindings?.value
        portal.offline = offline?.value
        portal.order = order?.value
        portal.report = report?.value
        var entry = RegistryEntry(memberID: memberID)
        if let removed { entry.remove(at: removed) }
        let stamps: [(RegisteredPortal.Part, RegistryStamp?)] = [
            (.installation, installation?.stamp), (.authorization, authorization?.stamp),
            (.applicationTokens, applicationTokens?.stamp), (.webhooks, webhooks?.stamp), (.bindings, bindings?.stamp),
            (.offline, offline?.stamp), (.order, order?.stamp), (.report, report?.stamp),
        ]
        for case (let part, let stamp?) in stamps { entry.set(part, of: portal, at: stamp) }
        return entry
    }
}
