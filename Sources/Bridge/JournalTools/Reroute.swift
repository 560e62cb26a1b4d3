internal import Bitrix24
internal import Foundation
package import Journal
internal import KafkaClient

/// Gives the parked records of one topic another one. The bridge must not run.
///
/// The undelivered parked records are written to a new journal beside the parked one, in order, those of the topic with
/// their new one. When all of it is on disk, the two directories change their names in one step. So whatever ends it,
/// a crash, a full disk, Ctrl-C: either everything is as it was, or everything is done.
package struct Reroute: Sendable {
    package struct Outcome: Sendable, Encodable {
        /// Parked records that wait, of all topics.
        package var records = 0
        package var rerouted = 0
        /// Of the rerouted ones, those that stay apart until `kafka.maxRecordBytes` is raised.
        package var oversized = 0
        /// Of the rerouted ones, those that the old topic's brokers refused for a reason of their own; they are tried again.
        package var refused = 0
        /// Where the old files were kept, because a part of them could not be read, or because of `notDurable`.
        package var kept: String?
        /// Where files were kept that an earlier attempt left, because a part of them could not be read.
        package var keptEarlier: String?
        /// It is done, but a power loss may take it back for this reason.
        package var notDurable: String?
    }

    let directory: String
    let from: String
    let to: String
    let segmentBytes: Int
    private let fileSystem: any FileSystem

    static let workName = "parked.rerouting"

    /// What is wrong with the two names; `nil`: nothing.
    package static func fault(from: String, to: String) -> String? {
        guard from != to else { return "both topics are \(to): name two" }
        var name = to
        guard name.withUTF8({ KafkaTopic.isLegal(UnsafeRawBufferPointer($0)) }) else {
            return "\(to) cannot be a topic: 1 to 249 of a-z A-Z 0-9 . _ - and not . or .. alone"
        }
        return nil
    }

    /// - Parameter segmentBytes: Size of the files, as `journal.segmentBytes` has it.
    package init(
        directory: String,
        from: String,
        to: String,
        segmentBytes: Int,
        fileSystem: any FileSystem = POSIXFileSystem()
    ) {
        self.fileSystem = fileSystem
        self.directory = directory
        self.from = from
        self.to = to
        self.segmentBytes = segmentBytes
    }

    /// Blocks. Throws with everything as it was, but for what an earlier attempt left.
    ///
    /// - Parameters:
    ///   - isStopped: Asked now and then; it gives up then.
    ///   - progress: Called with the bytes read and those there are.
    /// - Throws: `JournalError` or `JournalToolError`.
    package func run(
        isStopped: () -> Bool = { false },
        progress: (_ bytes: Int, _ of: Int) -> Void
    ) throws -> Outcome {
        let mainLock = try lock(directory)
        let parkedPath = BridgeSettings.parkedDirectory(of: directory)
        guard FileManager.default.fileExists(atPath: parkedPath) else {
            throw JournalToolError("nothing is parked: there is no \(parkedPath)")
        }
        let parkedLock = try lock(parkedPath)
        defer { withExtendedLifetime((mainLock, parkedLock)) {} }
        let parked = try JournalDirectory(inspecting: parkedPath, isLockedByCaller: true)
        let workPath = "\(directory)/\(Self.workName)"
        var outcome = Outcome()
        // What an attempt left that did not come to its end, or the old files of one that did.
        outcome.keptEarlier = try clearAway(workPath, beside: parkedPath)
        let isWhole: Bool
        let doubt: JournalError?
        do {
            isWhole = try copy(parked, to: workPath, &outcome, isStopped, progress)
            guard outcome.rerouted > 0 else {
                throw JournalToolError(
                    "no parked record has the topic \(from); b24bridge journal inspect shows which do"
                )
            }
            try check(workPath, holds: outcome.records)
            doubt = try DirectoryExchange.exchange(
                BridgeSettings.parkedName,
                Self.workName,
                in: directory,
                fileSystem: fileSystem
            )
        } catch {
            try? remove(workPath)
            throw error
        }
        // From here on it is done, and `workPath` holds the old files. If they may get their name back, they stay.
        outcome.notDurable = doubt?.description
        if doubt != nil || !isWhole || !parked.setAside.isEmpty {
            outcome.kept = (try? moveAside(workPath, beside: parkedPath)) ?? workPath
        } else {
            try? remove(workPath)
        }
        return outcome
    }

    /// - Returns: where it is now, if it holds what could not be read; `nil`: it is gone.
    private func clearAway(_ path: String, beside parked: String) throws -> String? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        guard !isReadable(path) else {
            try remove(path)
            return nil
        }
        return try moveAside(path, beside: parked)
    }

    /// Every undelivered record in it can be read, and nothing was set aside there.
    private func isReadable(_ path: String) -> Bool {
        guard let left = try? JournalDirectory(inspecting: path, isLockedByCaller: true), left.setAside.isEmpty else {
            return false
        }
        return (try? read(left, { _, _ in }, { _ in true })) ?? false
    }

    private func moveAside(_ path: String, beside parked: String) throws -> String {
        var moment = WallClock.now().milliseconds
        while FileManager.default.fileExists(atPath: Self.asideName(parked, moment)) { moment += 1 }
        let aside = Self.asideName(parked, moment)
        try FileManager.default.moveItem(atPath: path, toPath: aside)
        return aside
    }

    private static func asideName(_ parked: String, _ moment: Int64) -> String {
        "\(parked).before-reroute-\(moment)"
    }

    private func lock(_ path: String) throws -> JournalLock {
        do throws(JournalError) {
            return try JournalLock(path)
        } catch {
            guard error.code == .locked else { throw error }
            throw JournalToolError(
                "a bridge runs on \(directory): stop it first, as its parked records must stand still"
            )
        }
    }

    private func remove(_ path: String) throws {
        guard FileManager.default.fileExists(atPath: path) else { return }
        try FileManager.default.removeItem(atPath: path)
    }

    /// What `run` would do. Locks nothing.
    ///
    /// - Parameter progress: Called with the bytes read and those there are.
    package func count(in site: JournalSite, progress: (_ bytes: Int, _ of: Int) -> Void) throws -> Outcome {
        var outcome = Outcome()
        guard let parked = site.parts.first(where: { $0.name == .parked })?.directory else { return outcome }
        _ = try read(parked, progress) { block in
            for index in 0..<block.count where parked.isUndelivered(block[index].position) {
                _ = note(block[index], in: &outcome)
            }
            return true
        }
        return outcome
    }

    /// - Returns: whether everything that was read is intact.
    private func read(
        _ parked: JournalDirectory,
        _ progress: (_ bytes: Int, _ of: Int) -> Void,
        _ body: (RecordBlock) -> Bool
    ) throws(JournalError) -> Bool {
        let segments = parked.undeliveredSegments
        let total = segments.reduce(0) { $0 + $1.bytes }
        var isWhole = !parked.segments.contains { if case .newerVersion = $0.header { true } else { false } }
        var done = 0
        _ = try parked.read(segments) { bytes in
            done += bytes
            progress(done, total)
        } _: { _, finding in
            switch finding {
            case .records(let block): return body(block)
            case .damage: isWhole = false
            case .repeated, .unfinished, .deleted: break
            }
            return true
        }
        return isWhole
    }

    /// The record if it has the topic in question.
    private func note(_ record: JournalRecord, in outcome: inout Outcome) -> StoredRecord? {
        outcome.records += 1
        guard let stored = StoredRecord(record.payload), stored.topic.elementsEqual(from.utf8) else { return nil }
        outcome.rerouted += 1
        if stored.flags.contains(.oversized) { outcome.oversized += 1 }
        if stored.flags.contains(.refused) { outcome.refused += 1 }
        return stored
    }

    // MARK: Copying

    /// - Returns: whether everything could be read.
    private func copy(
        _ parked: JournalDirectory,
        to path: String,
        _ outcome: inout Outcome,
        _ isStopped: () -> Bool,
        _ progress: (_ bytes: Int, _ of: Int) -> Void
    ) throws -> Bool {
        // No quota: it takes no more room than it gives back.
        let journal = try Journal.open(
            JournalConfiguration(directory: path, maxBytes: 1 << 50, segmentBytes: segmentBytes, tailBytes: 0),
            fileSystem: fileSystem
        )
        defer { journal.close() }
        let output = RerouteOutput(journal)
        var failure: JournalToolError?
        let isWhole = try read(parked, progress) { block in
            if isStopped() { failure = JournalToolError("stopped; everything is as it was") }
            for index in 0..<block.count where failure == nil && parked.isUndelivered(block[index].position) {
                failure = append(block[index], to: output, &outcome)
            }
            return failure == nil
        }
        if let failure = failure ?? output.finish() { throw failure }
        return isWhole
    }

    private func append(
        _ record: JournalRecord,
        to output: RerouteOutput,
        _ outcome: inout Outcome
    ) -> JournalToolError? {
        guard let stored = note(record, in: &outcome) else { return output.append(record.payload) }
        StoredRecord.readdress(record.payload, of: stored, to: to, into: &output.scratch)
        return output.scratch.withUnsafeBytes { output.append($0) }
    }

    /// Reads back what was written, before it takes the place of the old.
    private func check(_ path: String, holds records: Int) throws {
        let copy = try JournalDirectory(inspecting: path)
        var found = 0
        _ = try copy.read(copy.segments, didRead: { _ in }) { _, finding in
            if case .records(let block) = finding { found += block.count }
            return true
        }
        guard found == records else {
            throw JournalToolError(
                "of \(records) records written \(found) could be read back: check the volume; everything is as it was"
            )
        }
    }
}
