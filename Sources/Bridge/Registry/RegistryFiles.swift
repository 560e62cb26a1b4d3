internal import Bitrix24
internal import Foundation
internal import Journal

/// What a replica keeps of the registry beside its journal: a snapshot of all portals, so that it can take events while Kafka
/// is away, and the changes that Kafka has not confirmed. Used by one thread at a time.
///
/// Both are sealed where there is a `secrets.key`. Without one they are written as they are: tokens of applications stand in
/// them as digests only, and others could not have been stored at all.
struct RegistryFiles: Sendable {
    struct Contents: Sendable {
        var entries: [RegistryEntry] = []
        var unconfirmed: [RegistryEntry] = []
        /// When the topic was last known to say what the snapshot says; milliseconds since 1970. `nil`: there is no snapshot.
        var readAt: Int64?
        /// What could not be used, and where it lies now.
        var findings: [String] = []
    }

    enum Name: String, CaseIterable {
        case snapshot = "portals.snapshot"
        case unconfirmed = "portals.unconfirmed"
    }

    let directory: String
    let topic: String
    let fileSystem: any FileSystem
    let keyring: Keyring

    /// A portal that was taken out is remembered for so long, should an old record or snapshot speak of it.
    static let remembersRemoved: Int64 = 31 * 86_400_000

    // MARK: Reading

    /// Never throws: what cannot be used is set aside, and the registry is read from Kafka instead.
    func load() -> Contents {
        var contents = Contents()
        for name in Name.allCases {
            do {
                guard let stored = try read(name) else { continue }
                let entries = try stored.entries()
                switch name {
                case .snapshot: (contents.entries, contents.readAt) = (entries, stored.readAt)
                case .unconfirmed: contents.unconfirmed = entries
                }
            } catch {
                contents.findings.append("\(error); it lies at \(setAside(name) ?? path(name)) now")
            }
        }
        return contents
    }

    private func read(_ name: Name) throws -> Stored? {
        let bytes: [UInt8]
        do throws(FileSystemError) {
            bytes = try fileSystem.contents(of: path(name))
        } catch {
            if error.isMissing { return nil }
            throw Unusable("\(name.rawValue) cannot be read: \(error.words)")
        }
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { throw Unusable("\(name.rawValue) is damaged") }
        let head = String(decoding: bytes[..<end], as: UTF8.self).split(separator: " ")
        let body = Array(bytes[(end + 1)...])
        guard head.count >= 3, head[0] == Self.magic, let version = Int(head[1]) else {
            throw Unusable("\(name.rawValue) is damaged")
        }
        guard version <= Self.version else { throw Unusable("\(name.rawValue) was written by a newer bridge") }
        let json: Data
        switch (head[2], head.count) {
        case ("sealed", 3):
            do {
                let sealed = SealedText(text: String(decoding: body, as: UTF8.self))
                json = try keyring.open(sealed, context: context(name))
            } catch {
                throw Unusable("\(name.rawValue) cannot be opened: \(error)")
            }
        case ("plain", 4) where Array(head[3].utf8) == TokenDigest(token: body).hexadecimal: json = Data(body)
        default: throw Unusable("\(name.rawValue) is damaged")
        }
        guard let stored = try? JSONDecoder().decode(Stored.self, from: json) else {
            throw Unusable("\(name.rawValue) is damaged")
        }
        guard stored.topic == topic else { throw Unusable("\(name.rawValue) is of the topic \(stored.topic)") }
        return stored
    }

    private func setAside(_ name: Name) -> String? {
        let folder = "\(directory)/set-aside"
        let place = "\(folder)/\(name.rawValue)-\(WallClock.now().milliseconds)"
        do {
            try fileSystem.makeDirectory(folder)
            try fileSystem.rename(path(name), to: place)
            return place
        } catch {
            return nil
        }
    }

    // MARK: Writing

    func writeSnapshot(_ entries: [RegistryEntry], readAt: Int64) throws(FileSystemError) {
        let forgotten = WallClock.now().milliseconds - Self.remembersRemoved
        let kept = entries.filter { !$0.isRemoved || $0.removedAt?.time ?? 0 > forgotten }
        try write(.snapshot, Stored(topic: topic, readAt: readAt, portals: kept.map(Stored.portal)))
    }

    func writeUnconfirmed(_ entries: [RegistryEntry]) throws(FileSystemError) {
        try write(.unconfirmed, Stored(topic: topic, readAt: nil, portals: entries.map(Stored.portal)))
    }

    private func write(_ name: Name, _ stored: Stored) throws(FileSystemError) {
        guard let json = try? JSONEncoder().encode(stored) else {
            preconditionFailure("the registry cannot be written as JSON")
        }
        let head: String
        let body: [UInt8]
        if let sealed = try? keyring.seal(json, context: context(name)) {
            head = "sealed"
            body = Array(sealed.text.utf8)
        } else {
            body = Array(json)
            head = "plain " + String(decoding: TokenDigest(token: body).hexadecimal, as: UTF8.self)
        }
        try fileSystem.makeDirectory(directory)
        try fileSystem.replace(
            path(name),
            in: directory,
            with: Array("\(Self.magic) \(Self.version) \(head)\n".utf8) + body
        )
    }

    // MARK: Form

    private static let magic = "b24bridge-registry"
    private static let version = 1

    private func path(_ name: Name) -> String { "\(directory)/\(name.rawValue)" }

    private func context(_ name: Name) -> String { "registry/\(name.rawValue)" }

    private struct Unusable: Error, CustomStringConvertible {
        let description: String

        init(_ description: String) { self.description = description }
    }

    private struct Stored: Codable {
        var topic: String
        var readAt: Int64?
        var portals: [StoredEntry]

        static func portal(_ entry: RegistryEntry) -> StoredEntry {
            var stored = StoredEntry(entry)
            stored.memberID = entry.memberID
            return stored
        }

        func entries() throws -> [RegistryEntry] {
            try portals.map { stored in
                guard let memberID = stored.memberID else { throw Unusable("the snapshot has a portal without a name") }
                return try stored.entry(memberID: memberID)
            }
        }
    }
}
