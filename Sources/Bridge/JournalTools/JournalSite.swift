internal import Foundation
package import Journal

/// Why a tool cannot do what it was asked, with the mend.
package struct JournalToolError: Error, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// The two journals of one bridge as they lie in their directories: of a running bridge, of one that is gone, in a copy.
package struct JournalSite: Sendable {
    package struct Part: Sendable {
        package let name: JournalName
        package let directory: JournalDirectory
    }

    /// The main journal's.
    package let directory: String
    /// The main journal first; the parked one only if it is there.
    package let parts: [Part]
    /// Files of events that wait for their portal's application token.
    package let waitingFiles: Int
    /// Calls about installations that nobody has verified yet.
    package let installCalls: Int

    /// - Throws: `JournalError` or `JournalToolError`.
    package init(inspecting directory: String) throws {
        self.directory = directory
        var isDirectory: ObjCBool = true
        if FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory), !isDirectory.boolValue {
            throw JournalToolError("\(directory) is a file; name the directory that the journal lies in")
        }
        let main = try JournalDirectory(inspecting: directory)
        var parts = [Part(name: .main, directory: main)]
        do throws(JournalError) {
            let path = BridgeSettings.parkedDirectory(of: directory)
            parts.append(Part(name: .parked, directory: try JournalDirectory(inspecting: path)))
        } catch {
            // A bridge that never ran to its end may not have come so far.
            guard error.isMissing else { throw error }
        }
        self.parts = parts
        let files = POSIXFileSystem()
        waitingFiles = try DurableFolder(BridgeSettings.waitingDirectory(of: directory), fileSystem: files).count()
        installCalls = try DurableFolder(BridgeSettings.installsDirectory(of: directory), fileSystem: files).count()
        guard parts.contains(where: { $0.directory.holdsJournal }) else {
            throw JournalToolError("no journal lies in \(directory): name what journal.directory of its bridge says")
        }
    }

    /// The directory of the journal whose parked records alone lie in `directory`. `nil`: this is a main journal.
    package var directoryOfWhole: String? {
        let url = URL(filePath: directory).standardizedFileURL
        guard url.lastPathComponent == BridgeSettings.parkedName else { return nil }
        let above = url.deletingLastPathComponent().path
        return (try? JournalDirectory(inspecting: above))?.holdsJournal == true ? above : nil
    }

    /// A bridge has them open.
    package var isInUse: Bool { parts.contains { $0.directory.isInUse } }

    /// Of all segment files.
    package var bytes: Int { parts.reduce(0) { $0 + $1.directory.bytes } }
}

extension JournalDirectory {
    fileprivate var holdsJournal: Bool { !segments.isEmpty || hasCheckpointFile }

    package var bytes: Int { segments.reduce(0) { $0 + $1.bytes } }

    /// Not delivered, as far as the checkpoint tells: of the last second before a crash some are.
    func isUndelivered(_ position: JournalPosition) -> Bool { position >= confirmedBelow ?? .first }

    /// Segments that may hold records at or above `position`.
    func segments(from position: JournalPosition) -> [Segment] {
        segments.filter { segment in segment.supersededFrom.map { $0 > position } ?? true }
    }

    /// Segments that may hold undelivered records.
    var undeliveredSegments: [Segment] { segments(from: confirmedBelow ?? .first) }

    /// Nothing in it can be read, and not all of it is delivered.
    func isUnreadVersion(_ segment: Segment) -> Bool {
        guard case .newerVersion = segment.header else { return false }
        // The positions in a later file are higher ones.
        return !segments.contains { other in
            guard other.number > segment.number, case .intact(let first, _) = other.header else { return false }
            return first <= confirmedBelow ?? .first
        }
    }

    /// Reads segments one after the other until `body` returns false.
    ///
    /// - Parameter didRead: Called with the number of bytes read since its last call.
    /// - Returns: whether it came to the end.
    func read(
        _ segments: [Segment],
        didRead: (Int) -> Void,
        _ body: (Segment, Finding) -> Bool
    ) throws(JournalError) -> Bool {
        for segment in segments {
            var offset = 0
            var goesOn = true
            try read(segment) { finding, end in
                didRead(end - offset)
                offset = end
                goesOn = body(segment, finding)
                return goesOn
            }
            guard goesOn else { return false }
            didRead(segment.bytes - min(offset, segment.bytes))
        }
        return true
    }
}

extension JournalDirectory.Segment {
    /// Whether damage ends the newest file, and so may be a write that a crash cut short, which nobody was told of.
    func mayBeUnfinished(_ damage: Range<Int>) -> Bool {
        supersededFrom == nil && damage.upperBound >= bytes
    }
}
