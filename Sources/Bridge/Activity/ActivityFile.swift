internal import Foundation
internal import Journal

/// What was heard of the portals, for the next start: member_ids and numbers, in a file beside the journal.
struct ActivityFile: Sendable {
    struct Contents: Sendable, Equatable {
        /// Milliseconds since 1970. The bridge was there until then.
        var savedAt: Int64
        var portals: [String: PortalActivity]
    }

    enum Fault: Error, CustomStringConvertible {
        case unusable
        case newerVersion(Int)

        var description: String {
            switch self {
            case .unusable: "the file is damaged"
            case .newerVersion(let version): "the file has version \(version), which a newer bridge wrote"
            }
        }
    }

    private let folder: DurableFolder
    let path: String

    private static let name = "activity"
    private static let version = 1

    init(directory: String, fileSystem: any FileSystem) {
        folder = DurableFolder(directory, fileSystem: fileSystem)
        path = "\(directory)/\(Self.name)"
    }

    /// Blocks.
    ///
    /// - Returns: `nil`: there is none.
    func read() throws -> Contents? {
        let bytes: [UInt8]?
        do throws(FileSystemError) {
            bytes = try folder.read(Self.name)
        } catch {
            if error.isMissing { return nil }
            throw error
        }
        guard let bytes else { throw Fault.unusable }
        let data = Data(bytes)
        guard let version = try? JSONDecoder().decode(Version.self, from: data).version else { throw Fault.unusable }
        guard version == Self.version else { throw Fault.newerVersion(version) }
        guard let stored = try? JSONDecoder().decode(Stored.self, from: data) else { throw Fault.unusable }
        return Contents(
            savedAt: stored.savedAt,
            portals: stored.portals.compactMapValues(PortalActivity.init(numbers:))
        )
    }

    /// Blocks; durable when it returns.
    func write(_ contents: Contents) throws {
        let stored = Stored(
            version: Self.version,
            savedAt: contents.savedAt,
            portals: contents.portals.mapValues(\.numbers)
        )
        try folder.write([DurableFolder.File(name: Self.name, bytes: Array(try JSONEncoder().encode(stored)))])
    }

    private struct Version: Decodable { let version: Int }

    private struct Stored: Codable {
        let version: Int
        let savedAt: Int64
        let portals: [String: [Int64]]
    }
}

extension PortalActivity {
    /// Last event, first event, absence; then the newest day of pauses and the seconds of that day and those before it.
    fileprivate var numbers: [Int64] {
        [lastAt, watchedSince, absence, pauses.newest] + pauses.newestFirst.map(Int64.init)
    }

    fileprivate init?(numbers: [Int64]) {
        guard numbers.count >= 4, numbers.prefix(4).allSatisfy({ (0...(1 << 50)).contains($0) }) else { return nil }
        let pauses = numbers.dropFirst(4).map { UInt32(clamping: $0) }
        self.init(
            lastAt: numbers[0],
            watchedSince: numbers[1],
            absence: numbers[2],
            pauses: numbers[3] == 0 ? DailyPauses() : DailyPauses(newest: numbers[3], seconds: pauses)
        )
    }
}
