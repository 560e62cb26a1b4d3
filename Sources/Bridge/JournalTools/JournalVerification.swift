internal import Journal

/// Everything in the journals' files that is not as it should be. Made by reading everything, checksums included.
package struct JournalVerification: Sendable, Encodable {
    package struct Fault: Sendable, Encodable {
        package enum Kind: String, Sendable, Encodable {
            /// Bytes that are no intact frame.
            case damage
            case unreadableFile
            case missingSegment
            case checkpoint
            /// An intact frame whose payload is no record of this version.
            case undecodable
            case newerVersion
        }

        package var journal: JournalName
        package var kind: Kind
        package var file: String
        /// Bytes of the file, from the first to before the last.
        package var from: Int?
        package var to: Int?
        package var text: String
    }

    /// Faults beyond these are only counted.
    package static let mostFaults = 1000

    package private(set) var faults: [Fault] = []
    package private(set) var faultsCounted = 0
    package private(set) var records = 0
    package private(set) var bytes = 0
    package private(set) var damagedBytes = 0
    /// The end of the newest segment of a running bridge.
    package private(set) var unfinishedBytes = 0
    /// Damage that earlier starts set aside. It is dealt with, so it is no fault.
    package private(set) var setAsideFiles = 0

    package var isSound: Bool { faultsCounted == 0 }

    /// - Parameter progress: Called with the bytes read so far.
    package init(of site: JournalSite, progress: (Int) -> Void) {
        var done = 0
        for part in site.parts {
            let directory = part.directory
            setAsideFiles += directory.setAside.count
            checkNames(of: directory, part.name)
            for segment in directory.segments {
                check(segment, of: directory, part.name) { bytes in
                    done += bytes
                    progress(done)
                }
            }
        }
        bytes = done
    }

    private mutating func add(_ fault: Fault) {
        faultsCounted += 1
        if faults.count < Self.mostFaults { faults.append(fault) }
    }

    private mutating func checkNames(of directory: JournalDirectory, _ journal: JournalName) {
        for number in directory.missingSegments {
            add(
                Fault(
                    journal: journal,
                    kind: .missingSegment,
                    file: JournalDirectory.Segment.name(of: number),
                    text: "the file is gone, though older ones are there; if somebody moved it, put it back"
                )
            )
        }
        let text: String
        switch CheckpointState(directory) {
        case .used, .none: return
        case .damaged: text = "cannot be read; a start sends everything that is there again"
        case .notCredible:
            text = "is ahead of all that is there, or another journal's; a start sends everything that is there again"
        }
        add(Fault(journal: journal, kind: .checkpoint, file: "checkpoint", text: text))
    }

    private mutating func check(
        _ segment: JournalDirectory.Segment,
        of directory: JournalDirectory,
        _ journal: JournalName,
        didRead: (Int) -> Void
    ) {
        func fault(_ kind: Fault.Kind, at range: Range<Int>? = nil, _ text: String) -> Fault {
            Fault(
                journal: journal,
                kind: kind,
                file: segment.name,
                from: range?.lowerBound,
                to: range?.upperBound,
                text: text
            )
        }
        if case .newerVersion(let version) = segment.header {
            add(
                fault(.newerVersion, "was written by a later version (\(version)); read it with that version")
            )
            return didRead(segment.bytes)
        }
        var damage: [Range<Int>] = []
        var last: JournalPosition?
        do throws(JournalError) {
            _ = try directory.read([segment], didRead: didRead) { _, finding in
                switch finding {
                case .records(let block):
                    for range in damage {
                        add(fault(.damage, at: range, Self.loss(after: last, before: block.first, directory)))
                    }
                    damage.removeAll()
                    last = block.last
                    records += block.count
                    for index in 0..<block.count where !Self.isDecodable(block[index]) {
                        let position = block[index].position.rawValue
                        add(fault(.undecodable, "the record at position \(position) is not one of this version"))
                    }
                case .damage(let range):
                    damagedBytes += range.count
                    if range.lowerBound == 0, case .damaged = segment.header {
                        add(fault(.damage, at: range, "the file's header; records behind it are found by their marks"))
                    } else {
                        damage.append(range)
                    }
                case .unfinished(let range): unfinishedBytes += range.count
                case .repeated, .deleted: break
                }
                return true
            }
        } catch {
            add(fault(.unreadableFile, error.description))
        }
        for range in damage {
            var text = Self.loss(after: last, before: segment.supersededFrom, directory)
            if segment.mayBeUnfinished(range) {
                text +=
                    "; at the end of the newest file it may be a write that a crash cut short, which nobody was told of"
            }
            add(fault(.damage, at: range, text))
        }
    }

    private static func isDecodable(_ record: JournalRecord) -> Bool {
        guard let stored = StoredRecord(record.payload) else { return false }
        var headers = 0
        stored.forEachHeader { _, _ in headers += 1 }
        return headers == stored.headerCount
    }

    /// What the damage took: positions are given without gaps while a bridge runs.
    private static func loss(
        after last: JournalPosition?,
        before next: JournalPosition?,
        _ directory: JournalDirectory
    ) -> String {
        let confirmed = directory.confirmedBelow ?? .first
        let below = next.map { " and before \($0.rawValue)" } ?? ""
        let place =
            last.map { "after position \($0.rawValue)\(below)" } ?? next.map { "before position \($0.rawValue)" }
        var text = "no intact record" + (place.map { " (\($0))" } ?? "")
        if let last, let next, next.rawValue - last.rawValue == 1 {
            text += "; no record is lost"
        } else if let next, next <= confirmed {
            text += "; all of that was delivered or parked before"
        } else if let last, let next {
            text += "; at most \(next.rawValue - last.rawValue - 1) records are lost"
        }
        return text
    }
}
