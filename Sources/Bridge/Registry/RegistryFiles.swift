internal import Bitrix24
internal import Foundation
internal import Journal

/// What a replica keeps of the registry beside its journal: a snapshot of all portals, so that it can take events while Kafka
/// is away, and the changes that Kafka has not confirmed. Used by one thread at a time.
///
/// Both are sealed where there is a `secrets.key`. Without one they are written as they are: tokens of applications stand in
/// them as digests only, and others could not have been stored at all.
struct RegistryFiles: Sendable {
    struct Findings: Sendable {
        /// When the topic was last known to say what the snapshot says; milliseconds since 1970. `nil`: there is no snapshot.
        var readAt: Int64?
        /// What could not be used, and where it lies now.
        var faults: [String] = []
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

    /// Reads piece by piece, so that thousands of portals take no more memory than they are then kept in. Never throws: a file
    /// that cannot be used to its end is set aside, and the registry is read from Kafka instead.
    ///
    /// - Parameter take: Gets the portals of a piece. What it got of a file that is set aside does no harm.
    func load(_ take: (Name, [RegistryEntry]) -> Void) -> Findings {
        var findings = Findings()
        for name in Name.allCases {
            do {
                let readAt = try read(name) { take(name, $0) }
                if name == .snapshot { findings.readAt = readAt }
            } catch {
                findings.faults.append("\(error); it lies at \(setAside(name) ?? path(name)) now")
            }
        }
        return findings
    }

    /// - Returns: `readAt` of the file; `nil` if there is none.
    private func read(_ name: Name, _ take: ([RegistryEntry]) -> Void) throws -> Int64? {
        let file: OpenFile
        do throws(FileSystemError) {
            file = try fileSystem.open(path(name), .read)
        } catch {
            if error.isMissing { return nil }
            throw Unusable("\(name.rawValue) cannot be read: \(error.words)")
        }
        defer { fileSystem.close(file) }
        let damaged = Unusable("\(name.rawValue) is damaged")
        var lines = FileLines(file, fileSystem)
        guard let line = try lines.next(), let head = Head(String(decoding: line, as: UTF8.self)) else { throw damaged }
        guard head.version <= Head.version else { throw Unusable("\(name.rawValue) was written by a newer bridge") }
        let decoder = JSONDecoder()
        var readAt: Int64?
        for index in 0..<head.pieces {
            guard let line = try lines.next() else { throw damaged }
            let json = try self.json(line, name, head, index)
            guard let piece = try? decoder.decode(Piece.self, from: json) else { throw damaged }
            guard piece.topic == topic else { throw Unusable("\(name.rawValue) is of the topic \(piece.topic)") }
            readAt = piece.readAt
            take(
                try piece.portals.map { stored in
                    guard let memberID = stored.memberID else { throw damaged }
                    return try stored.entry(memberID: memberID)
                }
            )
        }
        return readAt
    }

