/// The names of the files in a journal's directory.
struct DirectoryLayout: Sendable {
    static let segmentSuffix = ".segment"

    let directory: String

    var lock: String { "\(directory)/lock" }
    var checkpoint: String { "\(directory)/checkpoint" }
    /// Room held back for the checkpoint of a full disk.
    var reserve: String { "\(directory)/reserve" }
    var setAside: String { "\(directory)/set-aside" }

    func segment(_ number: UInt64) -> String {
        "\(directory)/\(Self.segmentName(number))"
    }

    func setAsideSegment(_ number: UInt64) -> String {
        "\(setAside)/\(Self.segmentName(number))"
    }

    func setAsideRange(_ number: UInt64, offset: Int) -> String {
        "\(setAside)/\(JournalPosition.padded(number))-\(offset).bytes"
    }

    static func segmentName(_ number: UInt64) -> String {
        JournalPosition.padded(number) + segmentSuffix
    }

    static func segmentNumber(_ name: String) -> UInt64? {
        guard name.hasSuffix(segmentSuffix) else { return nil }
        let digits = name.dropLast(segmentSuffix.count)
        guard digits.utf8.count == JournalPosition.digits, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return UInt64(digits)
    }
}