    private func json(_ line: [UInt8], _ name: Name, _ head: Head, _ index: Int) throws(Unusable) -> Data {
        guard head.isSealed else {
            let json = Data(line.dropFirst(65))
            guard line.prefix(64).elementsEqual(TokenDigest(token: json).hexadecimal) else {
                throw Unusable("\(name.rawValue) is damaged")
            }
            return json
        }
        do {
            let sealed = SealedText(text: String(decoding: line, as: UTF8.self))
            return try keyring.open(sealed, context: head.context(name, index))
        } catch {
            throw Unusable("\(name.rawValue) cannot be opened: \(error)")
        }
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

    /// - Parameter entry: Asked for a piece at a time; `nil` for a portal that is gone meanwhile.
    func writeSnapshot(
        _ memberIDs: [String],
        readAt: Int64,
        _ entry: (String) -> RegistryEntry?
    ) throws(FileSystemError) {
        let forgotten = WallClock.now().milliseconds - Self.remembersRemoved
        try write(.snapshot, memberIDs, readAt: readAt) { memberID in
            guard let entry = entry(memberID), !entry.isRemoved || entry.removedAt?.time ?? 0 > forgotten else {
                return nil
            }
            return entry
        }
    }

    func writeUnconfirmed(_ entries: [RegistryEntry]) throws(FileSystemError) {
        try write(.unconfirmed, entries, readAt: nil) { $0 }
    }

    private func write<Item>(
        _ name: Name,
        _ items: [Item],
        readAt: Int64?,
        _ entry: (Item) -> RegistryEntry?
    ) throws(FileSystemError) {
        let count = max(1, (items.count + Self.portalsOfPiece - 1) / Self.portalsOfPiece)
        let head = Head(isSealed: keyring.canSeal, id: UInt64.random(in: 0 ... .max), pieces: count)
        try fileSystem.makeDirectory(directory)
        // The head line, and then the pieces.
        var next = -1
        try fileSystem.replace(path(name), in: directory) {
            defer { next += 1 }
            guard next >= 0 else { return Array((head.text + "\n").utf8) }
            guard next < count else { return nil }
            let first = next * Self.portalsOfPiece
            let portals = items[first..<min(items.count, first + Self.portalsOfPiece)].compactMap(entry)
            return line(
                Piece(topic: topic, readAt: readAt, portals: portals.map(Self.portal)),
                head.context(name, next)
            )
        }
    }

    private func line(_ piece: Piece, _ context: String) -> [UInt8] {
        guard let json = try? JSONEncoder().encode(piece) else {
            preconditionFailure("the registry cannot be written as JSON")
        }
        if let sealed = try? keyring.seal(json, context: context) { return Array((sealed.text + "\n").utf8) }
        return TokenDigest(token: json).hexadecimal + [UInt8(ascii: " ")] + json + [UInt8(ascii: "\n")]
    }

    private static func portal(_ entry: RegistryEntry) -> StoredEntry {
        var stored = StoredEntry(entry)
        stored.memberID = entry.memberID
        return stored
    }

    // MARK: Form

    private func path(_ name: Name) -> String { "\(directory)/\(name.rawValue)" }

    /// A head line, and a line for each piece: small ones, as with thousands of portals one would take many times its room in
    /// memory while it is made.
    private static let portalsOfPiece = 64

    private struct Head {
        static let version = 1
        private static let magic = "b24bridge-registry"

        var version = Head.version
        let isSealed: Bool
        /// Tells the pieces of one file from those of another.
        let id: UInt64
        let pieces: Int

        init(isSealed: Bool, id: UInt64, pieces: Int) {
            self.isSealed = isSealed
            self.id = id
            self.pieces = pieces
        }

        init?(_ text: String) {
            let words = text.split(separator: " ")
            guard words.count >= 2, words[0] == Self.magic, let version = Int(words[1]) else { return nil }
            // Of a newer one nothing more is known.
            guard version <= Self.version else {
                self.init(isSealed: false, id: 0, pieces: 0)
                self.version = version
                return
            }
            guard words.count == 5, words[2] == "sealed" || words[2] == "plain", let id = UInt64(words[3]),
                let pieces = Int(words[4])
            else { return nil }
            self.init(isSealed: words[2] == "sealed", id: id, pieces: pieces)
        }

        var text: String { "\(Self.magic) \(version) \(isSealed ? "sealed" : "plain") \(id) \(pieces)" }

        func context(_ name: Name, _ index: Int) -> String {
            "registry/\(name.rawValue)/\(id)/\(index)/\(pieces)"
        }
    }

    private struct Unusable: Error, CustomStringConvertible {
        let description: String

        init(_ description: String) { self.description = description }
    }

    private struct Piece: Codable {
        var topic: String
        var readAt: Int64?
        var portals: [StoredEntry]
    }
}

/// The lines of a file one after the other, with little memory.
private struct FileLines {
    private let file: OpenFile
    private let fileSystem: any FileSystem
    private var offset = 0
    private var rest: [UInt8] = []
    private var isAtEnd = false
    private static let step = 256 << 10

    init(_ file: OpenFile, _ fileSystem: any FileSystem) {
        self.file = file
        self.fileSystem = fileSystem
    }

    /// Without its end; `nil` at the end of the file. What follows the last line's end is a line as well.
    mutating func next() throws(FileSystemError) -> [UInt8]? {
        var searched = 0
        while true {
            if let end = rest[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(rest[..<end])
                rest.removeFirst(end + 1)
                return line
            }
            guard !isAtEnd else {
                defer { rest = [] }
                return rest.isEmpty ? nil : rest
            }
            searched = rest.count
            try readMore()
        }
    }

    private mutating func readMore() throws(FileSystemError) {
        var step = [UInt8](repeating: 0, count: Self.step)
        var failure: FileSystemError?
        let count = step.withUnsafeMutableBytes { buffer in
            do throws(FileSystemError) {
                return try fileSystem.read(file, into: buffer, at: offset)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        offset += count
        isAtEnd = count == 0
        rest += step[..<count]
    }
}
